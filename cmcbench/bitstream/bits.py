"""What a decoder is sent, counted: bits of caption, pixel grid and reference picture, and bits per pixel."""

from __future__ import annotations

import math

from ..protocol import NOMINAL_IMAGE_BPP

BLOCK = 64  # pixels; one side of the block that becomes one pixel of the pixel reference
BITS_PER_BLOCK = 8


def caption_bits(text: str) -> int:
    """Bits of a caption at the benchmark's 8 bits a character, counted in UTF-8 so that the caption can be sent with
    them.
    """
    return 8 * len(text.encode("utf-8"))


def grid_size(width: int, height: int) -> tuple[int, int]:
    """(columns, rows) of 64x64 blocks that cover a picture; blocks at the right and lower edge may be partial."""
    return math.ceil(width / BLOCK), math.ceil(height / BLOCK)


def grid_bits(width: int, height: int) -> int:
    """Bits of the pixel reference: one byte a block."""
    columns, rows = grid_size(width, height)
    return BITS_PER_BLOCK * columns * rows


def nominal_bits(reference: str, width: int, height: int) -> int:
    """Bits at which the protocol takes a reference ("image" or "pixel") whose bitstream is not known, by its picture's
    size.
    """
    return grid_bits(width, height) if reference == "pixel" else round(NOMINAL_IMAGE_BPP * width * height)


def bpp(bits: int, width: int, height: int) -> float:
    """Bits per pixel of the ground truth."""
    return bits / (width * height)
