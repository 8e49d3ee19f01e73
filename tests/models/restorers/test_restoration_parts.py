"""models/t2i/_restoration: colour fixes, tiles and sizes, each against the formula that it states."""

import numpy as np
import pytest
import torch
from PIL import Image

from models.base import Job, ModelError
from models.t2i import pasd
from models.t2i._restoration import colour, pictures, tiles


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_a_wavelet_fix_keeps_details_and_takes_over_flat_colours():
    details, flat = noise(2, 3, 40, 56), torch.full((2, 3, 40, 56), 0.25)
    fixed = colour.wavelet(details, flat)
    assert torch.allclose(colour.wavelet(details + 0.5, flat), fixed, atol=1e-6)
    assert torch.allclose(colour.wavelet(flat, details + 0.1), colour.wavelet(flat, details) + 0.1, atol=1e-6)
    assert torch.allclose(colour.wavelet(details, details), details, atol=1e-6)


def test_a_wavelet_fix_is_five_blurs_of_growing_radius():
    point = torch.zeros(1, 1, 129, 129)
    point[..., 64, 64] = 1
    row = np.array([1.0])
    for radius in (1, 2, 4, 8, 16):
        taps = np.zeros(2 * radius + 1)
        taps[[0, radius, -1]] = 0.25, 0.5, 0.25
        row = np.convolve(row, taps)
    blurred = colour.wavelet(torch.zeros_like(point), point)[0, 0].numpy()
    assert np.abs(blurred[64 - 31 : 64 + 32, 64 - 31 : 64 + 32] - np.outer(row, row)).max() < 1e-8


def test_an_adain_fix_gives_each_channel_the_others_mean_and_deviation():
    fixed = colour.adain(noise(2, 3, 20, 30), noise(2, 3, 20, 30, seed=1) * 3 - 1)
    wanted = noise(2, 3, 20, 30, seed=1) * 3 - 1
    assert torch.allclose(fixed.mean((2, 3)), wanted.mean((2, 3)), atol=1e-5)
    assert torch.allclose(fixed.var((2, 3)), wanted.var((2, 3)), rtol=1e-3)


@pytest.mark.parametrize("length", [32, 33, 44, 45, 56, 100, 127])
def test_tiles_cover_a_side_and_end_with_it(length):
    found = tiles.starts(length, 32, 12)
    assert found[0] == 0 and found[-1] + 32 == length and found == sorted(set(found))
    assert all(after - before <= 12 for before, after in zip(found, found[1:]))


def test_a_tiles_weights_are_those_of_the_authors():
    """exp(-d^2 / (2 * 0.01)) / sqrt(2 pi 0.01), d from (n - 1) / 2 across and from n / 2 down, in parts of n."""
    found = tiles.weights(4, 6).double()
    for y in range(4):
        for x in range(6):
            down, across = (y - 2) / 4, (x - 2.5) / 6
            expected = np.exp(-(down**2 + across**2) / 0.02) / (2 * np.pi * 0.01)
            assert abs(found[y, x] - expected) < 1e-6 * expected


def test_what_each_place_decides_alone_is_the_same_in_tiles():
    latents, hints = noise(3, 4, 50, 71), noise(3, 2, 50, 71, seed=1)
    scale = torch.tensor([1.0, 2.0, 3.0])
    calls = []

    def network(latents, hints, rows):
        calls.append(len(rows))
        return latents * scale[rows][:, None, None, None] + hints.sum(1, keepdim=True)

    whole = latents * scale[:, None, None, None] + hints.sum(1, keepdim=True)
    made = tiles.tiled(network, [latents, hints], 32, 16, 5)
    assert torch.allclose(made, whole, atol=1e-5) and made.dtype == whole.dtype
    assert calls == [5] * 7 + [1]  # 3 pictures of 3 x 4 tiles


def test_one_tile_is_no_tile():
    latents, calls = noise(5, 4, 20, 30), []

    def network(latents, rows):
        calls.append(rows.tolist())
        return latents * 2

    assert torch.equal(tiles.tiled(network, [latents], 32, 16, 2), latents * 2) and calls == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    "size, short, expected",
    [
        ((300, 500), 512, (512, 853)),
        ((500, 300), 512, (853, 512)),
        ((40, 40), 512, (512, 512)),
        ((9, 1000), 8, (8, 888)),
    ],
)
def test_a_short_side_is_brought_to_its_length(size, short, expected):
    assert pictures.with_short_side(size, short) == expected


def test_a_strip_is_refused_before_it_is_enlarged():
    assert pictures.with_short_side((1024, 32), 512) == (16384, 512)
    with pytest.raises(ModelError, match="its short side enlarged, it would have 524288x512 px, and 16,777,216 px are"):
        pictures.enlarged(noise(1, 3, 1, 1024), 512)
    with pytest.raises(ModelError, match="would have 768x786432 px"):
        pasd._enlarged(Image.new("RGB", (1, 1024)), 8)


def test_a_long_short_side_stays():
    picture = noise(1, 3, 20, 30)
    assert pictures.enlarged(picture, 20) is picture and pictures.enlarged(picture, 40).shape == (1, 3, 40, 60)


def test_pictures_come_back_as_they_were():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    tensor = pictures.to_tensor([Image.fromarray(pixels)])
    assert all(np.array_equal(pictures.to_pictures(tensor, truncate)[0], pixels) for truncate in (True, False))
    halves = torch.full((1, 3, 1, 1), 100.75 / 255)
    assert [pictures.to_pictures(halves, truncate)[0].getpixel((0, 0))[0] for truncate in (True, False)] == [100, 101]


def test_noise_is_an_images_own():
    jobs = [Job(str(seed), "", None, (8, 8), seed, None, 1) for seed in (5, 6)]
    both = pictures.noise(pictures.generators(jobs), torch.zeros(2, 4, 8, 8))
    alone = pictures.noise(pictures.generators(jobs[1:]), torch.zeros(1, 4, 8, 8))
    assert torch.equal(both[1:], alone) and not torch.equal(both[:1], alone)
