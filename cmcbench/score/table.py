"""scores.csv: one row an image and mode, which is also the cache of what has been scored."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from ..dataset import content
from ..protocol import MODES
from ..store import write_bytes

FIXED = ("name", "type", "source", "mode")
LAST = ("bits", "bpp", "ground_truth", "reconstruction")


@dataclass
class Row:
    """The scores of one reconstruction.

    name: the ground truth's file name. ground_truth, reconstruction: digests of the two files that were scored.
    scores: metric -> score. bits: payload bits that the decoder was sent; bpp: bits per pixel; None where not known.
    """

    name: str
    mode: str
    ground_truth: str
    reconstruction: str
    scores: dict[str, float] = field(default_factory=dict)
    bits: Optional[int] = None
    bpp: Optional[float] = None


Table = dict[tuple[str, str], Row]  # (stem, mode) -> Row


def read(path: Path) -> Table:
    """The rows of a scores.csv; {} where there is none. Raises ValueError for one that is not ours."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    rows = csv.DictReader(io.StringIO(text, newline=""))
    metrics = [column for column in rows.fieldnames or [] if column not in FIXED + LAST]
    table: Table = {}
    try:
        for each in rows:
            scores = {metric: float(each[metric]) for metric in metrics if each[metric]}
            if not all(math.isfinite(score) for score in scores.values()):
                raise ValueError("holds a score that is no number")
            bits = int(each["bits"]) if each["bits"] else None
            bpp = float(each["bpp"]) if each["bpp"] else None  # six decimals
            row = Row(each["name"], each["mode"], each["ground_truth"], each["reconstruction"], scores, bits, bpp)
            table[Path(row.name).stem, row.mode] = row
    except (KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"is not a score table ({error})") from None
    return table


def write(path: Path, table: Table) -> None:
    """Write the rows sorted by name and mode, atomically. Scores keep every digit, so that a reread one is equal."""
    rows = sorted(table.values(), key=lambda row: (row.name, list(MODES).index(row.mode) if row.mode in MODES else 9, row.mode))
    metrics = sorted({metric for row in rows for metric in row.scores})
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*FIXED, *metrics, *LAST])
    for row in rows:
        scores = [repr(row.scores[metric]) if metric in row.scores else "" for metric in metrics]
        rate = ["" if row.bits is None else row.bits, "" if row.bpp is None else f"{row.bpp:.6f}"]
        writer.writerow([row.name, *content(row.name), row.mode, *scores, *rate, row.ground_truth, row.reconstruction])
    write_bytes(path, buffer.getvalue().encode())
