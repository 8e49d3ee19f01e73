"""Bjontegaard deltas between rate-distortion curves, with bootstrap intervals over images.

BD-rate: the mean difference of log10(rate) over the qualities that both curves reach, as percent of the anchor's rate.
BD-metric: the mean difference of the metric over the log10(rates) that both curves have, in the metric's own unit.
Curves are interpolated by PCHIP, since the cubic polynomial of the first proposal overshoots between the points.
Sources: Bjontegaard, Calculation of average PSNR differences between RD-curves, VCEG-M33, 2001; Herglotz et al., Beyond
Bjontegaard: limits of video compression performance comparisons, ICIP 2022 (interpolation and overlap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...statistics import RESAMPLES, SEED, percentiles, resampled_means
from .pchip import integrals
from .points import Curve, CurvePoint

LEAST_POINTS = 2  # what an interpolant needs; the first proposal has 4
MOST_FAILED = 0.05  # of the resamples: an interval of 95 % cannot leave out more


@dataclass(frozen=True)
class Delta:
    """value: None where refused says why there is none. low, high: 95 % bootstrap interval, None where doubt says why.

    failed: resamples in which the curves have no delta; they are left out of the interval.
    overlap: the part of the range of both curves together on which both are there, 0 to 1.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    refused: str = ""
    doubt: str = ""
    failed: int = 0
    overlap: float = 0.0


@dataclass(frozen=True)
class CurveDelta:
    """A curve against the anchor in one metric. points: how many the anchor and the curve have. n: images."""

    anchor: str
    curve: str
    metric: str
    lower_is_better: bool
    points: tuple[int, int]
    n: int
    rate: Delta
    quality: Delta


@dataclass(frozen=True)
class _Figures:
    """Rates and qualities of the points of a curve, (rows, points) each: one row, or one a resample.

    sign: -1 where lower is better, and values are the metric times -1, so that a higher one is always the better.
    """

    rates: np.ndarray
    values: np.ndarray
    sign: float

    def sorted(self) -> _Figures:
        order = np.argsort(self.rates, axis=1, kind="stable")
        return _Figures(*(np.take_along_axis(each, order, 1) for each in (self.rates, self.values)), self.sign)


def compare(curves: list[Curve], anchor: Curve, resamples: int = RESAMPLES, seed: int = SEED) -> list[CurveDelta]:
    """Every other curve against the anchor in every metric, in the curves' order."""
    found = []
    for metric, measure in anchor.measures.items():
        members = {curve.label: [point for point in curve.points if metric in point.values] for curve in curves}
        sign = -1.0 if measure.lower_is_better else 1.0
        exact = {label: _exact(points, metric, sign) for label, points in members.items()}
        drawn = {} if measure.of_set else _drawn(members, metric, sign, resamples, seed)
        for curve in curves:
            if curve.label == anchor.label:
                continue
            pair = exact[anchor.label], exact[curve.label]
            again = (drawn[anchor.label], drawn[curve.label]) if drawn else None
            rate = _delta(*pair, again, _rate_delta, _why_no_rate, percent)
            quality = _delta(*pair, again, _quality_delta, _why_no_quality, lambda value, sign=sign: sign * value)
            numbers = len(members[anchor.label]), len(members[curve.label])
            n = members[curve.label][0].n if members[curve.label] else 0
            found.append(
                CurveDelta(anchor.label, curve.label, metric, measure.lower_is_better, numbers, n, rate, quality)
            )
    return found


def percent(difference: Any) -> Any:
    """A difference of log10(rate), or an array of them, as percent of the anchor's rate."""
    return (10**difference - 1) * 100


def _exact(points: list[CurvePoint], metric: str, sign: float) -> _Figures:
    rates = np.array([[point.bpp for point in points]])
    return _Figures(rates, np.array([[sign * point.values[metric] for point in points]]), sign).sorted()


def _drawn(
    members: dict[str, list[CurvePoint]], metric: str, sign: float, resamples: int, seed: int
) -> dict[str, _Figures]:
    """The same of every resample. All curves share the draws: a resample has the same images in both."""
    points = [point for each in members.values() for point in each]
    if not points or points[0].n < 2:
        return {}
    columns = [point.rates for point in points] + [sign * point.scores[metric] for point in points]
    means = resampled_means(np.stack(columns, axis=1), resamples, seed)
    rates, values = means[:, : len(points)], means[:, len(points) :]
    found, start = {}, 0
    for label, each in members.items():
        found[label] = _Figures(
            rates[:, start : start + len(each)], values[:, start : start + len(each)], sign
        ).sorted()
        start += len(each)
    return found


Function = Callable[[_Figures, _Figures], tuple[np.ndarray, np.ndarray]]


