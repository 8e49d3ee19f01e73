"""The 18 published rows (arXiv 2406.09356 and the benchmark's README), from published.csv, which alone holds them."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..protocol import MODES

FILE = Path(__file__).with_name("tables.csv")
T2I, I2T = "t2i", "i2t"  # the benchmark's two tables
# What the other side was: all decoders were compared with one encoder's captions, all encoders with one decoder
PARTNERS = {T2I: "GPT-4o", I2T: "RealVis"}
RATES = {"text": 0.002, "pixel": 0.004, "image": 0.020, "full": 0.022}  # bits per pixel, about, as the paper says
IMAGES = {  # of each source in the published ground truth, 1,000 together
    "NSI_pgc": 200,
    "NSI_ugc": 200,
    "SCI_game": 100,
    "SCI_movie": 100,
    "SCI_screen": 100,
    "AIGI_DALLE3": 50,
    "AIGI_MJ": 50,
    "AIGI_PG": 50,
    "AIGI_Pixart": 50,
    "AIGI_SDXL": 50,
    "AIGI_SSD": 50,
}


@dataclass(frozen=True)
class PublishedRow:
    """table: T2I or I2T, by whose formula Overall is made. fr, nr: mode -> mean TOPIQ score over the 1,000 images."""

    table: str
    model: str
    fr: Mapping[str, float]
    nr: Mapping[str, float]
    overall: float


@functools.cache
def rows(table: str) -> tuple[PublishedRow, ...]:
    """The rows of a table, in the published order: the best first."""
    with open(FILE, encoding="utf-8", newline="") as file:
        return tuple(_row(cells) for cells in csv.DictReader(file) if cells["table"] == table)


def _row(cells: Mapping[str, str]) -> PublishedRow:
    fr, nr = (
        {mode: float(cells[f"{mode}_{kind}"]) for mode in MODES if cells[f"{mode}_{kind}"]} for kind in ("fr", "nr")
    )
    return PublishedRow(cells["table"], cells["model"], fr, nr, float(cells["overall"]))
