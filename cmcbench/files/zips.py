"""Zip files of strangers: their directory is bounded before it is read, and what is broken in them is one error."""

from __future__ import annotations

import errno
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import RunFailed

MOST_ENTRIES = 20_000
LARGEST_DIRECTORY = 16 << 20  # bytes; zipfile reads it whole into memory
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of the general purpose flag, APPNOTE.TXT 4.4.4
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    ValueError,
    LookupError,
    struct.error,
    OverflowError,
    RuntimeError,
)
END, LOCATOR, END64 = (
    struct.Struct("<4s4H2LH"),
    struct.Struct("<4sLQL"),
    struct.Struct("<4sQ2H2L4Q"),
)  # 4.3.16, 4.3.15, 4.3.14


@contextmanager
def opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file whose directory is within bounds. Raises RunFailed, also for what turns out broken later."""
    try:
        check_directory(archive)
        with zipfile.ZipFile(archive) as file:
            yield file
    except BROKEN as error:
        raise RunFailed(f"{archive.name} cannot be unpacked: {error or type(error).__name__}") from None
    except OSError as error:
        # Offsets that contradict each other make zipfile seek before the file's beginning
        if error.errno != errno.EINVAL or error.filename:
            raise
        raise RunFailed(f"{archive.name} cannot be unpacked: its offsets contradict each other") from None


def check_directory(archive: Path) -> None:
    """Refuse a zip whose directory would fill the memory, before zipfile reads it. Raises ValueError."""
    with open(archive, "rb") as file:
        entries, size = _directory(file)
    if entries > MOST_ENTRIES or size > LARGEST_DIRECTORY:
        raise ValueError(
            f"its directory has {entries:,} entries in {size:,} bytes, at most {MOST_ENTRIES:,} are expected"
        )


def _directory(file: BinaryIO) -> tuple[int, int]:
    """(entries, bytes) of the central directory, as the end of the zip tells."""
    length = file.seek(0, os.SEEK_END)
    start = max(0, length - END.size - LOCATOR.size - 0xFFFF)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    if place < 0 or place + END.size > len(tail):
        raise ValueError("it does not end as a zip file ends; is it one?")
    _, _, _, _, entries, size, _, _ = END.unpack_from(tail, place)
    if place >= LOCATOR.size and tail[place - LOCATOR.size :][:4] == b"PK\6\7":
        # zipfile looks for this record right before its locator
        file.seek(max(0, start + place - LOCATOR.size - END64.size))
        *_, here, entries64, size64, _ = END64.unpack(file.read(END64.size))
        entries, size = max(here, entries64), size64
    return entries, size
