"""Comparisons of systems with several seeds: the pigeonhole bootstrap, which draws images and seeds independently.

Source: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007. It adds to cmcbench/statistics.py, and
its results depend on (values, resamples, seed) alone as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...statistics import (
    LEVEL,
    RESAMPLES,
    SEED,
    TOGETHER,
    Difference,
    Shifts,
    paired_differences,
    resample_counts,
    resampled_means,
)
from ..image_scores import over_seeds

SideAt = tuple[int, int, np.ndarray]  # a comparison, which of its sides, and that side's deviations


def seeded_difference(first: Any, second: Any, **options: Any) -> Difference:
    """`seeded_differences` of one pair of systems: scores (n, S) of the same images in the same order, S of either
    side. options: of that.
    """
    sides = [over_seeds(side) for side in (first, second)]
    return seeded_differences(
        (sides[0][0] - sides[1][0])[:, None], [[deviations for _, deviations in sides]], **options
    )[0]


def seeded_differences(
    differences: Any,
    deviations: Sequence[Sequence[np.ndarray]],
    resamples: int = RESAMPLES,
    seed: int = SEED,
    level: float = LEVEL,
) -> list[Difference]:
    """Whether two systems differ on the same images, over their seeds: `paired_differences` of the images'
    means over seeds, (n, k), where a resample draws seeds besides images, of each side by itself.

    deviations: for each column those of `over_seeds` of its two sides, (n, S) each. A side's shift in a resample is the
    sum over its seeds of w_s M_s: M_s the mean of seed s's deviations over the drawn images, and w_s = (count_s / S - 1
    / S) sqrt(S / (S - 1)) with count_s how often it is drawn, S of S with replacement. So the variance of the shifts is
    that between the seeds' means with S - 1, over S. Of one seed, or equal ones, there is no shift, and the result is
    that of `paired_differences`.
    """

    def shifts(rows: np.ndarray, columns: Sequence[int]) -> Shifts:
        found: Shifts = {}
        sides = (
            (place, side, each[rows])
            for place, column in enumerate(columns)
            for side, each in enumerate(deviations[column])
        )
        for part in _batches(side for side in sides if side[-1].any()):
            means = resampled_means(np.concatenate([each for *_, each in part], axis=1), resamples, seed)
            ends = np.cumsum([each.shape[1] for *_, each in part])
            for (place, side, _), drawn in zip(part, np.split(means, ends[:-1], axis=1)):
                shift = _shift(drawn, seed + 1 + side)  # sides of as many seeds are drawn independently
                found[place] = found.get(place, 0.0) + (-shift if side else shift)
        return found

    return paired_differences(differences, resamples, seed, level, shifts)


def _batches(sides: Iterator[SideAt]) -> Iterator[list[SideAt]]:
    """Some sides at a time, whose resampled means take as much memory as those of TOGETHER comparisons."""
    batch: list[SideAt] = []
    columns = 0
    for each in sides:
        if batch and columns + each[-1].shape[1] > 2 * TOGETHER:
            yield batch
            batch, columns = [], 0
        batch.append(each)
        columns += each[-1].shape[1]
    if batch:
        yield batch


def _shift(means: np.ndarray, seed: int) -> np.ndarray:
    """What other seeds add to a side's mean in each resample. means: of the seeds' deviations, (resamples, S)."""
    resamples, count = means.shape
    weights = (resample_counts(count, resamples, seed) - 1.0) / count * np.sqrt(count / (count - 1))
    return sum(weights[:, place] * means[:, place] for place in range(count))
