"""Picture codecs for the reference, and rate control over them.

A codec turns an RGB picture and a level into a stream, and a stream into the picture. Levels are whole numbers from
0 (fewest bits) up to `finest`. A stream's bits are those of the payload that a decoder needs, not of a container.
"""

from __future__ import annotations

import functools
import io
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass

from PIL import Image

from ..errors import BadInput, RunFailed

SECONDS = 600  # an ffmpeg that takes longer for one picture hangs
NO_ROOM = "Error submitting video frame"  # what ffmpeg says of a picture whose stream outgrows libvvenc's buffer
SCALES = (1, 2, 4)  # what a picture's sides may be divided by where its codec cannot go as low as the budget


class NoRoom(RunFailed):
    """The encoder cannot write a stream as long as this level's; a coarser one fits."""


class Codec(ABC):
    """A picture codec. `name` stands in Ref/rate.csv."""

    name: str
    extension: str  # of the file of a stream
    finest: int

    @abstractmethod
    def encode(self, image: Image.Image, level: int) -> bytes:
        """The stream of an RGB picture of any size from 1x1. Raises NoRoom where it would be too long to write."""

    @abstractmethod
    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        """The RGB picture of `size` (width, height) that the stream holds."""

    def bits(self, stream: bytes) -> int:
        """Bits of the stream that a decoder needs."""
        return 8 * len(stream)


class Vvc(Codec):
    """H.266/VVC, one intra picture, through the libvvenc of an ffmpeg, run as a program of its own. Level 0 is QP 63."""

    name = extension = "vvc"
    finest = 63
    needless = {20, 23, 24}  # NAL units of type AUD and SEI: decoding does without them (ITU-T H.266, table 5)

    def encode(self, image: Image.Image, level: int) -> bytes:
        padded = _pad(image)
        width, height = padded.size
        stream = ffmpeg(  # which gives libvvenc a buffer of width x height bytes
            f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -i - -frames:v 1 -pix_fmt yuv420p10le -c:v libvvenc "
            f"-preset medium -qp {self.finest - level} -qpa 0 -threads 1 "
            f"-vvenc-params gopsize=1:intraperiod=1:decodingrefreshtype=idr -f vvc -",
            padded.tobytes(),
        )
        return b"".join(unit for unit in nal_units(stream) if unit[4] >> 3 not in self.needless)

    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        width, height = _padded(size)
        pixels = ffmpeg("-f vvc -i - -frames:v 1 -f rawvideo -pix_fmt rgb24 -", stream)
        if len(pixels) != width * height * 3:
            raise RunFailed(f"ffmpeg decoded {len(pixels)} bytes from a VVC stream of {width}x{height} pixels")
        return Image.frombytes("RGB", (width, height), pixels).crop((0, 0, *size))


class Avif(Codec):
    """AV1 still picture through Pillow. What counts is the coded picture, not AVIF's container of some 267 bytes."""

    name = extension = "avif"
    finest = 100

    def encode(self, image: Image.Image, level: int) -> bytes:
        file = io.BytesIO()
        image.save(file, format="AVIF", quality=level, subsampling="4:2:0", speed=4, max_threads=1)
        return file.getvalue()

    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        return Image.open(io.BytesIO(stream)).convert("RGB")

    def bits(self, stream: bytes) -> int:
        return 8 * len(coded_picture(stream))


@dataclass(frozen=True)
class Coded:
    """A picture after rate control: its stream, the level, what its sides were divided by, and its bits."""

    stream: bytes
    level: int
    scale: int
    bits: int


def to_budget(codec: Codec, image: Image.Image, budget: float) -> Coded:
    """The finest coding of an RGB picture within `budget` bits.

    Where the codec's coarsest level is over the budget, the picture is first downscaled by 2, then 4 (`Coded.scale`
    says so). Where that is not enough either, the smallest coding found is returned and is over the budget.
    """
    smallest = None
    for scale in SCALES:
        picture = image if scale == 1 else image.resize(scaled(image.size, scale), Image.Resampling.LANCZOS)
        coarsest = _coded(codec, picture, 0, scale)
        if coarsest.bits <= budget:
            return _finest_within(codec, picture, budget, coarsest)
        if smallest is None or coarsest.bits < smallest.bits:
            smallest = coarsest
    return smallest


