"""95 % intervals of a summary's means, by the bootstrap over images (cmcbench/statistics.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..files.scores import ScoreRow
from ..protocol import OVERALL_METRICS, content_source, content_type, overall_i2t, overall_t2i
from ..statistics import grouped_intervals, intervals, percentiles, resampled_means


class Scores:
    """The scores of a target as a matrix: a row an image, in the order of names; a column a mode and metric, NaN:
    missing.
    """

    def __init__(self, rows: Iterable[ScoreRow], modes: Iterable[str], metrics: Iterable[str]) -> None:
        rows = list(rows)
        self.names = sorted({row.name for row in rows})
        self.columns = [(mode, metric) for mode in modes for metric in metrics]
        places = {name: place for place, name in enumerate(self.names)}
        columns = {column: place for place, column in enumerate(self.columns)}
        self.values = np.full((len(self.names), len(self.columns)), np.nan)
        for row in rows:
            for metric, score in row.scores.items():
                if (row.mode, metric) in columns:
                    self.values[places[row.name], columns[row.mode, metric]] = score

    @property
    def empty(self) -> bool:
        return not self.values.size

    def groups(self, label: Callable[[str], str]) -> list[str]:
        """What `label` makes of each image's name."""
        return [label(name) for name in self.names]


def add_intervals(modes: dict[str, Any], scores: Scores) -> None:
    """Put "low" and "high" beside every mean of `summary.by_mode`; None where fewer than two images have the score."""
    if scores.empty:
        return
    _enter(scores, intervals(scores.values), {mode: each["metrics"] for mode, each in modes.items()})
    for sort, label in (("types", content_type), ("sources", content_source)):
        for name, found in grouped_intervals(scores.values, scores.groups(label)).items():
            _enter(scores, found, {mode: each[sort].get(name, {}) for mode, each in modes.items()})


def _enter(scores: Scores, found: tuple[np.ndarray, np.ndarray], means: dict[str, dict[str, Any]]) -> None:
    """Put the ends of intervals beside the means. means: mode -> metric -> what the summary has of it."""
    for (mode, metric), low, high in zip(scores.columns, *found):
        if metric in means[mode]:
            means[mode][metric].update(low=_number(low), high=_number(high))


def joint_intervals(scores: Scores) -> dict[str, Any]:
    """{"over_modes_interval": {metric: [low, high]}, "overall_interval": {"t2i", "i2t"}}; None where there is none.

    Images are drawn with all of their modes, which belong together: what makes an image hard is hard in every mode.
    """
    metrics = dict.fromkeys(metric for _, metric in scores.columns)
    nothing = {"over_modes_interval": dict.fromkeys(metrics), "overall_interval": {"t2i": None, "i2t": None}}
    if scores.empty:
        return nothing
    counts = np.isfinite(scores.values).sum(axis=0)
    means = resampled_means(scores.values)
    # mode -> its means in all resamples; one image has no spread, so neither has what is made of it
    known = {
        column: np.where(n > 1, means[:, place], np.nan)
        for place, (column, n) in enumerate(zip(scores.columns, counts))
        if n
    }
    by_metric = {metric: {mode: each for (mode, name), each in known.items() if name == metric} for metric in metrics}
    over = {metric: _interval(_mean(list(each.values()))) for metric, each in by_metric.items()}
    fr, nr = (by_metric.get(metric, {}) for metric in OVERALL_METRICS)
    both = {"t2i": _interval(overall_t2i(fr, nr)), "i2t": _interval(overall_i2t(fr, nr))}
    return {"over_modes_interval": over, "overall_interval": both}


def _mean(figures: list[np.ndarray]) -> np.ndarray | None:
    return sum(figures[1:], figures[0]) / len(figures) if figures else None


def _interval(figures: np.ndarray | None) -> list[float] | None:
    """[low, high] of a figure's values in all resamples."""
    if figures is None or np.isnan(figures).all():
        return None
    low, high = percentiles(figures[:, None])
    return [float(low[0]), float(high[0])]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
