"""Bootstrap over images: intervals of means, paired differences, Holm's correction, intervals of ranks. numpy only.

Images are what is sampled: a resample draws n of the n images with replacement, and all modes, metrics and targets of
an image go with it. (Seeds are sampled by board/compare/seeded.py.)
All results depend on (values, resamples, seed) alone: the draws are made of PCG64's raw output,
which numpy keeps fixed, and sums are exact (see `_on_grid`), so that neither the machine nor the number of threads
shows.
Callers put the images in the order of their names, so that the order of rows in a file does not show either.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap, 1993 (percentile intervals: chapter 13; tests: chapter
16);
Hall and Wilson, Two guidelines for bootstrap hypothesis testing, Biometrics 47, 1991; Davison and Hinkley, Bootstrap
Methods and Their Application, 1997 (p-values: section 4.2); Holm, A simple sequentially rejective multiple test
procedure,
Scandinavian Journal of Statistics 6, 1979; Goldstein and Spiegelhalter, League tables and their limitations, Journal of
the
Royal Statistical Society A 159, 1996 (ranks). docs/statistics.md tells how to read the results.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES, SEED, LEVEL = 10_000, 42, 0.95
BLOCK = 1 << 20  # draws at once: 8 MiB an array, whatever the number of images
TOGETHER = 256  # comparisons at once, whose resampled moments take 40 MiB

Interval = tuple[np.ndarray, np.ndarray]  # low, high
Shifts = dict[int, np.ndarray]  # place of a column -> what is added to its mean in every resample, (resamples,)


def resample_counts(n: int, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """How often each of n images is drawn in each resample: (resamples, n), each row sums to n.

    Unsigned 16 bits, 32 for n above 65,535. `resampled_means` never holds the whole of it; use that where it is enough.
    Raises ValueError for n or resamples below 1.
    """
    kind = np.uint16 if n < 1 << 16 else np.uint32
    return np.concatenate([block.astype(kind) for block in _blocks(n, resamples, seed)])


def _blocks(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """The rows of `resample_counts`, a block at a time. A row is the same whatever the size of the blocks."""
    if n < 1 or resamples < 1:
        raise ValueError(f"cannot draw {resamples} resamples of {n} images")
    source = np.random.PCG64(seed)
    half = (n + 1) // 2  # a raw number of 64 bits makes two draws
    rows = max(1, BLOCK // n)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        raw = source.random_raw(count * half).astype("<u8", copy=False).view("<u4").reshape(count, 2 * half)
        # A product of 32 bits and n, its upper part: uniform over the n images but for n / 2**32
        draws = (raw[:, :n] * np.uint64(n)) >> np.uint64(32)
        draws += np.arange(0, count * n, n, dtype=np.uint64)[:, None]
        yield np.bincount(draws.view(np.int64).ravel(), minlength=count * n).reshape(count, n)


def resampled_means(values: Any, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """The mean of every column in every resample of the rows: (resamples, k) from values (n, k).

    A row is an image; NaN is a missing value, and a mean is that of the values drawn which are there (NaN where none
    is).
    """
    values = _matrix(values)
    n, k = values.shape
    present = np.isfinite(values)
    # Sums of what is left beside one of the values: a column of equal values has exactly equal means
    base = np.array([column[there][0] if there.any() else 0.0 for column, there in zip(values.T, present.T)])
    rest = _on_grid(np.where(present, values - base, 0.0), n)
    whole = bool(present.all())
    means = np.empty((resamples, k))
    start = 0
    for block in _blocks(n, resamples, seed):
        counts = block.astype(float)
        drawn = n if whole else counts @ present
        with np.errstate(invalid="ignore"):
            means[start : start + len(counts)] = (counts @ rest) / drawn + base
        start += len(counts)
    return means


def _matrix(values: Any) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"expected values of shape (images, columns), got {values.shape}")
    return values


def _on_grid(values: np.ndarray, n: int) -> np.ndarray:
    """The values, rounded to a binary grid on which a sum of n of them is exact in float64: no order of summing shows.

    The error is below 2**-40 of the largest value for up to 4,000 images.
    """
    largest = np.abs(values).max(initial=0.0)
    shift = 52 - int(np.ceil(np.log2(max(n, 2)))) - int(np.frexp(largest)[1])
    return np.ldexp(np.rint(np.ldexp(values, shift)), -shift)


def percentiles(samples: Any, level: float = LEVEL) -> Interval:
    """The middle `level` of each column of resampled figures (resamples, k): low and high, (k,) each.

    Resamples in which a figure is NaN are left out of its column; a column of NaN alone has NaN for both.
    """
    samples = np.asarray(samples, dtype=float)
    ends = ((1 - level) / 2, (1 + level) / 2)
    missing = np.isnan(samples)
    if not missing.any():
        low, high = np.quantile(samples, ends, axis=0)
        return low, high
    found = np.full((2, samples.shape[1]), np.nan)
    for column in np.flatnonzero(~missing.all(axis=0)):
        found[:, column] = np.quantile(samples[~missing[:, column], column], ends)
    return found[0], found[1]


def intervals(values: Any, resamples: int = RESAMPLES, seed: int = SEED, level: float = LEVEL) -> Interval:
    """Percentile bootstrap intervals of the means of columns: low and high, (k,) each, from values (n, k), NaN for
    missing.

    Of each column only the images that have a value are drawn, so that its interval is the same whatever stands beside
    it. NaN where a column has fewer than two values: one image tells nothing of the spread.
    """
    values = _matrix(values)
    low, high = np.full((2, values.shape[1]), np.nan)
    for rows, columns in _patterns(values):
        if rows.sum() > 1:
            means = resampled_means(values[rows][:, columns], resamples, seed)
            low[columns], high[columns] = percentiles(means, level)
    return low, high


def _patterns(values: np.ndarray) -> Iterator[tuple[np.ndarray, list[int]]]:
    """(which rows have a value, the columns of which this is so): columns of the same images share their resamples."""
    patterns: dict[bytes, list[int]] = {}
    for column, there in enumerate(np.isfinite(values).T):
        patterns.setdefault(there.tobytes(), []).append(column)
    for columns in patterns.values():
        yield np.isfinite(values[:, columns[0]]), columns


def grouped_intervals(values: Any, groups: Sequence[Hashable], **options: Any) -> dict[Any, Interval]:
    """`intervals` of the rows of each group: label -> low and high. groups: a label for each row; options: of
    `intervals`.
    """
    values = _matrix(values)
    places: dict[Hashable, list[int]] = {}
    for place, label in enumerate(groups):
        places.setdefault(label, []).append(place)
    return {label: intervals(values[rows], **options) for label, rows in places.items()}


@dataclass(frozen=True)
class Difference:
    """A paired comparison. n: images. mean: of the differences. low, high: its interval. p: two-sided; NaN where n <
    2.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float


