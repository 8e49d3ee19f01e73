"""Scored targets for the tests of the board: scores.csv and summary.json as the scorer writes them, without
networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cmcbench.files import scores as table
from cmcbench.files.rates import Cost
from cmcbench.files.store import write_json
from cmcbench.files.target import Target
from cmcbench.score.summary import summarise

MODES = ("full", "image", "pixel", "text")
PAIR = ("topiq_fr", "topiq_nr")


def images(each: int = 3) -> list[str]:
    """File names of `each` images of some sources of every content type."""
    return [
        f"{source}_{place:03}.png" for source in ("AIGI_MJ", "NSI_pgc", "NSI_ugc", "SCI_game") for place in range(each)
    ]


def write(
    folder: Path,
    score: Callable[[str, str, int], float | None],
    names: Sequence[str] = (),
    modes: Sequence[str] = MODES,
    metrics: Sequence[str] = PAIR,
    identity: str = "weights 1",
    lower: Sequence[str] = (),
    spent: Mapping[str, Any] = {},
    manifest: Mapping[str, Any] | None = None,
    truth: Sequence[str] = (),
    digest: str = "truth",
    i2t_table: bool = False,
) -> Path:
    """A scored target in `folder`, whose name it has.

    score: (mode, metric, place among the names) -> score, None for a missing one. truth: names of the whole ground
    truth.
    digest: begins the digest of every ground truth. spent: fields of Spent that every image has.
    """
    names = list(names) or images()
    rows = {}
    for mode in modes:
        for place, name in enumerate(names):
            scores = {metric: score(mode, metric, place) for metric in metrics}
            cost = Cost(name, mode, **spent) if spent else None
            row = table.ScoreRow(
                name,
                mode,
                f"{digest} {name}",
                "made",
                {key: value for key, value in scores.items() if value is not None},
                cost,
            )
            row.bpp = cost.bits / 250_000 if cost and cost.bits else None
            rows[Path(name).stem, mode] = row
    about = {metric: {"kind": "FR", "lower_is_better": metric in lower, "identity": identity} for metric in metrics}
    whole = {Path(name).stem: f"{digest} {name}" for name in truth or names}
    target = Target(folder.name, folder, {mode: {} for mode in modes}, dict(manifest or {}), {})
    write_json(folder / "summary.json", {**summarise(target, whole, rows, about), "i2t_table": i2t_table})
    table.write(folder / "scores.csv", rows)
    return folder


def noisy(seed: int, shift: float = 0.0, spread: float = 0.1) -> Callable[[str, str, int], float]:
    """Scores that go together between targets, as those of the same images do: the image's own, `shift`, and noise."""

    def score(mode: str, metric: str, place: int) -> float:
        image = np.random.default_rng(place).normal(2, 0.4)
        noise = np.random.default_rng([seed, place, MODES.index(mode), sum(metric.encode())]).normal(0, spread)
        return float(image + shift + noise)

    return score
