"""scores.csv: one row an image and mode, which is also the cache of what has been scored."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..protocol import MODES, content
from . import csv_tables
from .names import stem
from .rates import NOMINAL, READ, Cost
from .store import LARGEST_JSON, Foreign, read_bytes

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


Table = dict[tuple[str, str], ScoreRow]  # (stem, mode) -> ScoreRow


def read_summary(path: Path) -> dict[str, Any] | None:
    """The content of a summary.json, None where there is none.

    Raises OSError where it cannot be read, Foreign for another program's, ValueError for one that is damaged.
    """
    try:
        found = json.loads(read_bytes(path, LARGEST_JSON))
    except FileNotFoundError:
        return None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not (isinstance(found, dict) and isinstance(found.get("metrics"), dict)):
        raise Foreign("it has no object 'metrics'")
    return found


def read(path: Path) -> Table:
    """The rows of a scores.csv; {} where there is none.

    Raises OSError where it cannot be read, Foreign for another program's, ValueError for one that is damaged.
    """
    rows = csv_tables.read_own(path, ("name", "mode", "bpp", "ground_truth", "reconstruction"), _row)
    return csv_tables.by_key(((stem(row.name), row.mode), row) for row in rows)


def _row(cells: dict[str, str]) -> ScoreRow:
    scores = {metric: float(cells[metric]) for metric in cells if metric not in FIXED + LAST and cells[metric]}
    if not all(map(math.isfinite, scores.values())):
        raise ValueError("a score is not a finite number")
    bpp = csv_tables.number(cells["bpp"]) if cells["bpp"] else None  # six decimals
    return ScoreRow(
        csv_tables.file_name(cells["name"]),
        cells["mode"],
        cells["ground_truth"],
        cells["reconstruction"],
        scores,
        _spent(cells),
        bpp,
    )


def _spent(cells: dict[str, str]) -> Cost | None:
    if not cells.get("kind"):
        return None  # not known, or a table from before there were kinds, whose scores still hold
    known = {column: READ[column](cells[column]) for column in SPENT if column in READ and cells.get(column)}
    return Cost(cells["name"], cells["mode"], kind=cells["kind"], **known)


def write(path: Path, table: Table) -> None:
    """Write the rows sorted by name and mode, atomically. Scores keep every digit, so that a reread one is equal."""
    rows = sorted(
        table.values(), key=lambda row: (row.name, list(MODES).index(row.mode) if row.mode in MODES else 9, row.mode)
    )
    metrics = sorted({metric for row in rows for metric in row.scores})
    csv_tables.write(path, (*FIXED, *metrics, *LAST), (_cells(row, metrics) for row in rows))


def _cells(row: ScoreRow, metrics: list[str]) -> list[object]:
    scores = [repr(row.scores[metric]) if metric in row.scores else "" for metric in metrics]
    spent = [getattr(row.spent, column, None) for column in SPENT]
    bpp = "" if row.bpp is None else f"{row.bpp:.6f}"
    return [row.name, *content(row.name), row.mode, *scores, *spent, bpp, row.ground_truth, row.reconstruction]