def paired_difference(first: Any, second: Any, **options: Any) -> Difference:
    """`paired_differences` of one pair of targets: scores (n,) of the same images in the same order. options: of
    that.
    """
    return paired_differences(
        np.asarray(first, dtype=float)[:, None] - np.asarray(second, dtype=float)[:, None], **options
    )[0]


def paired_differences(
    differences: Any,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    level: float = LEVEL,
    shifts: Callable[[np.ndarray, Sequence[int]], Shifts] | None = None,
) -> list[Difference]:
    """Whether two targets differ on the same images: the symmetric studentised bootstrap of the mean difference.

    differences: (n, k), a row an image, a column a comparison, NaN where either target lacks the image, which is left
    out. shifts: what else than the images moves the mean of some columns; asked for which rows (bool) and which
    columns, it gives what m* - m below has added, None: nothing does.

    With m the mean of a column's n differences, s its standard error (sd / sqrt(n), sd with 1/n) and m*, s* the same of
    a resample, T* = |m* - m| / s* is what |m| / s would be were the true difference 0 (Hall and Wilson: resample under
    the null, use a pivot). p = (1 + #{T* >= |m| / s}) / (1 + resamples) (Davison and Hinkley, 4.2), and the interval is
    m -+ q s with q the level's quantile of T*: it leaves 0 out where p is at most 1 - level, up to the resolution
    1/resamples.
    """
    differences = _matrix(differences)
    found: dict[int, Difference] = {}
    for rows, columns in _patterns(differences):
        for start in range(0, len(columns), TOGETHER):
            part = columns[start : start + TOGETHER]
            moved = shifts(rows, part) if shifts and rows.sum() > 1 else {}
            found |= zip(part, _differences(differences[rows][:, part], moved, resamples, seed, level))
    return [found[column] for column in range(differences.shape[1])]