def decoded(codec: Codec, coded: Coded, size: tuple[int, int]) -> Image.Image:
    """The picture of `size` (width, height) that a decoder gets from `coded`."""
    picture = codec.decode(coded.stream, scaled(size, coded.scale))
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def scaled(size: tuple[int, int], scale: int) -> tuple[int, int]:
    """(width, height) divided by `scale`, rounded up."""
    return -(-size[0] // scale), -(-size[1] // scale)


def _finest_within(codec: Codec, picture: Image.Image, budget: float, best: Coded) -> Coded:
    """Search for the finest level within the budget, from `best`, which is within it. Bits grow with the level.

    Steps outwards before it bisects: low rates lie near level 0, and fine levels cost an encoder the most time.
    """
    low, high, step = best.level, codec.finest + 1, 8  # low fits; high does not, or is past the end
    while high - low > 1:
        middle = min(low + step, codec.finest) if step else (low + high) // 2
        try:
            trial = _coded(codec, picture, middle, best.scale)
        except NoRoom:
            trial = None
        if trial and trial.bits <= budget:
            low, best, step = middle, trial, step * 2
        else:
            high, step = middle, 0
    return best


def _coded(codec: Codec, picture: Image.Image, level: int, scale: int) -> Coded:
    stream = codec.encode(picture, level)
    return Coded(stream, level, scale, codec.bits(stream))


@functools.lru_cache(maxsize=None)
def ffmpeg_program() -> str:
    """The ffmpeg with libvvenc that imageio-ffmpeg brings. Raises RunFailed where there is none."""
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
        encoders = subprocess.run([program, "-v", "error", "-encoders"], capture_output=True, timeout=60).stdout
    except (ImportError, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        raise RunFailed(f"there is no ffmpeg ({error}); pip install 'imageio-ffmpeg>=0.8' brings one") from None
    if b"libvvenc" not in encoders:
        raise RunFailed(f"{program} has no VVC encoder (libvvenc); pip install -U imageio-ffmpeg brings one that has")
    return program


def ffmpeg(arguments: str, data: bytes) -> bytes:
    """Run ffmpeg with `data` on its standard input; returns its standard output. Raises RunFailed with its last line."""
    command = [ffmpeg_program(), "-v", "error", "-nostdin", *arguments.split()]
    try:
        # a session of its own: Ctrl-C stops this program, which then lets the picture in work end
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, start_new_session=True)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"ffmpeg took more than {SECONDS} seconds for one picture") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise (NoRoom if NO_ROOM in lines[0] else RunFailed)(f"ffmpeg failed: {lines[0]}")
    return done.stdout


def nal_units(stream: bytes) -> list[bytes]:
    """Split an Annex B byte stream at its start codes; each unit keeps a three-byte start code."""
    parts = stream.split(b"\0\0\1")[1:]
    # zero bytes before a start code belong to the start code, not to the unit (ITU-T H.266, annex B)
    return [b"\0\0\1" + part.rstrip(b"\0") for part in parts]


def coded_picture(file: bytes) -> bytes:
    """The content of an AVIF file's `mdat` box: the AV1 stream of its one picture (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while position + 8 <= len(file):
        length, kind = int.from_bytes(file[position : position + 4], "big"), file[position + 4 : position + 8]
        end = position + length if length else len(file)
        if kind == b"mdat":
            return file[position + 8 : end]
        position = end
    raise RunFailed("Pillow wrote an AVIF file without a picture in it")


def _padded(size: tuple[int, int]) -> tuple[int, int]:
    """The size that VVC codes: even sides, at least 16 pixels, which is the smallest picture that libvvenc takes."""
    return tuple(max(16, side + side % 2) for side in size)


def _pad(image: Image.Image) -> Image.Image:
    """Grow a picture to the right and below by repeating its edge, which costs the fewest bits."""
    width, height = _padded(image.size)
    if (width, height) == image.size:
        return image
    padded = Image.new("RGB", (width, height))
    right = image.crop((image.width - 1, 0, image.width, image.height))
    for x in range(image.width, width):
        padded.paste(right, (x, 0))
    padded.paste(image, (0, 0))
    lowest = padded.crop((0, image.height - 1, width, image.height))
    for y in range(image.height, height):
        padded.paste(lowest, (0, y))
    return padded


FAMILY = {codec.name: codec for codec in (Vvc, Avif)}


def create(name: str) -> Codec:
    """The codec of that name. Raises BadInput for one that there is none of."""
    if name not in FAMILY:
        raise BadInput(f"there is no codec {ascii(name)}. There are: {', '.join(FAMILY)}.")
    return FAMILY[name]()


def extension(codec_name: str) -> str:
    """What the files of a codec's streams end with, without the dot."""
    return create(codec_name).extension


def decode_stream(codec_name: str, stream: bytes, size: tuple[int, int], scale: int = 1) -> Image.Image:
    """The RGB picture of `size` (width, height) that a stored stream holds.

    scale: what the sides were divided by before coding. Raises RunFailed for a stream that does not decode to that.
    """
    return decoded(create(codec_name), Coded(stream, 0, scale, 0), size)
