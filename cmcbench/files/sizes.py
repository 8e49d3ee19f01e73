"""Ref/sizes.csv: the sizes of pictures that have neither a reference nor a ground truth here, as `unpack` writes
them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ..errors import BadInput
from .store import write_bytes

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
