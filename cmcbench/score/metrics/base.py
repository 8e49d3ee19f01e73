"""What a metric is: of single images, or of a whole set of them."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import ImageProblem
from .pairs import Pairs

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

    def score_pairs(self, pairs: Pairs) -> list[float]:
        """The scores of reconstructions of several ground truths, in order; written by metrics that take them at once.

        A batch's scores equal those of its pictures one by one within 1e-5.
        """
        return [
            score
            for truth, group in itertools.groupby(pairs, key=lambda pair: pair.truth)
            for score in self.score(truth.image, [pair.made.image for pair in group])
        ]


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
    def prepare(self, picture: Image.Image) -> np.ndarray:
        """What the network takes of one RGB PIL image: (k, ...), k inputs, the same shape for all. Called in threads of
        its own; may raise ImageProblem.
        """

    @abstractmethod
    def embed(self, inputs: np.ndarray) -> np.ndarray:
        """The features of inputs of several pictures: (n, ...) -> (n, d)."""

    @abstractmethod
    def measure(self, truth: np.ndarray, made: np.ndarray) -> float:
        """The value for the features of the ground truths and of the reconstructions, (images, k, d) each, in the same
        order.
        """

    def caution(self, images: int) -> str:
        return ""


class AtOnce:
    """How many items a device's memory takes at once: half as many from the moment on that it does not hold them."""

    def __init__(self) -> None:
        self.most = 1 << 30

    def each(self, function: Callable[[Sequence[Any]], list[Any]], items: Sequence[Any], size: int) -> list[Any]:
        """`function` of all items, at most `size` at a time. Raises ImageProblem where the memory does not hold one."""
        import torch

        results: list[Any] = []
        while len(results) < len(items):
            step = min(size, self.most)
            try:
                results += function(items[len(results) : len(results) + step])
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                if step == 1:
                    raise ImageProblem("does not fit into the device's memory; score it with --device cpu") from None
                self.most = max(1, min(step, len(items)) // 2)
        return results


def checked(score: float, metric: Metric) -> float:
    """The score, if it is a number. Raises ImageProblem."""
    if not math.isfinite(score):
        raise ImageProblem(f"{metric.name} gives {score}, which is no score")
    return float(score)
