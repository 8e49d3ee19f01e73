"""Picture codecs: what image references are coded with, and what language and diffusion models compete with.

A codec is a class of a few lines in video.py (ffmpeg) or still.py (Pillow), named in FAMILY; docs/codecs.md shows one.
"""

from __future__ import annotations

from PIL import Image

from ..errors import BadInput
from .base import Codec, NoRoom
from .ffmpeg import ffmpeg_program
from .rate_control import SCALES, Coded, Search, decoded, scaled, scaled_down, timed, to_budget
from .still import Avif, Jpeg, Jpeg2000, Webp
from .video import Av1, Avc, Hevc, Hevc444, JpegXl, Vvc

FAMILY: dict[str, type[Codec]] = {
    codec.name: codec for codec in (Vvc, Hevc, Hevc444, Avc, Av1, Jpeg, Webp, Jpeg2000, JpegXl, Avif)
}

__all__ = [
    "FAMILY",
    "SCALES",
    "Av1",
    "Avc",
    "Avif",
    "Codec",
    "Coded",
    "Hevc",
    "Hevc444",
    "Jpeg",
    "Jpeg2000",
    "JpegXl",
    "NoRoom",
    "Search",
    "Vvc",
    "Webp",
    "create",
    "decode_stream",
    "decoded",
    "extension",
    "ffmpeg_program",
    "scaled",
    "scaled_down",
    "timed",
    "to_budget",
]


def create(name: str) -> Codec:
    """The codec of that name. Raises BadInput where there is none."""
    if name not in FAMILY:
        raise BadInput(f"there is no codec {ascii(name[:80])}. There are: {', '.join(FAMILY)}.")
    return FAMILY[name]()


def extension(codec_name: str) -> str:
    """What the files of a codec's streams end with, without the dot. Raises BadInput for an unknown codec."""
    return create(codec_name).extension


def decode_stream(codec_name: str, stream: bytes, size: tuple[int, int], scale: int = 1) -> Image.Image:
    """The RGB picture of `size` (width, height) that a stored stream holds.

    scale: what the sides were divided by before coding. Raises RunFailed for a stream that does not decode to that
    size, BadInput for an unknown codec.
    """
    return decoded(create(codec_name), Coded(stream, 0, scale, 8 * len(stream)), size)
