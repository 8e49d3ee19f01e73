"""Codecs that run in Pillow: JPEG, WebP, JPEG 2000 and AVIF."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, features

from ..errors import RunFailed
from .base import Codec
from .payload import avif_file, coded_picture, vp8_frame, webp_file, without_segments

MOST_SCANS = 64  # of a JPEG stream; libjpeg writes 10, and each of a stranger's takes as long as a picture


class PillowCodec(Codec):
    """A codec of Pillow. `options` are Pillow's own for `save`; `payload` and `file` take off and put back a
    container.
    """

    form: str  # Pillow's name of the format
    feature: str | None = None  # Pillow's name of the library, None for one that each build has
    unit = "quality"

    def options(self, setting: float) -> dict[str, Any]:
        return {"quality": setting}

    def payload(self, file: bytes, size: tuple[int, int]) -> bytes:
        """What a decoder needs of the file that Pillow wrote."""
        return file

    def file(self, stream: bytes, size: tuple[int, int]) -> bytes:
        """A file that Pillow reads, from a payload and the picture's size."""
        return stream

    @property
    def setup(self) -> str:
        options = {
            name: value for name, value in self.options(self.settings[-1]).items() if value is not self.settings[-1]
        }
        return " ".join([self.form, *(f"{name}={value}" for name, value in options.items())])

    def problem(self) -> str | None:
        if self.feature and not features.check(self.feature):
            return f"this Pillow has no {self.form} ({self.feature}); pip install -U pillow brings one that has"
        return None

    def compress(self, image: Image.Image, setting: float) -> bytes:
        return self._saved(image, **self.options(setting))

    def _saved(self, image: Image.Image, **options: Any) -> bytes:
        bare = Image.frombytes("RGB", image.size, image.tobytes())  # without the metadata that Pillow would write too
        buffer = io.BytesIO()
        try:
            bare.save(buffer, format=self.form, **options)
        except (OSError, ValueError, RuntimeError) as error:
            raise RunFailed(f"Pillow cannot write this picture as {self.form} ({error})") from None
        return self.payload(buffer.getvalue(), image.size)

    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        try:
            with Image.open(io.BytesIO(self.file(stream, size)), formats=[self.form]) as image:
                if image.size != size:  # before its pixels are: a stranger's stream may claim to be huge
                    raise RunFailed(
                        f"a {self.name} stream holds {image.size[0]}x{image.size[1]} pixels, expected"
                        f" {size[0]}x{size[1]}"
                    )
                return image.convert("RGB")
        except RunFailed:
            raise
        except Exception as error:  # what Pillow's decoders raise on damaged data is not in its documentation
            raise RunFailed(f"Pillow cannot decode this {self.name} stream ({error})") from None


class Jpeg(PillowCodec):
    """JPEG by libjpeg-turbo, with optimized Huffman tables: the shorter of baseline and progressive, without JFIF's
    header.
    """

    name, extension, form = "jpeg", "jpg", "JPEG"
    settings = range(1, 101)

    def options(self, setting: float) -> dict[str, Any]:
        return {"quality": setting, "optimize": True, "subsampling": "4:2:0"}

    def compress(self, image: Image.Image, setting: float) -> bytes:
        return min((self._saved(image, **self.options(setting), progressive=way) for way in (False, True)), key=len)

    def payload(self, file: bytes, size: tuple[int, int]) -> bytes:
        return without_segments(file, frozenset({0xE0}))

    def file(self, stream: bytes, size: tuple[int, int]) -> bytes:
        if (scans := stream.count(b"\xff\xda")) > MOST_SCANS:
            raise RunFailed(f"a jpeg stream has {scans} scans, at most {MOST_SCANS} are decoded")
        return stream


class Webp(PillowCodec):
    """Lossy WebP by libwebp at its slowest: the VP8 key frame, without RIFF's header."""

    name, extension, form, feature = "webp", "vp8", "WEBP", "webp"
    settings = tuple(tenth / 10 for tenth in range(1001))

    def options(self, setting: float) -> dict[str, Any]:
        return {"quality": setting, "method": 6}

    def payload(self, file: bytes, size: tuple[int, int]) -> bytes:
        return vp8_frame(file)

    def file(self, stream: bytes, size: tuple[int, int]) -> bytes:
        return webp_file(stream)


class Jpeg2000(PillowCodec):
    """JPEG 2000 by OpenJPEG: 9/7 wavelet, one quality layer, a codestream without its comment. The setting is 24 /
    bpp.
    """

    name, extension, form, feature = "jpeg2000", "j2k", "JPEG2000", "jpg_2000"
    unit = "ratio"
    settings = tuple(round(20000 * 0.97**step, 2) for step in range(310))

    def options(self, setting: float) -> dict[str, Any]:
        return {"no_jp2": True, "irreversible": True, "mct": 1, "quality_mode": "rates", "quality_layers": [setting]}

    def payload(self, file: bytes, size: tuple[int, int]) -> bytes:
        return without_segments(file, frozenset({0x64}))


class Avif(PillowCodec):
    """AVIF by libavif and libaom as they come, tuned for the eye: the AV1 picture, without the container of some 270
    bytes.
    """

    name, extension, form, feature = "avif", "obu", "AVIF", "avif"
    settings = range(101)

    def options(self, setting: float) -> dict[str, Any]:
        return {"quality": setting, "subsampling": "4:2:0", "speed": 4, "max_threads": 1}

    def payload(self, file: bytes, size: tuple[int, int]) -> bytes:
        return coded_picture(file)

    def file(self, stream: bytes, size: tuple[int, int]) -> bytes:
        return avif_file(stream, size)
