"""The C allocator's settings for large tensors: call `tune_allocator` before torch is imported."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD = -1  # mallopt's parameter numbers, from glibc's malloc.h
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4
GIB = 1 << 30


def tune_allocator() -> bool:
    """Let glibc keep freed blocks of up to 1 GiB for the next tensor; True if it did, False on any other C library.

    By default glibc maps every tensor of more than 32 MiB afresh and gives it back on release. Each layer then writes
    to pages that the kernel must first clear: at 1024x1024 about half of TOPIQ's time on a CPU goes into such page
    faults, 270,000 a score, and none are left with this. The price is that the process keeps its peak memory.

    Only blocks allocated afterwards are affected, hence before torch is imported; nothing heavy is imported here.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    # Older versions of glibc refuse a threshold above 32 MiB; never to map at all has the same effect there
    unmapped = mallopt(M_MMAP_THRESHOLD, GIB) or mallopt(M_MMAP_MAX, 0)
    return bool(unmapped and mallopt(M_TRIM_THRESHOLD, GIB))
