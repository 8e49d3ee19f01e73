"""The Pareto front: points that no other beats in both rate and quality."""

from __future__ import annotations

from collections.abc import Iterable

from ...files.rates import MEASURED
from .points import Curve, CurvePoint


def front(curves: Iterable[Curve], metric: str, lower_is_better: bool) -> list[CurvePoint]:
    """By rising rate, those of counted rates that are better than every one of the same rate or a lower one.

    A nominal or estimated rate is not counted on a bitstream: it takes no place from one that is.
    """
    points = [point for curve in curves for point in curve.points if metric in point.values and point.kind == MEASURED]
    sign = 1 if lower_is_better else -1
    found: list[CurvePoint] = []
    for point in sorted(points, key=lambda point: (point.bpp, sign * point.values[metric])):
        if not found or sign * point.values[metric] < sign * found[-1].values[metric]:
            found.append(point)
    return found
