"""Rate-distortion curves as values: their points, and the intervals of the means that they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...files.rates import NOMINAL
from ..families import Style
from ..summaries import DataSet, Metric

if TYPE_CHECKING:
    import numpy as np

TOGETHER = 256  # columns that are resampled at once: 20 MB of means


@dataclass(frozen=True)
class CurvePoint:
    """A target in one mode. All means are over the same n images, those that every point of the comparison has.

    bpp: mean bits per pixel. values: metric -> mean; a measure of the whole set as summary.json tells it. of: images of
    the ground truth. kind: of the rates, of rates.KINDS the last that an image has. encode_seconds, decode_seconds:
    means over the images with one; peak_memory: bytes, the largest; None where no image tells.
    downscaled: images coded at a smaller size. over_budget: images above the rate in the target's name (codecs).
    rates, scores: of each image, shape (n,), in the order of names. ends: metric -> 95 % interval of its mean; a
    measure of the whole set has none, nor has one image.
    """

    target: str
    mode: str
    bpp: float
    values: dict[str, float]
    n: int
    of: int
    kind: str
    encode_seconds: float | None
    decode_seconds: float | None
    peak_memory: int | None
    downscaled: int
    over_budget: int
    rates: np.ndarray = field(repr=False, compare=False)
    scores: dict[str, np.ndarray] = field(repr=False, compare=False)
    style: Style = field(default=Style(""), compare=False)
    ends: dict[str, tuple[float, float]] = field(default_factory=dict, compare=False)

    @property
    def nominal(self) -> bool:
        """Whether any image's rate is the protocol's instead of a counted one."""
        return self.kind == NOMINAL

    @property
    def ratio(self) -> float:
        """Compression ratio against 24 bits per pixel; infinite for an empty message."""
        return 24 / self.bpp if self.bpp else math.inf


@dataclass(frozen=True)
class Curve:
    """Points in the order of their rate. measures: every metric of the comparison, in the order of the paper's
    figure. images: the names that all means are over. data: the test set that they are of, None where it is not stated.
    """

    group: str
    label: str
    points: tuple[CurvePoint, ...]
    measures: dict[str, Metric] = field(repr=False, compare=False)
    codec: bool = False
    images: tuple[str, ...] = field(default=(), repr=False, compare=False)
    data: DataSet | None = None

    @property
    def through_modes(self) -> bool:
        """Whether the points are a target's modes, which a figure has to name."""
        return len({point.mode for point in self.points}) > 1

    @property
    def style(self) -> Style:
        """The family's, in the middle of its targets' shades."""
        tones = [point.style.tone for point in self.points]
        return replace(self.points[0].style, tone=math.fsum(tones) / len(tones))


def with_ends(points: list[CurvePoint]) -> list[CurvePoint]:
    """The points with the intervals of their means, all from the same resamples."""
    import numpy as np

    from ...statistics import intervals

    columns = [(place, name) for place, point in enumerate(points) for name in point.scores]
    ends: list[dict[str, tuple[float, float]]] = [{} for _ in points]
    for start in range(0, len(columns) if points and points[0].n > 1 else 0, TOGETHER):
        part = columns[start : start + TOGETHER]
        found = intervals(np.stack([points[place].scores[name] for place, name in part], axis=1))
        for (place, name), low, high in zip(part, *found):
            ends[place][name] = (float(low), float(high))
    return [replace(point, ends=each) for point, each in zip(points, ends)]
