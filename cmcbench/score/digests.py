"""Digests of pictures' files, made when somebody asks: what is about to be scored gets its own as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import ImageProblem
from ..files.images import picture_bytes
from ..files.store import digest
from ..runtime.beside import threads


class Digests(dict[str, str]):
    """stem -> digest of each file that was looked at, "" of one that cannot be read."""

    def __init__(self, images: Mapping[str, Path]) -> None:
        super().__init__()
        self.images = images

    def need(self, stems: Iterable[str]) -> Digests:
        """Read those that are not known yet, several at once, since hashing waits for the disk. Returns itself."""
        unknown = [stem for stem in stems if stem not in self]
        if unknown:
            with ThreadPoolExecutor(threads()) as pool:
                self.update(zip(unknown, pool.map(_one, (self.images[stem] for stem in unknown))))
        return self


def _one(path: Path) -> str:
    try:
        return digest(picture_bytes(path))
    except ImageProblem:
        return ""  # reading it as a picture will say why
