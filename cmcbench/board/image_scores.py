"""A target's scores by image, from its scores.csv: what intervals, places and comparisons are made of."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import BadInput
from ..files.names import plain_name
from ..protocol import OVERALL_METRICS, content, overall_i2t, overall_t2i
from ..published.tables import I2T

LARGEST_FILE = 64 << 20  # bytes; the benchmark's 4,000 rows have 1 MiB
LARGEST_SCORE = 1e12  # nothing that is a score comes near, and squares of it can still be summed


@dataclass
class ImageScores:
    """names: of the images, sorted. truths: name -> digest of its ground truth. scores: (mode, metric) -> (n,), NaN:
    missing.
    """

    names: list[str]
    truths: dict[str, str]
    scores: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    _kinds: dict[str, np.ndarray] = field(default_factory=dict)

    def of(self, metric: str, modes: Iterable[str]) -> dict[str, np.ndarray]:
        """mode -> the metric's scores, of the modes that have any."""
        return {mode: self.scores[mode, metric] for mode in modes if (mode, metric) in self.scores}

    def over_modes(self, metric: str, modes: Iterable[str]) -> np.ndarray | None:
        """The mean of the metric over the modes that have it, of each image; NaN where one of them lacks the image."""
        found = self.of(metric, modes)
        return sum(found.values()) / len(found) if found else None

    def overall(self, formula: str, modes: Iterable[str]) -> np.ndarray | None:
        """Overall of each image by the formula of a table, "t2i" or "i2t"; over all images its mean is the table's
        figure.
        """
        modes = list(modes)
        make: Callable = overall_i2t if formula == I2T else overall_t2i
        return make(*(self.of(metric, modes) for metric in OVERALL_METRICS))

    def of_kind(self, kind: str) -> np.ndarray:
        """Which images are of a content type ("NSI") or source ("NSI_pgc"): (n,), bool; all for ""."""
        if kind not in self._kinds:
            labels = [content(name) for name in self.names]
            self._kinds[kind] = np.array([kind in ("", label[0], "_".join(label)) for label in labels], dtype=bool)
        return self._kinds[kind]

    def at(self, names: Iterable[str], values: np.ndarray) -> np.ndarray:
        """The values of these images, in the order asked for."""
        places = {name: place for place, name in enumerate(self.names)}
        return values[[places[name] for name in names]]


def read(path: Path, metrics: Iterable[str]) -> ImageScores:
    """The scores of these metrics in a scores.csv. Raises BadInput where it is missing, broken, or holds what is no
    score.
    """
    metrics = list(metrics)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"it has {path.stat().st_size >> 20} MiB, and {LARGEST_FILE >> 20} are read")
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True))
        return _images(rows, metrics)
    except FileNotFoundError:
        raise BadInput(
            f"there is no {path}. Make it with: python script-evaluate.py --target {path.parent.name}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise BadInput(
            f"{path} is no score table of this program ({error}). Move it away, then score the target anew."
        ) from None


def _images(rows: list[dict[str, str]], metrics: list[str]) -> ImageScores:
    found = ImageScores(sorted({row["name"] or "" for row in rows}), {})
    places = {name: place for place, name in enumerate(found.names)}
    for name in found.names:
        if not plain_name(name):
            raise ValueError(f"{ascii(name)} is no file name")
    seen = set()
    for row in rows:
        name, mode = row["name"], row["mode"]
        if (name, mode) in seen:
            raise ValueError(f"{ascii(name)} stands twice in mode {ascii(mode)}")
        seen.add((name, mode))
        if found.truths.setdefault(name, row["ground_truth"]) != row["ground_truth"]:
            raise ValueError(f"{ascii(name)} has two ground truths")
        for metric in metrics:
            if row.get(metric):
                if (mode, metric) not in found.scores:
                    found.scores[mode, metric] = np.full(len(places), np.nan)
                found.scores[mode, metric][places[name]] = _score(row[metric])
    return found


def _score(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value) or abs(value) > LARGEST_SCORE:
        raise ValueError(f"{ascii(cell)} is no score")
    return value
