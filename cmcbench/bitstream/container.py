"""The file that stands for one image in one mode: all that a decoder is sent. docs/rates.md shows it byte by byte."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ImageProblem
from ..files.csv_tables import LARGEST_CELL
from ..files.references import check_size
from ..protocol import MODES
from . import dictionary
from .bits import grid_size

ENDING = ".cmc"
MAGIC = 0xCB
VERSION = 0
MODE_ORDER = ("full", "image", "pixel", "text")  # their numbers in a file; fixed for ever
SCALES = (1, 2, 4)
# Their numbers in a file; fixed for ever, new ones go to the end
CODECS = ("vvc", "avif", "hevc", "avc", "av1", "jpeg", "webp", "jpeg2000", "jpegxl", "hevc444")
LONGEST_NUMBER = 5  # bytes
LARGEST_FILE = 1 << 26  # bytes; a picture of Pillow's size limit at 6 bits per pixel


@dataclass(frozen=True)
class Sent:
    """What a decoder is sent of one image.

    size: (width, height) of the picture to make. caption: None in image mode. grid: a byte for each 64x64 block, row by
    row, in pixel mode (cmcbench/grid.py). codec, scale, stream: the image reference, in full and image mode; scale is
    what the
    picture's sides were divided by before coding.
    """

    mode: str
    size: tuple[int, int]
    caption: str | None = None
    grid: bytes | None = None
    codec: str = ""
    scale: int = 1
    stream: bytes = b""


def encode(sent: Sent, stem: str, deflated: bool = False) -> bytes:
    """The file of an image called `stem`. Raises ImageProblem for what the format cannot hold.

    deflated: whether the caption is deflated with the dictionary for the image's fold, else it is plain UTF-8.
    """
    mode = MODES[sent.mode]
    fold = dictionary.fold(stem) if deflated and mode.captioned else 0
    flags = (VERSION << 6) | (MODE_ORDER.index(sent.mode) << 4) | (bool(deflated and mode.captioned) << 3) | (fold << 2)
    body = b""
    if mode.captioned:
        caption = _caption_bytes(sent.caption or "")
        caption = dictionary.deflate(sent.caption or "", dictionary.load(fold)) if deflated else caption
        body += _number(len(caption)) + caption
    if mode.reference == "pixel":
        body += sent.grid or b""
    if mode.reference == "image":
        if sent.codec not in CODECS:
            raise ImageProblem(f"its reference is coded by {ascii(sent.codec)}, which the format has no number for")
        if sent.scale not in SCALES:
            raise ImageProblem(
                f"its reference is coded at 1/{sent.scale} of its size, which the format has no number for"
            )
        flags |= SCALES.index(sent.scale)
        body += bytes((CODECS.index(sent.codec),)) + sent.stream
    return bytes((MAGIC, flags)) + _number(sent.size[0]) + _number(sent.size[1]) + body


def decode(data: bytes) -> Sent:
    """What a file holds; the picture's stream is not decoded. Raises ImageProblem for whatever `encode` does not write.

    Takes no more memory than the file and its caption, which is at most 4 MiB.
    """
    reader = _Reader(data)
    if reader.byte() != MAGIC:
        raise ImageProblem("is not a file of this format")
    flags = reader.byte()
    if flags >> 6 != VERSION:
        raise ImageProblem(f"is of version {flags >> 6} of the format, and this program reads version {VERSION}")
    mode = MODES[MODE_ORDER[flags >> 4 & 3]]
    deflated, fold, scale = flags >> 3 & 1, flags >> 2 & 1, flags & 3
    senseless = (
        deflated and not mode.captioned,
        fold and not deflated,
        scale >= len(SCALES),
        scale and mode.reference != "image",
    )
    if any(senseless):
        raise ImageProblem("is damaged: its flags contradict each other")
    try:
        size = check_size(reader.number(), reader.number())
    except ValueError as error:
        raise ImageProblem(f"is damaged: {error}") from None
    caption, grid, codec, stream = None, None, "", b""
    if mode.captioned:
        caption = _caption(reader.take(reader.number()), fold if deflated else None)
    if mode.reference == "pixel":
        columns, rows = grid_size(*size)
        grid = reader.take(columns * rows)
    if mode.reference == "image":
        number = reader.byte()
        if number >= len(CODECS):
            raise ImageProblem(f"is damaged, or newer than this program: there is no codec number {number}")
        codec, stream = CODECS[number], reader.rest()
    if reader.rest():
        raise ImageProblem("is damaged: it goes on after its end")
    return Sent(mode.name, size, caption, grid, codec, SCALES[scale], stream)


def _caption_bytes(text: str) -> bytes:
    """A caption as UTF-8, if a caption file gives it back as it is: it strips its texts."""
    problem = ""
    if not text:
        problem = "there is none"
    elif text != text.strip():
        problem = "it begins or ends with white space"
    elif "\0" in text:
        problem = "it holds a NUL character"
    elif len(text) > LARGEST_CELL:
        problem = f"it has more than {LARGEST_CELL} characters"
    if problem:
        raise ImageProblem(f"its caption cannot be sent: {problem}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ImageProblem("its caption cannot be sent: it holds half a surrogate pair, which UTF-8 cannot") from None


def _caption(data: bytes, fold: int | None) -> str:
    try:
        data = data if fold is None else dictionary.inflate(data, dictionary.load(fold), 4 * LARGEST_CELL)
        text = data.decode("utf-8")
    except ValueError as error:  # of what is not deflated, and of what is not UTF-8
        raise ImageProblem(f"is damaged: its caption cannot be read, {error}") from None
    _caption_bytes(text)
    return text


def _number(value: int) -> bytes:
    """A whole number in 7 bits a byte, the lowest first; the highest bit tells that another byte follows (LEB128)."""
    data = bytearray()
    while value > 0x7F:
        data.append(0x80 | value & 0x7F)
        value >>= 7
    return bytes((*data, value))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, count: int) -> bytes:
        part = self._data[self._place : self._place + count]
        if len(part) < count:
            raise ImageProblem("is truncated" if self._data else "is an empty file")
        self._place += count
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = 0
        for place in range(LONGEST_NUMBER):
            byte = self.byte()
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                if place and not byte:
                    break  # longer than it needs to be
                return value
        raise ImageProblem("is damaged: it holds an invalid number")

    def rest(self) -> bytes:
        part = self._data[self._place :]
        self._place = len(self._data)
        return part
