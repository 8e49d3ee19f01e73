"""Likeness of what DINOv2 sees in a reconstruction and in its ground truth: of things and their places, hardly of their
pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....errors import ImageProblem, RunFailed
from ..base import AtOnce, Metric
from ..dinov2 import BASE, WholePictures
from ..pairs import Pair, Pairs, Picture

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

BATCH = 16  # pictures of 224x224 at once


class Dino(Metric):
    """The cosine of the angle between two pictures' features; higher is better, -1 to 1. model: as of WholePictures,
    "" for the base one.
    """

    name = "dino"
    needs_truth = True

    def __init__(self, model: str = "") -> None:
        self.features = WholePictures(model or BASE)
        self.identity = self.features.identity
        self.at_once = AtOnce()

    def load(self, device: str) -> None:
        try:
            self.features.load(device)
        except RunFailed as error:
            raise RunFailed(f"metric {self.name}: {error}") from None
        self.features.device = device

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        of = Picture(truth)
        return self.score_pairs(Pairs([Pair(of, Picture(each)) for each in pictures], None))

    def score_pairs(self, pairs: Pairs) -> list[float]:
        images = [each.image for each in (*pairs.truths, *(pair.made for pair in pairs))]
        found = self.at_once.each(self._embed, images, max(BATCH, pairs.at_once or 0))
        made = found[len(pairs.truths) :]
        return [float((found[place] @ each).clip(-1, 1)) for place, each in zip(pairs.places, made, strict=True)]

    def _embed(self, pictures: Sequence[Image.Image]) -> list[np.ndarray]:
        """Features of length 1."""
        import numpy as np

        found = self.features.embed(np.concatenate([self.features.prepare(each) for each in pictures]))
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or lengths.min() == 0:
            raise ImageProblem("DINOv2 gives features without a direction")
        return list(found / lengths)