def _differences(d: np.ndarray, shifts: Shifts, resamples: int, seed: int, level: float) -> Iterator[Difference]:
    """Of columns (n, k) that lack nothing."""
    n = len(d)
    if n < 2:
        yield from (Difference(n, float(column.sum()) if n else np.nan, np.nan, np.nan, np.nan) for column in d.T)
        return
    # Equal but for the last bits of subtracting, which are no spread
    equal = np.ptp(d, axis=0) <= 1e-12 * np.abs(d).max(axis=0)
    mean = np.where(equal, d[0], d.mean(axis=0))
    centred = np.where(equal, 0.0, d - mean)
    error = np.sqrt((centred**2).mean(axis=0) / n)
    moments = resampled_means(np.concatenate([centred, centred**2], axis=1), resamples, seed)
    for place in range(d.shape[1]):
        shift, square = moments[:, place], moments[:, d.shape[1] + place]
        moved = shift + shifts[place] if place in shifts else shift
        if error[place] == 0 and place not in shifts:  # no spread: the mean is known exactly
            p = 1.0 if mean[place] == 0 else 1 / (1 + resamples)
            yield Difference(n, float(mean[place]), float(mean[place]), float(mean[place]), p)
            continue
        # Where all images differ alike and only the shifts are left, there is no error of images to divide by
        unit = float(error[place]) or 1.0
        spread = np.sqrt(np.maximum(square - shift**2, 0) / n) if error[place] else np.ones(resamples)
        # A resample of one image over and over has no spread: the test takes it as the most extreme
        ratios = np.full(resamples, np.inf)
        np.divide(np.abs(moved), spread, out=ratios, where=spread > 1e-9 * unit)
        p = (1 + int(np.count_nonzero(ratios >= abs(mean[place]) / unit))) / (1 + resamples)
        width = float(np.quantile(ratios, level, method="higher")) * unit
        yield Difference(n, float(mean[place]), float(mean[place]) - width, float(mean[place]) + width, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: those at most alpha are significant with a chance of any false one of at most alpha.

    The i-th smallest of m p-values times m - i + 1, never below an earlier one, at most 1. NaN stays and is not
    counted.
    """
    adjusted = [float(p) for p in p_values]
    order = sorted((place for place, p in enumerate(adjusted) if p == p), key=lambda place: adjusted[place])
    highest = 0.0
    for done, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - done) * adjusted[place]))
        adjusted[place] = highest
    return adjusted


def rank_intervals(
    values: Any, lower_is_better: bool = False, resamples: int = RESAMPLES, seed: int = SEED, level: float = LEVEL
) -> list[tuple[int, int]] | None:
    """The middle `level` of the places that each of k peers takes over resamples of the images: (best, worst) of each.

    values: (n, k) without missing ones, a row an image. A place is 1 for the best; equal means share one. None where
    there
    are fewer than two images, which tell nothing.
    """
    values = _matrix(values)
    if not np.isfinite(values).all():
        raise ValueError("ranks need every image's value of every peer")
    if len(values) < 2:
        return None
    means = resampled_means(values, resamples, seed)
    return places_of_means(-means if lower_is_better else means, level)


def places_of_means(means: np.ndarray, level: float = LEVEL) -> list[tuple[int, int]]:
    """The middle `level` of the places of k peers: (best, worst) of each, from resampled means (resamples, k), higher
    is better.
    """
    order = np.argsort(-means, axis=1)
    ordered = np.take_along_axis(means, order, axis=1)
    # Of equal means all take the place of the first
    first = np.concatenate([np.ones((len(means), 1), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    place = np.maximum.accumulate(np.where(first, np.arange(1, means.shape[1] + 1), 0), axis=1)
    places = np.empty_like(place)
    np.put_along_axis(places, order, place, axis=1)
    ends = ((1 - level) / 2, (1 + level) / 2)
    best = np.quantile(places, ends[0], axis=0, method="lower")
    worst = np.quantile(places, ends[1], axis=0, method="higher")
    return [(int(low), int(high)) for low, high in zip(best, worst)]
