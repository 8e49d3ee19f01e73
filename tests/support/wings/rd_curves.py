"""Curves of given points, and the deltas between two of them."""

from __future__ import annotations

import numpy as np

from cmcbench.board.curves.bjontegaard import compare
from cmcbench.board.curves.collect import Curve, CurvePoint
from cmcbench.board.summaries import Metric

# Fixed curves of an encoder against another one: bits per pixel, dB
ANCHOR = ([0.0201, 0.0398, 0.0812, 0.1604], [27.13, 28.95, 30.88, 33.02])
TEST = ([0.0152, 0.0297, 0.0655, 0.1281, 0.2510], [26.71, 28.40, 30.62, 32.55, 34.90])


def curve(label: str, rates, values, metric: str = "psnr", lower: bool = False, of_set: bool = False) -> Curve:
    """A curve whose points have the given means, or the given images: rates and values (points,) or (points,
    images).
    """
    points = []
    for rate, value in zip(np.asarray(rates, dtype=float), np.asarray(values, dtype=float)):
        rate, value = np.atleast_1d(rate), np.atleast_1d(value)
        scores = {} if of_set else {metric: value}
        points.append(
            CurvePoint(
                label,
                "image",
                rate.mean(),
                {metric: value.mean()},
                len(rate),
                len(rate),
                False,
                None,
                None,
                None,
                0,
                0,
                rate,
                scores,
            )
        )
    return Curve(label, label, tuple(points), {metric: Metric(metric, "FR", lower, "1", of_set)})


def only(anchor: Curve, test: Curve, **options):
    (found,) = compare([anchor, test], anchor, **options)
    return found
