"""What the user asked of the score step, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files.scores import Table
from ..files.target import Target
from ..runtime.messages import RunLog
from ..runtime.ranks import Ranks
from .metrics.base import Metric, SetMetric


@dataclass
class ScoreRequest:
    """truth: stem -> path of the whole ground truth. chosen: the stems to score. modes: target name -> modes to score.

    metrics: what to score with, measures of whole sets among them. batch_size: pairs of pictures that go through them
    together, None: as many as the device's memory suggests, on a CPU those of one ground truth. captions: target
    name -> (stem, mode) -> the caption that was sent, as far as metrics need it.
    """

    targets: list[Target]
    truth: dict[str, Path]
    chosen: list[str]
    modes: dict[str, list[str]]
    metrics: list[Metric | SetMetric]
    device: str
    overwrite: bool
    i2t_table: bool
    batch_size: int | None = None
    ranks: Ranks = Ranks()
    report: RunLog = field(default_factory=RunLog)
    captions: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreResult:
    """A target's table, and mode -> measure of the whole set -> {"mean", "n", ...}."""

    rows: Table
    sets: dict[str, dict[str, dict[str, Any]]]
