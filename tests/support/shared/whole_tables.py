"""Rows of rates.csv, rate.csv and scores.csv that are whole and have something odd in each column."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cmcbench.files import rates, references, scores
from cmcbench.files.rates import Cost
from cmcbench.files.references import ReferenceRate
from cmcbench.files.scores import ScoreRow

COSTS = {
    cost.key: cost
    for cost in (
        Cost("a, b.png", "image", 8, "nominal", 0, 0, 0, 8, 96, 0.25, 1e-06, 1 << 40, "37", 2, "0" * 16),
        Cost("日本.png", "text", 80, caption_bits=80, sha256="1" * 16),
        Cost("scene.v2.png", "full", 0, decode_seconds=2.5),
    )
}
RATES = {
    rate.key: rate
    for rate in (
        ReferenceRate("b, x.png", "image", 320, "0.02", 128, 125, "vvc", "0.02", "7", 2, "0" * 16, "f" * 16, 0.5),
        ReferenceRate("日本.jpg", "pixel", 8, "0.001953", 64, 64, "rgb332", "", "", 64, "0" * 16, "1" * 16),
    )
}
SCORES = {
    ("a", "full"): ScoreRow("a.png", "full", "aa", "bb", {"psnr": 30.5, "ms_ssim": 0.5}, None, 0.25),
    ("b", "text"): ScoreRow("b.png", "text", "aa", "cc", {"psnr": 31.0}, Cost("b.png", "text", 8, caption_bits=8), 0.1),
}
# table -> how it is read, and how one with the rows above is written
READERS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], None]]] = {
    "rates.csv": (rates.read, lambda path: rates.write(path, COSTS)),
    "rate.csv": (references.read_rates, lambda path: references.write_rates(path, RATES)),
    "sizes.csv": (
        lambda path: references.read_sizes(path.parent),
        lambda path: references.write_sizes(path.parent, {"a": (5, 6), "scene.v2": (7, 8)}),
    ),
    "scores.csv": (scores.read, lambda path: scores.write(path, SCORES)),
}
