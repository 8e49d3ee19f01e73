"""Codecs that run in ffmpeg: one intra picture each of VVC, HEVC, AVC and AV1, and JPEG XL."""

from __future__ import annotations

from abc import abstractmethod

from PIL import Image

from ..errors import RunFailed
from .base import Codec
from .ffmpeg import DECODING, ffmpeg, ffmpeg_program
from .payload import nal_units

# ffmpeg's own conversion truncates, which darkens a picture by 1 to 2 steps of 255, and repeats chroma samples
ACCURATE = "flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"
# BT.601, limited range, chroma sited left, on both ways. No stream spends bits to say so: it holds for all of them
TO_YUV = f"scale=out_color_matrix=bt601:out_range=tv:{ACCURATE}"
UNTOLD = "setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown:range=unknown"
TO_RGB = f"scale=in_color_matrix=bt601:in_range=tv:{ACCURATE}"


class FfmpegCodec(Codec):
    """A codec of ffmpeg. {} in `arguments` is the setting; a picture is padded to `multiple` and at least
    `smallest`.
    """

    encoder: str
    arguments: str
    form: str  # ffmpeg's name of the stream's format
    reader = ""  # where it is called otherwise when it is read
    pixels: str | None = "yuv420p10le"  # None: the encoder takes RGB
    multiple = 2
    smallest = 16
    needless: frozenset[int] = frozenset()  # NAL units that decoding does without
    signature = b""  # that a stream begins with

    @property
    def setup(self) -> str:
        return f"{self.encoder} {self.arguments} {self.pixels or 'rgb24'}"

    def problem(self) -> str | None:
        try:
            ffmpeg_program(self.encoder, self.name)
        except RunFailed as error:
            return str(error)
        return None

    def compress(self, image: Image.Image, setting: float) -> bytes:
        padded = pad(image, self._padded(image.size))
        convert = f"-vf {TO_YUV},format={self.pixels},{UNTOLD}" if self.pixels else ""
        stream = ffmpeg(
            f"-f rawvideo -pix_fmt rgb24 -s {padded.width}x{padded.height} -i - -frames:v 1 {convert} -c:v"
            f" {self.encoder} -threads 1 {self.arguments.format(format(setting, 'g'))} -f {self.form} -",
            padded.tobytes(),
        )
        return self.trimmed(stream)

    def trimmed(self, stream: bytes) -> bytes:
        """The payload of what the encoder wrote."""
        return stream

    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        width, height = self._padded(size)
        if not stream.startswith(self.signature):
            raise RunFailed(f"this is no {self.name} stream; ffmpeg was not asked")  # it would search for one for ever
        convert = f"-vf {TO_RGB}" if self.pixels else ""
        # A stranger's stream may claim to be huge; a codec's blocks may be up to 128 pixels beyond the picture. A
        # damaged one is an error and no picture with holes; without -xerror, ffmpeg asks for the rest of a JPEG XL
        # stream for ever
        limit = (width + 128) * (height + 128)
        pixels = ffmpeg(
            f"-xerror -err_detect explode -max_pixels {limit} -f {self.reader or self.form} -i - "
            f"-frames:v 1 {convert} -f rawvideo -pix_fmt rgb24 -",
            stream,
            DECODING,
        )
        if len(pixels) != width * height * 3:
            raise RunFailed(f"ffmpeg decoded {len(pixels)} bytes from a {self.name} stream of {width}x{height} pixels")
        return Image.frombytes("RGB", (width, height), pixels).crop((0, 0, *size))

    def _padded(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size that is coded."""
        width, height = (max(self.smallest, side + -side % self.multiple) for side in size)
        return width, height


class NalCodec(FfmpegCodec):
    """A codec of ffmpeg whose stream is a series of NAL units."""

    needless: frozenset[int]  # types of units that decoding does without

    def trimmed(self, stream: bytes) -> bytes:
        return b"".join(unit for unit in nal_units(stream) if self.unit_type(unit) not in self.needless)

    @abstractmethod
    def unit_type(self, unit: bytes) -> int:
        """The type of a NAL unit, which begins with a three-byte start code."""


class Vvc(NalCodec):
    """H.266/VVC by libvvenc, without perceptual adaptation of the QP. Level 0 is QP 63."""

    name = extension = form = "vvc"
    unit, settings = "QP", range(63, -1, -1)
    encoder = "libvvenc"
    arguments = "-preset medium -qp {} -qpa 0 -vvenc-params gopsize=1:intraperiod=1:decodingrefreshtype=idr"
    needless = frozenset({20, 23, 24})  # access unit delimiter, prefix and suffix SEI (ITU-T H.266, table 5)

    def unit_type(self, unit: bytes) -> int:
        return unit[4] >> 3


class Hevc(NalCodec):
    """H.265/HEVC by x265, Main 10, tuned for PSNR (without perceptual adaptation of the QP), with transform skip for
    screens.
    """

    name = extension = form = "hevc"
    unit, settings = "QP", range(51, -1, -1)
    encoder = "libx265"
    arguments = (
        "-preset veryslow -tune psnr -qp {} -x265-params "
        "keyint=1:info=0:aud=0:vui-timing-info=0:vui-hrd-info=0:tskip=1:pools=none:frame-threads=1:log-level=none"
    )
    needless = frozenset({35, 39, 40})  # access unit delimiter, prefix and suffix SEI (ITU-T H.265, table 7-1)

    def unit_type(self, unit: bytes) -> int:
        return unit[3] >> 1 & 63


class Hevc444(Hevc):
    """The same with a chroma sample a pixel (profile Main 4:4:4 10)."""

    name = "hevc444"
    pixels = "yuv444p10le"


class Avc(NalCodec):
    """H.264/AVC by x264, High profile, 8 bits as its decoders are, tuned for PSNR."""

    name, extension, form = "avc", "h264", "h264"
    unit, settings = "QP", range(51, 0, -1)  # QP 0 is lossless, in another profile
    encoder, pixels = "libx264", "yuv420p"
    arguments = "-preset veryslow -tune psnr -qp {} -x264-params keyint=1:aud=0"
    needless = frozenset({6, 9})  # SEI, which holds x264's settings, and access unit delimiter (ITU-T H.264, table 7-1)

    def unit_type(self, unit: bytes) -> int:
        return unit[3] & 31


class Av1(FfmpegCodec):
    """AV1 by libaom: one still picture with the reduced header, as OBUs with their temporal delimiter of two bytes."""

    name, extension, form = "av1", "obu", "obu"
    unit, settings = "CRF", range(63, -1, -1)
    encoder = "libaom-av1"
    arguments = "-usage good -cpu-used 2 -still-picture 1 -crf {} -b:v 0"


class JpegXl(FfmpegCodec):
    """JPEG XL by libjxl, a codestream without container. The setting is the Butteraugli distance."""

    name, extension, form, reader = "jpegxl", "jxl", "image2pipe", "jpegxl_pipe"
    unit, settings = "distance", tuple(tenth / 10 for tenth in range(150, 0, -1))  # 15 is the most that ffmpeg takes
    encoder, pixels, multiple, smallest = "libjxl", None, 1, 1
    signature = b"\xff\x0a"  # of a bare codestream (ISO/IEC 18181-2)
    arguments = "-effort 9 -distance {}"


def pad(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Grow a picture to `size`, to the right and below, by repeating its edge, which costs the fewest bits."""
    width, height = size
    if size == image.size:
        return image
    padded = Image.new("RGB", size)
    right = image.crop((image.width - 1, 0, image.width, image.height))
    for x in range(image.width, width):
        padded.paste(right, (x, 0))
    padded.paste(image, (0, 0))
    lowest = padded.crop((0, image.height - 1, width, image.height))
    for y in range(image.height, height):
        padded.paste(lowest, (0, y))
    return padded
