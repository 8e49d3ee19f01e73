"""What a reconstruction costs: bits of caption, pixel grid and reference picture, and bits per pixel."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..protocol import NOMINAL_IMAGE_BPP
from .store import write_bytes

BLOCK = 64  # pixels; one side of the block that becomes one pixel of the pixel reference
BITS_PER_BLOCK = 8


def caption_bits(text: str) -> int:
    """Bits of a caption at the benchmark's 8 bits a character, counted in UTF-8 so that the caption can be sent with
    them.
    """
    return 8 * len(text.encode("utf-8"))


def grid_size(width: int, height: int) -> tuple[int, int]:
    """(columns, rows) of 64x64 blocks that cover a picture; blocks at the right and lower edge may be partial."""
    return math.ceil(width / BLOCK), math.ceil(height / BLOCK)


def grid_bits(width: int, height: int) -> int:
    """Bits of the pixel reference: one byte a block."""
    columns, rows = grid_size(width, height)
    return BITS_PER_BLOCK * columns * rows


def nominal_bits(reference: str, width: int, height: int) -> int:
    """Bits at which the protocol takes a reference ("image" or "pixel") whose bitstream is not known, by its picture's
    size.
    """
    return grid_bits(width, height) if reference == "pixel" else round(NOMINAL_IMAGE_BPP * width * height)


def bpp(bits: int, width: int, height: int) -> float:
    """Bits per pixel of the ground truth."""
    return bits / (width * height)


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
class Rate:
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
        return self.reference, Path(self.name).stem

    @property
    def settings(self) -> tuple[str, str]:
        return self.codec, self.budget


def whole(text: str) -> int:
    """A cell of a table of rates as a whole number, 0 <= n < 2**63. Raises ValueError."""
    value = int(text)
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{text[:40]} is no count")
    return value


def seconds(text: str) -> float | None:
    """A cell of a table of rates as a time, None of an empty one. Raises ValueError."""
    value = float(text) if text else None
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text} is no time")
    return value


READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("bits", "width", "height", "scale"), whole),
    "seconds": seconds,
}


def read_rates(path: Path) -> dict[tuple[str, str], Rate]:
    """Ref/rate.csv as (reference, stem) -> Rate; {} where there is none. Raises BadInput for a broken one."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        rates = [Rate(**{**row, **{key: READ[key](text) for key, text in row.items() if key in READ}}) for row in rows]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise BadInput(
            f"{path} is not a rate file of this program ({error}). Move it away, or use --overwrite."
        ) from None
    return {rate.key: rate for rate in rates}


def write_rates(path: Path, rates: dict[tuple[str, str], Rate]) -> None:
    """Write Ref/rate.csv, sorted by reference and name, atomically."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, [column.name for column in fields(Rate)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(rates[key]) for key in sorted(rates))
    write_bytes(path, buffer.getvalue().encode())
