"""The pixel reference, against a computation of its own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from bench import SAMPLES
from PIL import Image

from cmcbench.encode.references import pixel_reference


def nearest(value: float, bits: int) -> int:
    """The nearest of the 8-bit values that `bits` bits can name: 0 and 255 are among them."""
    levels = [round(i * 255 / (2**bits - 1)) for i in range(2**bits)]
    exact = [i * 255 / (2**bits - 1) for i in range(2**bits)]
    return levels[min(range(2**bits), key=lambda i: abs(exact[i] - value))]


def block_grid(pixels: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) of the blocks' mean colours in RGB332."""
    height, width = pixels.shape[:2]
    grid = np.zeros((-(-height // 64), -(-width // 64), 3))
    for row, column, channel in itertools.product(*map(range, grid.shape)):
        block = pixels[64 * row : 64 * row + 64, 64 * column : 64 * column + 64, channel]
        grid[row, column, channel] = nearest(block.astype(float).mean(), (3, 3, 2)[channel])
    return grid


def enlarging(count: int) -> np.ndarray:
    """(64 x count, count) weights of Keys' cubic convolution, a = -1/2, cut and normalized at the ends."""
    weights = np.zeros((64 * count, count))
    for place in range(64 * count):
        distance = np.abs((place + 0.5) / 64 - (np.arange(count) + 0.5))
        near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        weights[place] = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


def enlarged(grid: np.ndarray) -> np.ndarray:
    """The grid 64 times as large, first along the rows, as 8 bits, then along the columns."""
    across = np.clip(np.rint(np.einsum("xc,rck->rxk", enlarging(grid.shape[1]), grid)), 0, 255)
    return np.clip(np.rint(np.einsum("yr,rxk->yxk", enlarging(grid.shape[0]), across)), 0, 255)


@pytest.mark.parametrize(
    "size",
    [(64, 64), (128, 64), (64, 192), (1, 1), (63, 63), (65, 64), (64, 65), (130, 70), (200, 3), (127, 129)],
    ids=str,
)
@pytest.mark.parametrize("kind", ["noise", "photo"])
def test_pixel_reference(kind, size):
    if kind == "noise":
        # Noise about a colour of its own in each block, so that the blocks differ
        chance = np.random.default_rng(size[0] * 1000 + size[1])
        means = chance.integers(0, 256, (4, 4, 3)).repeat(64, axis=0).repeat(64, axis=1)
        pixels = np.clip(means + chance.normal(0, 20, means.shape), 0, 255).astype(np.uint8)[: size[1], : size[0]]
    else:
        with Image.open(SAMPLES / "SCI_game_000.png") as image:
            pixels = np.asarray(image.convert("RGB").crop((30, 40, 30 + size[0], 40 + size[1])))
    found = pixel_reference(Image.fromarray(pixels))
    assert (found.size, found.mode) == (size, "RGB")
    expected = enlarged(block_grid(pixels))[: size[1], : size[0]]
    assert np.abs(np.asarray(found) - expected).max() <= 1  # Pillow counts in whole numbers


def test_a_pixel_reference_of_one_block_is_one_of_256_colours_exactly():
    for value in range(256):
        found = pixel_reference(Image.new("RGB", (64, 64), (value, 255 - value, value)))
        assert found.getcolors() == [(64 * 64, (nearest(value, 3), nearest(255 - value, 3), nearest(value, 2)))]


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (64, 40), (13, 64)], ids=str)
def test_blocks_are_averaged_without_rounding_in_between(size):
    """54.55 is nearest to level 1 (36.4) of 3 bits; rows rounded to 55 would make it level 2 (72.9)."""
    pixels = np.full((size[1], size[0], 3), 54, np.uint8)
    pixels[:, : round(size[0] * 0.55)] = 55
    mean = pixels[..., 0].mean()
    expected = (36 if mean < 54.64 else 73,) * 2 + (nearest(mean, 2),)
    assert pixel_reference(Image.fromarray(pixels)).getpixel((0, 0)) == expected


def test_partial_blocks_count_what_is_there_and_no_padding():
    pixels = np.zeros((65, 65, 3), np.uint8)
    pixels[64, :64], pixels[:64, 64], pixels[64, 64] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert block_grid(pixels).tolist() == [[[0, 0, 0], [0, 255, 0]], [[255, 0, 0], [0, 0, 255]]]
    found = np.asarray(pixel_reference(Image.fromarray(pixels)))
    assert np.abs(found - enlarged(block_grid(pixels))[:65, :65]).max() <= 1
