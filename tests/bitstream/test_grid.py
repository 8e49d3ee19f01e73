"""The pixel grid: its bytes, and back from an enlarged picture. tests/test_references.py compares the enlargement
itself.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cmcbench.bitstream.bits import grid_size
from cmcbench.bitstream.grid import COLOURS, enlarged, grid_from, grid_of

SIZES = [
    (1, 1),
    (64, 64),
    (65, 65),
    (1, 200),
    (200, 1),
    (96, 96),
    (97, 95),
    (129, 66),
    (95, 160),
    (193, 130),
    (31, 700),
    (256, 255),
]


def random_grid(size: tuple[int, int], seed: int, extreme: bool = False) -> bytes:
    """Bytes of a grid; `extreme` ones swing between black and white, so that the enlargement overshoots and is cut
    off.
    """
    chance = np.random.default_rng(seed)
    count = int(np.prod(grid_size(*size)))
    return (chance.choice([0, 255], count) if extreme else chance.integers(0, 256, count)).astype(np.uint8).tobytes()


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_grid_comes_back_from_its_enlargement(size, extreme):
    """Also where the centre of the last column or row of blocks is cut off: what comes back gives the same picture."""
    for seed in range(6):
        grid = random_grid(size, seed, extreme)
        picture = enlarged(grid, size)
        found = grid_from(picture)
        assert found is not None and enlarged(found, size).tobytes() == picture.tobytes()
        if not extreme:
            assert found == grid


def test_the_bytes_are_rgb332_row_by_row():
    image = Image.new("RGB", (128, 65), "black")
    image.paste((255, 0, 0), (64, 0, 128, 64))
    image.paste((0, 255, 0), (0, 64, 64, 65))
    image.paste((0, 0, 255), (64, 64, 128, 65))
    assert grid_of(image) == bytes((0, 0b111_000_00, 0b000_111_00, 0b000_000_11))
    assert COLOURS[0b101_010_01] == (182, 73, 85)


def test_a_picture_that_no_grid_gives_has_none():
    picture = enlarged(random_grid((130, 70), 1), (130, 70))
    assert grid_from(picture.resize((65, 35)).resize((130, 70), Image.Resampling.NEAREST)) is None  # enlarged otherwise
    picture.putpixel((100, 9), tuple(value ^ 1 for value in picture.getpixel((100, 9))))
    assert grid_from(picture) is None


def test_a_picture_four_thousand_pixels_wide():
    size = (4096, 1000)
    grid = random_grid(size, 3)
    assert grid_from(enlarged(grid, size)) == grid
