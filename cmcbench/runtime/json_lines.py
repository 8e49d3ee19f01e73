"""Files of JSON lines that grow while a run works: what has been added outlives the process, however it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO


class JsonLines:
    """A file that one process appends to. It begins with the first line; a link in its place is replaced."""

    def __init__(self, path: Path, fresh: bool = False, lasting: bool = False) -> None:
        """fresh: whether what another run has left in the file goes. lasting: whether each line must outlive the
        machine, not only the process.
        """
        self.path, self._fresh, self._lasting = path, fresh, lasting
        self._file: BinaryIO | None = None
        self.begun = False  # whether this process has added a line

    def add(self, *values: Any) -> None:
        """Append values, a line each. Raises OSError (a full disk)."""
        # One write for what belongs together; half a line can then only be the last one
        data = "".join(json.dumps(value) + "\n" for value in values).encode()
        if self._file is None:
            empty = self._fresh and not self.begun
            self._file = self._open(empty)
            data = data if empty else b"\n" + data  # a killed run may have left half a line
            self.begun = True
        while data:  # a disk that gets full takes a part, and tells so when it is asked to take the rest
            data = data[self._file.write(data) :]
        if self._lasting:
            os.fsync(self._file.fileno())

    def _open(self, empty: bool) -> BinaryIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_symlink():
            self.path.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if empty else 0)
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return open(os.open(self.path, flags, 0o666), "ab", buffering=0)

    def close(self) -> None:
        """End the file, which stays; a further line goes on in it."""
        if self._file is not None:
            self._file.close()
            self._file = None
