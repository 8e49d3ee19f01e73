"""What a metric is: of single images, or of a whole set of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import ImageProblem

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


class Metric(ABC):
    """A metric of single images.

    name: its column in scores.csv. needs_truth: True for full reference (consistency), False for no reference
    (perception). identity: what must be equal for two scores to be compared, beside the images.
    """

    name: str
    needs_truth: bool
    lower_is_better: bool = False
    identity: str

    @abstractmethod
    def load(self, device: str) -> None:
        """Make ready to score. Raises BadInput or RunFailed."""

    @abstractmethod
    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        """The score of each reconstruction of one ground truth. All are RGB PIL images of the same size."""


class SetMetric(ABC):
    """A measure of a mode's whole set of reconstructions against their ground truths; no image has a score of its own.

    name: what summary.json calls it. smallest: images below which it is refused. caution: what a reader of its values
    must know, given the number of images; "" for nothing. identity: as of Metric.
    """

    name: str
    lower_is_better: bool = False
    identity: str
    smallest: int

    @abstractmethod
    def load(self, device: str) -> None:
        """Make ready to measure. Raises BadInput or RunFailed."""

    @abstractmethod
    def embed(self, picture: Image.Image) -> np.ndarray:
        """The features of one RGB PIL image: (d,), d the same for all."""

    @abstractmethod
    def measure(self, truth: np.ndarray, made: np.ndarray) -> float:
        """The value for the features of the ground truths and of the reconstructions, (n, d) each, in the same
        order.
        """

    def caution(self, images: int) -> str:
        return ""


def in_batches(function: Callable[[list[Any]], list[Any]], items: list[Any], size: int) -> list[Any]:
    """`function` of all items, `size` at a time. Where a GPU's memory does not hold them, half as many at a time.

    Raises ImageProblem where it does not hold one.
    """
    import torch

    results: list[Any] = []
    while len(results) < len(items):
        try:
            results += function(items[len(results) : len(results) + size])
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if size == 1:
                raise ImageProblem("does not fit into the device's memory; score it with --device cpu") from None
            size = max(1, size // 2)
    return results


def checked(score: float, metric: Metric) -> float:
    """The score, if it is a number. Raises ImageProblem."""
    if not math.isfinite(score):
        raise ImageProblem(f"{metric.name} gives {score}, which is no score")
    return float(score)
