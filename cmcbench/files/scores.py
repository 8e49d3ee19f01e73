"""scores.csv: one row an image and mode, which is also the cache of what has been scored."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

from ..protocol import MODES, content
from .rates import NOMINAL, READ, Cost
from .store import write_bytes

FIXED = ("name", "type", "source", "mode")
SPENT = (  # of rates.csv, as they are
    "caption_bits",
    "deflate_bits",
    "pixel_bits",
    "image_bits",
    "packed_bits",
    "encode_seconds",
    "decode_seconds",
    "peak_memory",
    "kind",
    "bits",
)
LAST = (*SPENT, "bpp", "ground_truth", "reconstruction")


@dataclass
class ScoreRow:
    """The scores of one reconstruction.

    name: the ground truth's file name. ground_truth, reconstruction: digests of the two files that were scored.
    scores: metric -> score. spent: what it cost, from rates.csv; bpp: bits per pixel; None where not known.
    """

    name: str
    mode: str
    ground_truth: str
    reconstruction: str
    scores: dict[str, float] = field(default_factory=dict)
    spent: Cost | None = None
    bpp: float | None = None

    @property
    def nominal(self) -> bool:
        return self.spent is not None and self.spent.kind == NOMINAL


Table = dict[tuple[str, str], ScoreRow]  # (stem, mode) -> Row


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
            bpp = float(each["bpp"]) if each["bpp"] else None  # six decimals
            row = ScoreRow(
                each["name"], each["mode"], each["ground_truth"], each["reconstruction"], scores, _spent(each), bpp
            )
            table[Path(row.name).stem, row.mode] = row
    except (KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"is not a score table ({error})") from None
    return table


def _spent(cells: dict[str, str]) -> Cost | None:
    if not cells.get("kind"):
        return None  # not known, or a table from before there were kinds, whose scores still hold
    known = {column: READ[column](cells[column]) for column in SPENT if column in READ and cells[column]}
    return Cost(cells["name"], cells["mode"], kind=cells["kind"], **known)


def write(path: Path, table: Table) -> None:
    """Write the rows sorted by name and mode, atomically. Scores keep every digit, so that a reread one is equal."""
    rows = sorted(
        table.values(), key=lambda row: (row.name, list(MODES).index(row.mode) if row.mode in MODES else 9, row.mode)
    )
    metrics = sorted({metric for row in rows for metric in row.scores})
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*FIXED, *metrics, *LAST])
    for row in rows:
        scores = [repr(row.scores[metric]) if metric in row.scores else "" for metric in metrics]
        spent = [getattr(row.spent, column, None) for column in SPENT]
        spent = ["" if value is None else value for value in spent]
        bpp = "" if row.bpp is None else f"{row.bpp:.6f}"
        writer.writerow(
            [row.name, *content(row.name), row.mode, *scores, *spent, bpp, row.ground_truth, row.reconstruction]
        )
    write_bytes(path, buffer.getvalue().encode())
