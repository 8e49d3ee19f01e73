"""A picture's copy for the page: the file itself where it holds nothing but the picture, else the picture saved again.

What cameras and programs write beside a picture (EXIF with the place, thumbnails, comments, prompts) stays at home, and
a picture that is stored sideways is copied upright.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}  # what browsers show; the rest becomes PNG
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {  # what is written into a file of that ending
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".bmp": ("BMP", {}),
}
# PNG's chunks, WebP's chunks and JPEG's segments that hold pixels, colours and their measures
PNG = {
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"IEND",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"sBIT",
    b"bKGD",
    b"pHYs",
    b"cICP",
}
WEBP = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}
JPEG = {*range(0xC0, 0xD0), *range(0xDA, 0xDE), 0xE0, 0xE2, 0xEE}  # frames, tables, scans, JFIF, ICC profile, Adobe's


def copy_bytes(data: bytes, image: Image.Image, suffix: str) -> bytes:
    """The bytes of a copy. data: the file; image: what it shows, 8-bit RGB, upright. suffix: of the copy's name."""
    suffix = suffix.lower()
    if is_bare(data, suffix):
        return data
    form, options = FORMATS.get(suffix, ("PNG", {}))
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def is_bare(data: bytes, suffix: str) -> bool:
    """Whether a file is of the format that its ending says, and holds the picture alone."""
    if suffix == ".png":
        return data[:8] == b"\x89PNG\r\n\x1a\n" and _is_bare_png(data)
    if suffix in (".jpg", ".jpeg"):
        return data[:2] == b"\xff\xd8" and _is_bare_jpeg(data)
    if suffix == ".webp":
        return data[:4] == b"RIFF" and data[8:12] == b"WEBP" and _is_bare_webp(data)
    return suffix == ".bmp" and data[:2] == b"BM" and struct.unpack_from("<I", data.ljust(6, b"\0"), 2)[0] == len(data)


def _is_bare_png(data: bytes) -> bool:
    place, kind = 8, b""
    while place + 12 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind not in PNG:
            return False
        place += 12 + length
    return kind == b"IEND" and place == len(data)


def _is_bare_webp(data: bytes) -> bool:
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        if kind not in WEBP:
            return False
        place += 8 + length + length % 2
    return place == len(data)


def _is_bare_jpeg(data: bytes) -> bool:
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        kind, length = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        said = data[place + 4 : place + 15]
        if kind not in JPEG or (kind == 0xE2 and said != b"ICC_PROFILE"):
            return False
        if kind == 0xE0 and (said[:5] != b"JFIF\0" or length != 16):  # a longer one holds a thumbnail
            return False
        place += 2 + length
        if (
            kind == 0xDA
        ):  # coded pixels follow, in which FF is a marker only where neither 0 nor a restart comes after it
            place = _end_of_scan(data, place)
    return data[place:] == b"\xff\xd9"


def _end_of_scan(data: bytes, place: int) -> int:
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2
    return len(data)
