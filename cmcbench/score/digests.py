"""Digests of pictures' files, made when somebody asks: what is about to be scored gets its own as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..files.images import digests


class Digests(dict[str, str]):
    """stem -> digest of each file that was looked at, "" of one that cannot be read."""

    def __init__(self, images: Mapping[str, Path]) -> None:
        super().__init__()
        self.images = images

    def need(self, stems: Iterable[str]) -> Digests:
        """Read those that are not known yet, several at once, since hashing waits for the disk. Returns itself."""
        found = digests({stem: self.images[stem] for stem in stems if stem not in self})
        # Reading an unreadable one as a picture will say why it is
        self.update({stem: seen if isinstance(seen, str) else "" for stem, seen in found.items()})
        return self
