"""How long a model takes a picture, and how much memory."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path


class Clock:
    """Times what a model does, a batch at a time, and tells the memory that it takes.

    The first batch of a process warms caches up, compiles, and chooses kernels: where others follow it, its pictures
    get no time.
    """

    def __init__(self, batches: int, device: str, here: bool) -> None:
        """batches: how many this process will make. here: whether the model computes in this process at all."""
        self._warm, self._device, self._here = batches < 2, device, here
        self._start = 0.0

    def start(self) -> None:
        self._start = time.perf_counter()
        if self._cuda:
            self._cuda.reset_peak_memory_stats(self._device)

    def stop(self, images: int) -> float | None:
        """Seconds an image since `start`, None of a batch that warmed up."""
        seconds = (time.perf_counter() - self._start) / max(1, images)
        warm, self._warm = self._warm, True
        return seconds if warm else None

    def memory(self) -> int | None:
        """Peak memory in bytes: on CUDA what torch took on the device since `start`, else this process's so far.

        None for a model that computes in another process, and where the system does not tell.
        """
        if not self._here:
            return None
        if self._cuda:
            return self._cuda.max_memory_allocated(self._device)
        return own_peak()

    @property
    def _cuda(self):
        torch = sys.modules.get("torch")
        return torch.cuda if torch is not None and self._here and self._device.startswith("cuda") else None


def own_peak() -> int | None:
    """Peak resident memory of this process in bytes, None where the system does not tell."""
    try:
        # Not getrusage's, to which Linux adds what the process that started this one took
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)[1])
    except (OSError, TypeError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
