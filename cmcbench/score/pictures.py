"""Pictures for scoring, read ahead of the metrics: a ground truth, then its reconstructions, image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ImageProblem
from ..files.images import picture_bytes, read_rgb
from ..files.store import digest
from ..runtime.beside import Ahead, threads
from .metrics.pairs import Picture

DEPTH = 24  # pictures read and not scored yet


@dataclass(frozen=True)
class Read:
    """A picture, the note of its conversion, the digest of the bytes that it was decoded from, and what was made of
    it.
    """

    picture: Picture
    note: str | None
    seen: str
    made: Any = None

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.image.size


Reading = tuple[Path, "Future[Read]"]


def reading(paths: Iterable[Path], make: Callable[[Picture], Any] = lambda picture: picture.array) -> Ahead[Path, Read]:
    """The pictures, read in threads. make: what is made of each there, beside decoding."""

    def read(path: Path) -> Read:
        data = picture_bytes(path)
        image, note = read_rgb(data, path.name)
        picture = Picture(image)
        return Read(picture, note, digest(data), make(picture))

    return Ahead(
        read, paths, DEPTH + threads(), lambda found: 6 * found.picture.image.width * found.picture.image.height
    )


def same_size(path: Path, made: Read, truth: Read) -> None:
    """Raise ImageProblem for a reconstruction of another size than its ground truth."""
    if made.size != truth.size:
        (width, height), expected = made.size, truth.size
        raise ImageProblem(f"{path.name}: is {width}x{height} and its ground truth {expected[0]}x{expected[1]}")
