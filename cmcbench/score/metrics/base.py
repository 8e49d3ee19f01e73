"""What a metric is: of single images, or of a whole set of them."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ImageProblem, RunFailed
from .pairs import Pairs

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


class Metric(ABC):
    """A metric of single images.

    name: its column in scores.csv. needs_truth: True for full reference (consistency), False for no reference
    (perception). identity: what must be equal for two scores to be compared, beside the images. needs_caption: whether
    it scores only reconstructions whose caption is known, which is Pair.caption then. of_every_image: False where
    images are left out by its own rule (`takes`, or LeftOut).
    """

    name: str
    needs_truth: bool
    needs_caption: bool = False
    of_every_image: bool = True
    lower_is_better: bool = False
    identity: str

    @abstractmethod
    def load(self, device: str) -> None:
        """Make ready to score. Raises BadInput or RunFailed."""

    def takes(self, name: str) -> bool:
        """Whether images of this name have a score at all."""
        return True

    @abstractmethod
    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        """The score of each reconstruction of one ground truth. All are RGB PIL images of the same size."""

    def score_pairs(self, pairs: Pairs) -> list[float]:
        """The scores of reconstructions of several ground truths, in order; written by metrics that take them at once.

        A batch's scores equal those of its pictures one by one within 1e-5. Raises ImageProblem or LeftOut where it has
        none for one of them; each is then tried by itself.
        """
        return [
            score
            for truth, group in itertools.groupby(pairs, key=lambda pair: pair.truth)
            for score in self.score(truth.image, [pair.made.image for pair in group])
        ]


class LeftOut(Exception):
    """A picture that a metric does not score, by its own rule, and why."""


class Features(ABC):
    """What a network sees in single pictures; measures of sets are made of it.

    key: the same for features that are the same, which are then made once for all measures of them. device: where they
    were made ready, "" before. absent: why they cannot be, once that was tried.
    """

    key: str
    device = ""
    absent: RunFailed | None = None

    @abstractmethod
    def load(self, device: str) -> None:
        """Make ready to embed. Raises BadInput or RunFailed."""

    @abstractmethod
    def prepare(self, picture: Image.Image) -> np.ndarray:
        """What the network takes of one RGB PIL image: (k, ...), k inputs, of one shape for all pictures. Called in
        threads of its own; may raise ImageProblem.
        """

    @abstractmethod
    def embed(self, inputs: np.ndarray) -> np.ndarray:
        """The features of inputs of several pictures: (n, ...) -> (n, d)."""


@dataclass(frozen=True)
class Measured:
    """A measure of a set, and the ends of its 95 % interval over images, None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


class SetMetric(ABC):
    """A measure of a mode's whole set of reconstructions against their ground truths; no image has a score of its own.

    name: what summary.json calls it. smallest: images below which it is refused. identity: as of Metric.
    """

    name: str
    lower_is_better: bool = True
    identity: str
    smallest: int
    features: Features

    def load(self, device: str) -> None:
        """Make ready to measure. Raises BadInput or RunFailed."""
        if self.features.device == device:
            return
        try:
            if self.features.absent is None:
                self.features.load(device)
        except RunFailed as error:
            self.features.absent = error
        if why := self.features.absent:  # several measures may need them, and each is named once
            named = str(why).startswith(f"metric {self.name} ")
            raise RunFailed(str(why) if named else f"metric {self.name}: {why}")
        self.features.device = device

    @abstractmethod
    def measure(self, truth: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> Measured:
        """The value for the features of the ground truths and of the reconstructions: (k, d) of each image, in the same
        order. Raises ImageProblem where they make no set.
        """

    def caution(self, images: int, features: int) -> str:
        """What a reader of the value must know, given the number of images and of their features; "" for nothing."""
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
