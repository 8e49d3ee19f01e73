"""A picture's file without what it says besides the picture: EXIF (which may tell a place), XMP, comments, text."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

from .bounds import TEXT, Unfit, png_chunks
from .formats import FORMATS, NEEDED, form_of

if TYPE_CHECKING:
    from PIL import Image

LEFT_OUT = TEXT | {b"eXIf", b"tIME"}  # those that are left out
SAVED: dict[str, dict[str, Any]] = {  # Pillow's options for what cannot be copied as it is
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "method": 2},
}


def bare_copy(data: bytes, name: str, image: Image.Image, note: str | None) -> bytes:
    """The file of a picture that was read from `data`, in the format of the ending of `name`, without metadata.

    The coded picture is copied as it is where the picture needed no conversion; else `image` is coded again.
    """
    ending = "." + name.rpartition(".")[2].lower()
    form = next((form for form, endings in FORMATS.items() if ending in endings), "PNG")
    bare = _bare(data, form) if note is None and form_of(data[:NEEDED]) == form else None
    if bare is not None:
        return bare
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=form, **SAVED.get(form, {}))
    except (OSError, ValueError):  # sides that the format does not have; whoever shows it goes by the first bytes
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
    return buffer.getvalue()


def _bare(data: bytes, form: str) -> bytes | None:
    """`data` without metadata, None where that cannot be had by leaving parts out."""
    if form == "PNG":
        return _bare_png(data)
    if form == "JPEG":
        return _bare_jpeg(data)
    if form == "WEBP":
        simple = data[12:16] != b"VP8X"  # the extended format, which alone holds metadata
        return data if simple and _ends(data, 4, 8) else None
    return data if form == "BMP" and _ends(data, 2, 0) else None


def _ends(data: bytes, place: int, before: int) -> bool:
    """Whether a file ends where the length at `place` says, so that nothing is behind the picture."""
    length = int.from_bytes(data[place : place + 4], "little") + before
    return len(data) in (length, length + length % 2)


def _bare_png(data: bytes) -> bytes | None:
    kept: list[tuple[int, int]] = []

    def each(place: int, size: int, kind: bytes) -> None:
        if kind not in LEFT_OUT:
            kept.append((place, place + 12 + size))

    try:
        png_chunks(lambda place, count: data[place : place + count], len(data), each)
    except (Unfit, struct.error):
        return None
    whole = 8 + sum(end - begin for begin, end in kept) == len(data)
    return data if whole else data[:8] + b"".join(data[begin:end] for begin, end in kept)


def _bare_jpeg(data: bytes) -> bytes | None:
    """Without comments and APP segments but JFIF's and Adobe's, which say how to decode it."""
    end = data.rfind(b"\xff\xd9") + 2
    kept, place = [data[:2]], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        code = data[place + 1]
        following = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        plain = code == 0xEE or (code == 0xE0 and following == place + 18)  # a longer JFIF segment holds a thumbnail
        if not (0xE0 <= code <= 0xEF or code == 0xFE) or plain:
            kept.append(data[place:following])
        place = following
    if end != len(data) or place >= end or data[place : place + 2] != b"\xff\xda":
        return None
    if b"\xff\xd8" in data[place:]:  # a second picture behind the first, with metadata of its own
        return None
    bare = b"".join([*kept, data[place:]])
    return data if len(bare) == len(data) else bare
