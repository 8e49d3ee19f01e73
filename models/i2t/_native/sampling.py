"""Sampling that depends on the image alone: never on its batch, its place in it, or the run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from PIL import Image


@dataclass(frozen=True)
class Sampling:
    """How the authors' own settings draw a token: from the top_k likeliest, of them the fewest that reach top_p.

    top_p: in (0, 1], of what top_k leaves; temperature: > 0; tokens: the most that an answer may have; top_k: 0: all.
    """

    top_p: float
    temperature: float
    tokens: int
    top_k: int = 0


def image_seed(seed: int, image: Image.Image) -> int:
    """The seed of an image's own draws, 0 to 2**63 - 1: of the run's seed and the picture, not of its place."""
    digest = hashlib.sha256(f"{seed} {image.mode} {image.size}".encode() + image.tobytes()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Draws:
    """A logits processor that leaves each row one token, drawn with the row's own seed; greedy search then takes it.

    transformers' own sampling draws from one generator for all rows, so that a caption would depend on its batch.
    """

    def __init__(self, sampling: Sampling, seeds: list[int]) -> None:
        import torch

        self.sampling = sampling
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """scores: (rows, vocabulary), logits -> 0 for the token drawn, -inf for all others."""
        import torch

        likely, order = (
            (scores.float() / self.sampling.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
        )
        if self.sampling.top_k:
            likely[:, self.sampling.top_k :] = 0
        before = likely.cumsum(-1) - likely
        enough = self.sampling.top_p * likely.sum(-1, keepdim=True)
        likely = likely.masked_fill(before >= enough, 0)  # keeps the first, whatever its probability
        reached = likely.cumsum(-1)
        drawn = torch.cat([torch.rand(1, generator=each) for each in self.generators]).to(scores.device)
        place = (reached <= drawn[:, None] * reached[:, -1:]).sum(-1, keepdim=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, order.gather(1, place), 0)
