"""The packed file: byte by byte, round trips of odd captions and sizes, and hostile bytes."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace

import pytest

from cmcbench.bitstream import container, dictionary
from cmcbench.bitstream.bits import grid_size
from cmcbench.bitstream.container import Sent, decode, encode
from cmcbench.codecs import FAMILY, SCALES
from cmcbench.errors import ImageProblem
from cmcbench.files import captions, csv_tables
from cmcbench.protocol import MODES

CAPTIONS = {
    "short": "x",
    "three thousand characters": ("An informative paragraph in ten words. " * 80)[:3000].strip(),
    "long of two bytes": "ü" * 3000,
    "right to left": "שלום עולם مرحبا بالعالم",
    "emoji": "🏠👩‍👩‍👧‍👦🏳️‍🌈 a house",
    "control characters": "a\x01b\x1b[31mc\x7fd\x85e\u2028f\u202eg",
    "newlines": "one\ntwo\r\nthree\rfour\tfive",
    "quotes and commas": "a \"quoted\", one; 'two', =1+1",
    "beyond the basic plane": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0010ffff",
    "a byte order mark within": "a\ufeffb",
    "unpaired by normalization": "e\u0301 é ﬁ",
}
SIZES = [(1, 1), (64, 64), (65, 64), (127, 129), (768, 512), (4096, 4096), (1, 4096), (300, 128)]


def sent(
    mode: str, caption: str = "A red house.", size: tuple[int, int] = (65, 64), stream: bytes = b"\0\1stream"
) -> Sent:
    columns, rows = grid_size(*size)
    reference = MODES[mode].reference
    return Sent(
        mode,
        size,
        caption if MODES[mode].captioned else None,
        bytes(number % 256 for number in range(columns * rows)) if reference == "pixel" else None,
        *(("vvc", 2, stream) if reference == "image" else ("", 1, b"")),
    )


def test_byte_by_byte():
    """As docs/rates.md tells it."""
    assert encode(sent("text", "Hi"), "a") == bytes((0xCB, 0b00_11_0_0_00, 65, 64, 2)) + b"Hi"
    assert encode(sent("image", size=(200, 1)), "a") == bytes((0xCB, 0b00_01_0_0_01, 0xC8, 0x01, 1, 0)) + b"\0\1stream"
    assert encode(sent("pixel", "Hi"), "a") == bytes((0xCB, 0b00_10_0_0_00, 65, 64, 2)) + b"Hi\0\1"
    assert encode(sent("full", "Hi"), "a") == bytes((0xCB, 0b00_00_0_0_01, 65, 64, 2)) + b"Hi\0" + b"\0\1stream"
    fold = dictionary.fold("NSI_pgc_000")
    packed = dictionary.deflate("Hi", dictionary.load(fold))
    assert (
        encode(sent("text", "Hi"), "NSI_pgc_000", True)
        == bytes((0xCB, 0b00_11_1_0_00 | fold << 2, 65, 64, len(packed))) + packed
    )


def test_the_numbers_in_a_file_are_fixed_for_ever():
    assert container.MODE_ORDER == ("full", "image", "pixel", "text") and set(container.MODE_ORDER) == set(MODES)
    assert container.CODECS[:9] == ("vvc", "avif", "hevc", "avc", "av1", "jpeg", "webp", "jpeg2000", "jpegxl")
    assert set(FAMILY) <= set(container.CODECS) and set(SCALES) <= set(container.SCALES)


@pytest.mark.parametrize("deflated", [False, True], ids=["raw", "deflate"])
@pytest.mark.parametrize("caption", CAPTIONS.values(), ids=CAPTIONS)
def test_captions_come_back(tmp_path, caption, deflated):
    for mode in ("full", "pixel", "text"):
        whole = sent(mode, caption)
        assert decode(encode(whole, "SCI_game_001", deflated)) == whole
    captions.write(tmp_path / "a.csv", {"a.png": caption})  # as unpack does
    assert captions.read(tmp_path / "a.csv").texts == {"a.png": caption}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("mode", MODES)
def test_sizes_come_back(mode, size):
    whole = sent(mode, size=size)
    data = encode(whole, "a")
    assert decode(data) == whole
    body = len(whole.caption or "") + len(whole.grid or b"") + len(whole.stream)
    assert len(data) - body <= 9  # the header


def test_image_mode_sends_no_caption():
    whole = replace(sent("image"), caption="")
    assert decode(encode(whole, "a", deflated=True)) == sent("image")


@pytest.mark.parametrize(
    "caption, words",
    [
        ("", "there is none"),
        (" a", "white space"),
        ("a\n", "white space"),
        ("a\0b", "NUL"),
        ("a\ud800b", "half a surrogate pair"),
        ("a" * (csv_tables.LARGEST_CELL + 1), "more than"),
    ],
    ids=["none", "before", "after", "NUL", "surrogate", "long"],
)
@pytest.mark.parametrize("deflated", [False, True])
def test_captions_that_cannot_be_sent_are_refused_and_not_changed(caption, words, deflated):
    with pytest.raises(ImageProblem, match=words):
        encode(sent("text", caption), "a", deflated)


def test_references_that_the_format_has_no_number_for():
    for other in (replace(sent("image"), codec="mine"), replace(sent("full"), scale=8)):
        with pytest.raises(ImageProblem, match="no number for"):
            encode(other, "a")


BROKEN = {
    "empty": (b"", "empty file"),
    "another format": (b"\x89PNG\r\n\x1a\n", "not a file of this format"),
    "one byte": (b"\xcb", "truncated"),
    "a later version": (b"\xcb\x70\1\1\1a", "version 1"),
    "deflated in image mode": (b"\xcb\x18\1\1\0x", "flags"),
    "a fold without a dictionary": (b"\xcb\x34\1\1\1a", "flags"),
    "a scale in text mode": (b"\xcb\x31\1\1\1a", "flags"),
    "no such scale": (b"\xcb\x13\1\1\0x", "flags"),
    "width 0": (b"\xcb\x30\0\1\1a", "size"),
    "height 0": (b"\xcb\x30\1\0\1a", "size"),
    "a picture for gigabytes": (b"\xcb\x20" + b"\xff\xff\xff\x7f" * 2 + b"\1a" + bytes(8), "size"),
    "a number without end": (b"\xcb\x30" + b"\xff" * 16, "number"),
    "a number longer than it needs to be": (b"\xcb\x30\x81\x00\1\1a", "number"),
    "a caption longer than the file": (b"\xcb\x30\1\1" + b"\xff\xff\xff\x7f" + b"a", "truncated"),
    "no caption": (b"\xcb\x30\1\1\0", "there is none"),
    "a caption that is no UTF-8": (b"\xcb\x30\1\1\2\xc3\x28", "caption cannot be read"),
    "a caption that a CSV would strip": (b"\xcb\x30\1\1\2 a", "white space"),
    "a caption that is not deflated": (b"\xcb\x38\1\1\2\xff\xff", "caption cannot be read"),
    "no such codec": (b"\xcb\x10\1\1\xc8x", "codec number 200"),
    "a grid too short": (b"\xcb\x20\x41\1\1ax", "truncated"),
    "a grid too long": (b"\xcb\x20\1\1\1axx", "after its end"),
    "text that goes on": (b"\xcb\x30\1\1\1ab", "after its end"),
}


@pytest.mark.parametrize("data, words", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_refused(data, words):
    with pytest.raises(ImageProblem, match=words):
        decode(data)


def test_every_beginning_of_a_file_but_of_a_stream_is_refused():
    for mode in ("pixel", "text"):
        for deflated in (False, True):
            data = encode(sent(mode), "a", deflated)
            for end in range(len(data)):
                with pytest.raises(ImageProblem):
                    decode(data[:end])


def test_what_decodes_encodes_to_the_same_bytes_and_nothing_else_is_raised():
    """Random bytes, and files with bits flipped: refused, or another file of the format."""
    chance = random.Random(5)
    texts = ("Hi", "ü🏠 " * 20 + "x")
    files = [encode(sent(mode, text), "b", deflated) for mode in MODES for text in texts for deflated in (False, True)]
    kept = 0
    for trial in range(6000):
        data = bytearray(chance.choice(files) if trial % 3 else chance.randbytes(chance.randrange(40)))
        if trial % 3 == 0 and len(data) > 1 and trial % 2:
            data[0] = container.MAGIC
        for _ in range(chance.randrange(4) if trial % 3 else 0):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            found = decode(bytes(data))
        except ImageProblem:
            continue
        kept += 1
        if not data[1] & 8:  # a deflated caption may be coded in more than one way
            assert encode(found, "b") == bytes(data)
    assert kept > 500


def test_a_small_file_takes_little_memory():
    bomb = dictionary.deflate("a" * 30_000_000, dictionary.load(0))
    hostile = [
        b"\xcb\x20" + b"\xb8\x49" * 2 + b"\1a" + bytes(8),  # a grid of 9400x9400 that is not there
        b"\xcb\x38\1\1" + container._number(len(bomb)) + bomb,
    ]
    tracemalloc.start()
    try:
        for data in hostile:
            with pytest.raises(ImageProblem):
                decode(data)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
