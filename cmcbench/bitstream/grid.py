"""The pixel reference: a grid of one byte for each 64x64 block of a picture, and its enlargement, which the decoder
gets.

A byte is a block's mean colour: 3 bits of red, 3 of green, 2 of blue, from the highest bit down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageStat

from .bits import BLOCK, grid_size

STEPS = (7, 7, 3)  # of red, green, blue; a channel's levels are 0 to its number of steps
REACH = 3  # blocks that the visible part of an edge block depends on: itself and two before it


def grid_of(image: Image.Image) -> bytes:
    """The grid of an RGB picture: a byte a block, row by row. Blocks at the right and lower edge cover what is left of
    it.
    """
    columns, rows = grid_size(*image.size)
    grid = bytearray()
    for top in range(0, rows * BLOCK, BLOCK):
        for left in range(0, columns * BLOCK, BLOCK):
            block = image.crop((left, top, min(left + BLOCK, image.width), min(top + BLOCK, image.height)))
            # The exact mean: resize() rounds the mean of each row, and so names another colour for 1 block in 50
            grid.append(_byte(ImageStat.Stat(block).mean))
    return bytes(grid)


def enlarged(grid: bytes, size: tuple[int, int]) -> Image.Image:
    """The pixel reference of `size` (width, height) that a grid stands for.

    Enlarged bicubically: 18.5 dB on photographs against 17.7 dB with nearest.
    """
    small = Image.new("RGB", grid_size(*size))
    small.putdata([COLOURS[byte] for byte in grid])
    return small.resize((small.width * BLOCK, small.height * BLOCK), Image.Resampling.BICUBIC).crop((0, 0, *size))


def _byte(colour: Sequence[float]) -> int:
    """The nearest colour of the 256 that 3 bits of red, 3 of green and 2 of blue can name."""
    red, green, blue = (round(value * steps / 255) for value, steps in zip(colour, STEPS))
    return red << 5 | green << 2 | blue


COLOURS = [
    tuple(round(level * 255 / steps) for level, steps in zip((byte >> 5, byte >> 2 & 7, byte & 3), STEPS))
    for byte in range(256)
]


def grid_from(reference: Image.Image) -> bytes | None:
    """The grid that a pixel reference was enlarged from, None where no grid gives exactly this picture.

    A block whose centre is visible has its colour there but for rounding. Those of an edge column or row whose centres
    are cut off are found by trying their levels.
    """
    import numpy as np

    pixels = np.asarray(reference).astype(int)
    size = columns, rows = grid_size(*reference.size)
    across, down = (
        np.minimum(np.arange(count) * BLOCK + BLOCK // 2, end - 1) for count, end in zip(size, reference.size)
    )
    levels = np.rint(pixels[down[:, None], across] * STEPS / 255).astype(int)  # rows x columns x 3
    right, below = (count > 1 and 0 < end % BLOCK < BLOCK // 2 for count, end in zip(size, reference.size))
    if right:
        _try_last_column(levels, pixels, down, slice(0, rows))
    if below:
        _try_last_column(levels.swapaxes(0, 1), pixels.swapaxes(0, 1), across, slice(0, columns))
    if right and below:
        _try_last_column(levels, pixels, down, slice(rows - 1, rows))
    grid = _bytes(levels)
    return grid if enlarged(grid, reference.size).tobytes() == reference.tobytes() else None


def _try_last_column(levels: Any, pixels: Any, lines: Any, cells: slice) -> None:
    """Set the last column's `cells` of `levels` to those that come nearest to `pixels` on the lines through their
    centres.

    All cells are tried at once: on the line through its centre, a cell's neighbours above and below weigh next to
    nothing.
    """
    import numpy as np

    beside = min(levels.shape[1], REACH)
    start = (levels.shape[1] - 1) * BLOCK
    visible = pixels.shape[1] - start
    seen = pixels[lines[cells], start:]
    errors = []
    for level in range(max(STEPS) + 1):
        trial = levels[:, -beside:].copy()
        trial[cells, -1] = np.minimum(level, STEPS)
        size = (beside - 1) * BLOCK + visible, pixels.shape[0]
        found = np.asarray(enlarged(_bytes(trial), size)).astype(int)
        errors.append(np.abs(found[lines[cells], -visible:] - seen).sum(axis=1))
    levels[cells, -1] = np.minimum(np.argmin(errors, axis=0), STEPS)


def _bytes(levels: Any) -> bytes:
    import numpy as np

    return (levels[..., 0] << 5 | levels[..., 1] << 2 | levels[..., 2]).astype(np.uint8).tobytes()
