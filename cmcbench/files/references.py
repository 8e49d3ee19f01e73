"""What a reconstruction costs: bits of caption, pixel grid and reference picture, and bits per pixel."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import BadInput
from .csv_tables import seconds, whole
from .store import write_bytes


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
        return self.reference, Path(self.name).stem

    @property
    def settings(self) -> tuple[str, str]:
        return self.codec, self.budget


READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("bits", "width", "height", "scale"), whole),
    "seconds": seconds,
}


def read_rates(path: Path) -> dict[tuple[str, str], ReferenceRate]:
    """Ref/rate.csv as (reference, stem) -> Rate; {} where there is none. Raises BadInput for a broken one."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        rates = [
            ReferenceRate(**{**row, **{key: READ[key](text) for key, text in row.items() if key in READ}})
            for row in rows
        ]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise BadInput(
            f"{path} is not a rate file of this program ({error}). Move it away, or use --overwrite."
        ) from None
    return {rate.key: rate for rate in rates}


def write_rates(path: Path, rates: dict[tuple[str, str], ReferenceRate]) -> None:
    """Write Ref/rate.csv, sorted by reference and name, atomically."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, [column.name for column in fields(ReferenceRate)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(rates[key]) for key in sorted(rates))
    write_bytes(path, buffer.getvalue().encode())


FILE = "sizes.csv"
LARGEST_SIDE = 1 << 16  # pixels


def check_size(width: int, height: int) -> tuple[int, int]:
    """(width, height), if a picture may have it: no more pixels than Pillow opens. Raises ValueError."""
    from PIL import Image

    if not (
        1 <= width <= LARGEST_SIDE
        and 1 <= height <= LARGEST_SIDE
        and width * height <= (Image.MAX_IMAGE_PIXELS or 1 << 32)
    ):
        raise ValueError("its size is none that a picture may have")
    return width, height


def read_sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """stem -> (width, height); {} where there is no sizes.csv. Raises BadInput for a broken one."""
    path = folder / FILE
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True)
        return {Path(row["name"]).stem: check_size(int(row["width"]), int(row["height"])) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise BadInput(
            f"{path} is no table of sizes with the columns name, width, height ({error}). Move it away."
        ) from None


def write_sizes(folder: Path, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Write sizes.csv, atomically."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("name", "width", "height"))
    writer.writerows((f"{stem}.png", *sizes[stem]) for stem in sorted(sizes))
    write_bytes(folder / FILE, buffer.getvalue().encode())
