"""The orientation that EXIF tells, and turning a picture by it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

TAG = 0x0112
MOST_ENTRIES = 1024
# EXIF's number -> Pillow's Transpose: 0 FLIP_LEFT_RIGHT, 1 FLIP_TOP_BOTTOM, 2 to 4 ROTATE_90, 180, 270, 5 TRANSPOSE,
# 6 TRANSVERSE
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def orientation_of(exif: bytes | None) -> int:
    """The orientation in an EXIF block, 1 (upright) where it tells none that there is. Reads one directory."""
    exif = (exif or b"").removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 14:
        return 1
    place = struct.unpack_from(order + "I", exif, 4)[0]
    if place + 2 > len(exif):
        return 1
    for entry in range(min(MOST_ENTRIES, struct.unpack_from(order + "H", exif, place)[0])):
        begin = place + 2 + 12 * entry
        if begin + 12 > len(exif):
            return 1
        tag, kind, count = struct.unpack_from(order + "HHI", exif, begin)
        if tag == TAG and kind in (3, 4) and count == 1:
            value = struct.unpack_from(order + ("H" if kind == 3 else "I"), exif, begin + 8)[0]
            return value if 1 <= value <= 8 else 1
    return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as a viewer shows it. orientation: EXIF's, 1 to 8."""
    from PIL import Image

    return image.transpose(Image.Transpose(TURNS[orientation])) if orientation in TURNS else image


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(width, height) of the picture once it is upright."""
    return (size[1], size[0]) if orientation >= 5 else size
