"""A target's scores by image as arrays: what intervals, places and comparisons are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..protocol import OVERALL_METRICS, content, overall_i2t, overall_t2i
from ..published.tables import I2T

if TYPE_CHECKING:
    from .summaries import ScoredImage


@dataclass
class ImageScores:
    """names: of the images, sorted. truths: name -> digest of its ground truth. scores: (mode, metric) -> (n,), NaN:
    missing.
    """

    names: list[str]
    truths: dict[str, str]
    scores: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    _kinds: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[ScoredImage]) -> ImageScores:
        """The scores of a target's rows, in which no image has two ground truths or stands twice in a mode."""
        rows = list(rows)
        found = cls(sorted({row.name for row in rows}), {row.name: row.ground_truth for row in rows})
        places = {name: place for place, name in enumerate(found.names)}
        for row in rows:
            for metric, score in row.scores.items():
                if (row.mode, metric) not in found.scores:
                    found.scores[row.mode, metric] = np.full(len(places), np.nan)
                found.scores[row.mode, metric][places[row.name]] = score
        return found

    def of_metric(self, metric: str, modes: Iterable[str]) -> dict[str, np.ndarray]:
        """mode -> the metric's scores, of the modes that have any."""
        return {mode: self.scores[mode, metric] for mode in modes if (mode, metric) in self.scores}

    def over_modes(self, metric: str, modes: Iterable[str]) -> np.ndarray | None:
        """The mean of the metric over the modes that have it, of each image; NaN where one of them lacks the image."""
        found = self.of_metric(metric, modes)
        return sum(found.values()) / len(found) if found else None

    def overall(self, formula: str, modes: Iterable[str]) -> np.ndarray | None:
        """Overall of each image by the formula of a table, "t2i" or "i2t"; over all images its mean is the table's
        figure.
        """
        modes = list(modes)
        make: Callable = overall_i2t if formula == I2T else overall_t2i
        return make(*(self.of_metric(metric, modes) for metric in OVERALL_METRICS))

    def of_kind(self, kind: str) -> np.ndarray:
        """Which images are of a content type ("NSI") or source ("NSI_pgc"): (n,), bool; all for ""."""
        if kind not in self._kinds:
            labels = [content(name) for name in self.names]
            self._kinds[kind] = np.array([kind in ("", label[0], "_".join(label)) for label in labels], dtype=bool)
        return self._kinds[kind]

    def at(self, names: Iterable[str], values: np.ndarray) -> np.ndarray:
        """The values of these images, in the order asked for."""
        names = list(names)
        if names == self.names:
            return values
        places = {name: place for place, name in enumerate(self.names)}
        return values[[places[name] for name in names]]


def over_seeds(scores: Any) -> tuple[np.ndarray, np.ndarray]:
    """Each image's mean over the seeds, (n, ...), and each seed's deviations from it, (n, ..., S): of scores (n, ...,
    S). NaN where a seed lacks the image.
    """
    scores = np.asarray(scores, dtype=float)
    first, count = scores[..., 0], scores.shape[-1]
    # Beside one of them: equal seeds have exactly their own mean, and one seed has its scores
    mean = first + sum((scores[..., place] - first for place in range(1, count)), np.zeros_like(first)) / count
    return mean, scores - mean[..., None]