def _delta(
    anchor: _Figures,
    test: _Figures,
    drawn: tuple[_Figures, _Figures] | None,
    function: Function,
    why: Callable[[_Figures, _Figures], str],
    unit: Callable[[Any], Any],
) -> Delta:
    refused = why(anchor, test)
    if refused:
        return Delta(None, refused=refused)
    value, overlap = (float(each[0]) for each in function(anchor, test))
    if drawn is None:
        return Delta(
            unit(value),
            doubt="no interval: the images have no scores of their own, or there is one image",
            overlap=overlap,
        )
    values, _ = function(*drawn)
    failed = int(np.isnan(values).sum())
    if failed > MOST_FAILED * len(values):
        doubt = f"no interval: the curves have no delta in {failed:,} of {len(values):,} resamples"
        return Delta(unit(value), doubt=doubt, failed=failed, overlap=overlap)
    low, high = percentiles(unit(values[:, None]))
    return Delta(unit(value), float(low[0]), float(high[0]), failed=failed, overlap=overlap)


def _rate_delta(anchor: _Figures, test: _Figures) -> tuple[np.ndarray, np.ndarray]:
    """Mean difference of log10(rate) over the common qualities, and their part of all: (rows,), NaN where there is
    none.
    """
    usable = _rising(anchor.rates) & _rising(test.rates) & _rising(anchor.values) & _rising(test.values)
    return _mean_difference(anchor.values, np.log10(_positive(anchor)), test.values, np.log10(_positive(test)), usable)


def _quality_delta(anchor: _Figures, test: _Figures) -> tuple[np.ndarray, np.ndarray]:
    """Mean difference of the metric over the common log10(rates), as `_rate_delta`."""
    usable = _rising(anchor.rates) & _rising(test.rates)
    return _mean_difference(np.log10(_positive(anchor)), anchor.values, np.log10(_positive(test)), test.values, usable)


def _mean_difference(
    x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.maximum(x1[:, 0], x2[:, 0]), np.minimum(x1[:, -1], x2[:, -1])
    usable = usable & np.isfinite(low) & (high > low)
    result, overlap = np.full(len(x1), np.nan), np.zeros(len(x1))
    x1, y1, x2, y2, low, high = (each[usable] for each in (x1, y1, x2, y2, low, high))
    if len(low):
        result[usable] = (integrals(x2, y2, low, high) - integrals(x1, y1, low, high)) / (high - low)
        overlap[usable] = (high - low) / (np.maximum(x1[:, -1], x2[:, -1]) - np.minimum(x1[:, 0], x2[:, 0]))
    return result, overlap


def _rising(values: np.ndarray) -> np.ndarray:
    return (np.diff(values) > 0).all(axis=1)


def _positive(figures: _Figures) -> np.ndarray:
    return np.where(figures.rates > 0, figures.rates, np.nan)


def _why_no_quality(anchor: _Figures, test: _Figures) -> str:
    """Why a pair of curves has no BD-metric, "" where it has one."""
    return _why_none(anchor, test) or _apart(anchor.rates[0], test.rates[0], "rates", " bpp")


def _why_no_rate(anchor: _Figures, test: _Figures) -> str:
    """Why a pair of curves has no BD-rate, "" where it has one."""
    reason = _why_none(anchor, test)
    if reason:
        return reason
    for role, each in (("the anchor", anchor), ("the curve", test)):
        falls = np.flatnonzero(np.diff(each.values[0]) <= 0)
        if len(falls):
            low, high = each.rates[0][falls[0] : falls[0] + 2]
            return f"{role} is not monotone: its quality does not rise from {low:.4f} to {high:.4f} bpp"
    return _apart(anchor.sign * anchor.values[0], test.sign * test.values[0], "qualities", "")


def _why_none(anchor: _Figures, test: _Figures) -> str:
    """What forbids both deltas: too few points, no rate, equal rates; "" where nothing does."""
    for role, each in (("the anchor", anchor), ("the curve", test)):
        rates = each.rates[0]
        if len(rates) < LEAST_POINTS:
            return f"{role} has {len(rates)} point(s) with this metric, and {LEAST_POINTS} are needed"
        if rates[0] <= 0:
            return f"{role} has a point of 0 bpp, which has no logarithm"
        if not _rising(each.rates)[0]:
            same = rates[:-1][np.diff(rates) <= 0][0]
            return f"{role} has two points of the same rate ({same:.6f} bpp)"
    return ""


def _apart(one: np.ndarray, other: np.ndarray, what: str, unit: str) -> str:
    ranges = [(float(each.min()), float(each.max())) for each in (one, other)]
    if max(low for low, _ in ranges) < min(high for _, high in ranges):
        return ""
    texts = [f"{low:.4g} to {high:.4g}{unit}" for low, high in ranges]
    return f"the {what} do not overlap: the anchor's are {texts[0]}, the curve's {texts[1]}"
