"""Ref/: rate.csv (what each reference costs), sizes.csv (sizes of images), and where the coded pictures lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import BadInput
from . import csv_tables
from .csv_tables import file_name, seconds, whole
from .names import stem

RATES = "rate.csv"
SIZES = "sizes.csv"
STREAMS = "stream"  # the folder of the coded pictures, in Ref/ and in a codec's Result/NAME
LARGEST_SIDE = 1 << 16  # pixels


def stream_file(folder: Path, image: str, extension: str) -> Path:
    """Where the coded picture of an image (by stem) lies below `folder`: Ref/, or Result/NAME of a codec."""
    return folder / STREAMS / f"{image}.{extension}"


def references_at(folder: Path, rate: float) -> Path:
    """Where the references of a sweep over bits per pixel lie, beside `folder`: Ref@0.01. Raises BadInput for one
    without a name.
    """
    if folder.name in ("", ".."):
        raise BadInput(
            f"--ref_dir {folder}: has no name that the folders of a sweep could lie beside as NAME@{rate:g}."
        )
    return folder.with_name(f"{folder.name}@{rate:g}")


@dataclass(frozen=True)
class ReferenceRate:
    """A row of Ref/rate.csv: what one reference costs and what made it.

    bits: payload bits that a decoder needs. budget: the bpp asked for ("" for pixel, whose rate is fixed).
    level: the codec's level; scale: what the sides were divided by before coding. ground_truth, sha256: first 16
    hexadecimal digits of the SHA-256 of the ground truth's file and of the reference's file. seconds: wall clock that
    making it took, None where not known.
    """

    name: str
    reference: str
    bits: int
    bpp: str
    width: int
    height: int
    codec: str
    budget: str
    level: str
    scale: int
    ground_truth: str
    sha256: str
    seconds: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.reference, stem(self.name)

    @property
    def settings(self) -> tuple[str, str]:
        return self.codec, self.budget


READ: dict[str, Callable[[str], Any]] = {
    "name": file_name,
    **dict.fromkeys(("bits", "width", "height", "scale"), whole),
    "seconds": seconds,
}
COLUMNS = [column.name for column in fields(ReferenceRate)]
NEEDED = [column.name for column in fields(ReferenceRate) if column.default is MISSING]


def read_rates(path: Path) -> dict[tuple[str, str], ReferenceRate]:
    """Ref/rate.csv as (reference, stem) -> ReferenceRate; {} where there is none. Raises BadInput for a broken one."""
    try:
        rates = csv_tables.read_own(path, NEEDED, _rate, COLUMNS)
        return csv_tables.by_key((rate.key, rate) for rate in rates)
    except csv_tables.BadTable as error:
        raise BadInput(
            f"{path} is not a rate file of this program ({error}). Move it away, or use --overwrite."
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None


def _rate(cells: dict[str, str]) -> ReferenceRate:
    return ReferenceRate(**{**cells, **{name: READ[name](text) for name, text in cells.items() if name in READ}})


def write_rates(path: Path, rates: dict[tuple[str, str], ReferenceRate]) -> None:
    """Write Ref/rate.csv, sorted by reference and name, atomically."""
    csv_tables.write(path, COLUMNS, ([getattr(rates[key], name) for name in COLUMNS] for key in sorted(rates)))


def check_size(width: int, height: int) -> tuple[int, int]:
    """(width, height), if a picture may have it: no more pixels than Pillow opens. Raises ValueError."""
    from PIL import Image

    if not (
        1 <= width <= LARGEST_SIDE
        and 1 <= height <= LARGEST_SIDE
        and width * height <= (Image.MAX_IMAGE_PIXELS or 1 << 32)
    ):
        raise ValueError(f"{width}x{height} pixels are not a size that a picture may have")
    return width, height


def read_sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """stem -> (width, height); {} where there is no sizes.csv. Raises BadInput for a broken one."""
    path = folder / SIZES
    try:
        return csv_tables.by_key(csv_tables.read_own(path, ("name", "width", "height"), _size))
    except csv_tables.BadTable as error:
        raise BadInput(
            f"{path} is not a table of sizes with the columns name, width, height ({error}). Move it away."
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None


def _size(cells: dict[str, str]) -> tuple[str, tuple[int, int]]:
    return stem(file_name(cells["name"])), check_size(whole(cells["width"]), whole(cells["height"]))


def write_sizes(folder: Path, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Write sizes.csv, atomically."""
    csv_tables.write(
        folder / SIZES, ("name", "width", "height"), ((f"{stem}.png", *sizes[stem]) for stem in sorted(sizes))
    )
