"""Measures of whole sets (FID): of each mode of a target against its ground truths, cached by the digests of all
pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ImageProblem, RunFailed
from ..files.images import read_rgb
from ..runtime.messages import RunLog, progress
from .ledger import ScoreLedger
from .metrics.base import SetMetric


@dataclass(frozen=True)
class Missing:
    """A measure that a mode of a target lacks."""

    metric: SetMetric
    ledger: ScoreLedger
    mode: str

    @property
    def where(self) -> str:
        return f"{self.ledger.target.folder.name}/{self.mode}"

    @property
    def pairs(self) -> list[str]:
        """The stems of the mode's pictures that have a ground truth."""
        rows = self.ledger.rows
        return sorted(stem for stem, mode in rows if mode == self.mode)


def missing(
    ledgers: list[ScoreLedger], measures: list[SetMetric], modes: dict[str, list[str]], everything: bool
) -> list[Missing]:
    """What is still to be measured of the modes asked for (target -> modes), or all of it."""
    return [
        Missing(metric, ledger, mode)
        for metric in measures
        for ledger in ledgers
        for mode in modes[ledger.target.name]
        if everything or metric.name not in ledger.sets.get(mode, {})
    ]


def refused(work: Missing, chosen: set[str]) -> str:
    """Why a measure makes no sense here, "" where it does. chosen: the stems that the run was asked to score."""
    pairs = work.pairs
    if not chosen >= set(pairs):
        reason = "so it is not made with --images, --subset or a part of the ground truth"
        return f"{work.metric.name} is a measure of the whole set, {reason}"
    if len(pairs) < work.metric.smallest:
        least = f"{work.metric.name} needs {work.metric.smallest} images or more to tell anything"
        return f"{least}, and {work.where} has {len(pairs)}"
    return ""


def measure(works: list[Missing], truth: dict[str, Path], report: RunLog) -> None:
    """Enter the measures. A picture that cannot be used is reported and left
    out.
    """
    features = _Features(report)
    for work in works:
        with progress(2 * len(work.pairs), 0, f"{work.metric.name} of {work.where}") as bar:
            found = []
            for stem in work.pairs:
                found.append(features.pair(work, stem, truth[stem]))
                bar.update(2)
        pairs = [pair for pair in found if pair is not None]
        if len(pairs) < work.metric.smallest:
            report.fail(
                f"{work.metric.name}/{work.where}",
                f"{work.metric.name} of {work.where}: only {len(pairs)} images can be used",
            )
            continue
        value = features.value(work.metric, pairs)
        work.ledger.enter_set(work.mode, work.metric, value, len(pairs))
        if work.metric.caution(len(pairs)):
            report.once(work.metric.name, f"note: {work.metric.caution(len(pairs))}")


class _Features:
    """Features of pictures. Those of the ground truth are kept, since every mode and target has the same."""

    def __init__(self, report: RunLog) -> None:
        self.report = report
        self.truth: dict[tuple[str, str], tuple[tuple[int, int], Any]] = {}  # (metric, stem) -> size, features

    def pair(self, work: Missing, stem: str, truth: Path) -> tuple[Any, Any] | None:
        """Features of a ground truth and of its reconstruction, None where either cannot be used."""
        path = work.ledger.target.modes[work.mode][stem]
        try:
            size, expected = self._of_truth(work.metric, stem, truth)
        except ImageProblem as error:
            self._fail(stem, f"ground truth {error}")
            return None
        try:
            picture, _ = read_rgb(path)
            if picture.size != size:
                raise ImageProblem(
                    f"{path.name}: is {picture.width}x{picture.height} and its ground truth {size[0]}x{size[1]}"
                )
            return expected, work.metric.embed(picture)
        except ImageProblem as error:
            self._fail(f"{work.where}/{stem}", f"{work.where}/{error}")
            return None

    def _of_truth(self, metric: SetMetric, stem: str, path: Path) -> tuple[tuple[int, int], Any]:
        key = metric.name, stem
        if key not in self.truth:
            picture, _ = read_rgb(path)
            self.truth[key] = picture.size, metric.embed(picture)
        return self.truth[key]

    def _fail(self, name: str, reason: str) -> None:
        if name not in self.report.failures:  # scoring it by itself has said so
            self.report.fail(name, reason)

    def value(self, metric: SetMetric, pairs: list[tuple[Any, Any]]) -> float:
        import numpy as np

        value = metric.measure(*(np.stack(side) for side in zip(*pairs)))
        if not np.isfinite(value):
            raise RunFailed(f"{metric.name} gives {value}, which is no measure")
        return float(value)
