"""How often a growing file is saved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE = 100  # times what the last saving took: all savings together stay below a hundredth of the time


class Pace:
    """Says when to save again. at_least: seconds between two savings. files: how many are saved side by side."""

    def __init__(self, at_least: float = 1.0, files: int = 1) -> None:
        self.at_least, self.files = at_least, files
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() >= self._next

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around each saving, which it times."""
        start = time.monotonic()
        yield
        end = time.monotonic()
        self._next = end + max(self.at_least, PAUSE * self.files * (end - start))
