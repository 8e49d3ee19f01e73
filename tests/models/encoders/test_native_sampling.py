"""Tokens drawn with a seed of each image's own: from which, how often, and what they depend on."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from models.i2t._native.sampling import Draws, Sampling, image_seed

ROWS = 4000


def drawn(sampling: Sampling, logits: torch.Tensor, seeds: list[int]) -> list[int]:
    """The token that each row is left with."""
    scores = Draws(sampling, seeds)(torch.zeros(len(seeds), 1), logits.repeat(len(seeds), 1))
    assert (scores.isfinite().sum(1) == 1).all()
    return scores.argmax(1).tolist()


@pytest.mark.parametrize("top_p, top_k", [(1.0, 0), (1.0, 3), (0.6, 0), (0.6, 3), (1e-9, 0)])
def test_tokens_come_as_often_as_transformers_own_warpers_have_it(top_p, top_k):
    logits = torch.randn(1, 12, generator=torch.Generator().manual_seed(5))
    warped = TemperatureLogitsWarper(0.7)(None, logits)
    warped = TopKLogitsWarper(top_k)(None, warped) if top_k else warped
    expected = TopPLogitsWarper(top_p)(None, warped).softmax(-1)[0]
    tokens = drawn(Sampling(top_p=top_p, top_k=top_k, temperature=0.7, tokens=9), logits, list(range(ROWS)))
    found = torch.bincount(torch.tensor(tokens), minlength=12) / ROWS
    assert (found[expected == 0] == 0).all()
    assert (found - expected).abs().max() < 4 * 0.5 / ROWS**0.5  # four standard deviations at most


def test_a_row_draws_what_it_draws_alone_and_something_else_each_time():
    logits, sampling = torch.zeros(1, 1000), Sampling(top_p=1.0, temperature=1.0, tokens=9)
    together = drawn(sampling, logits, [3, 4, 5])
    assert together == [drawn(sampling, logits, [seed])[0] for seed in (3, 4, 5)]
    draws = Draws(sampling, [3])
    assert len({int(draws(torch.zeros(1, 1), logits).argmax()) for _ in range(5)}) > 1


def test_the_seed_of_an_image_is_of_its_pixels_size_and_the_runs_seed():
    image = Image.new("RGB", (4, 6), "navy")
    seeds = {image_seed(42, image), image_seed(43, image), image_seed(42, Image.new("RGB", (6, 4), "navy"))}
    assert len(seeds | {image_seed(42, Image.new("RGB", (4, 6), "black"))}) == 4
    assert image_seed(42, image.copy()) == image_seed(42, image) and all(0 <= seed < 2**63 for seed in seeds)
