"""Streams of strangers: their units and boxes, broken ones, and ones that would cost too much."""

from __future__ import annotations

import io

import pytest
from coded_pictures import CODECS, photo
from PIL import Image

from cmcbench import codecs
from cmcbench.codecs import Coded, decode_stream, decoded
from cmcbench.codecs.payload import coded_picture, nal_units
from cmcbench.errors import RunFailed


@pytest.mark.parametrize(
    "stream, units",
    [
        (b"", []),
        (b"no start code", []),
        (b"\0\0\1ab", [b"\0\0\1ab"]),
        (b"\0\0\0\1ab\0\0\1cd", [b"\0\0\1ab", b"\0\0\1cd"]),
        (b"\0\0\1ab\0\0\0\0\1cd\0\0\0", [b"\0\0\1ab", b"\0\0\1cd"]),
        (b"\0\0\1a\0\0\3\1b", [b"\0\0\1a\0\0\3\1b"]),  # an escaped start code within a unit
    ],
)
def test_nal_units(stream, units):
    assert nal_units(stream) == units


def box(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    return (8 + len(content) if length is None else length).to_bytes(4, "big") + kind + content


@pytest.mark.parametrize(
    "file, payload",
    [
        (box(b"mdat", b"AV1"), b"AV1"),
        (box(b"ftyp", b"avif") + box(b"meta", b"mdat" * 3) + box(b"mdat", b"AV1") + box(b"free", b"x"), b"AV1"),
        (box(b"ftyp", b"") + box(b"mdat", b"to the end", length=0), b"to the end"),
        (box(b"mdat", b""), b""),
    ],
)
def test_the_coded_picture_of_an_avif_file(file, payload):
    assert coded_picture(file) == payload


@pytest.mark.parametrize(
    "file", [b"", b"mdat", box(b"ftyp", b"mdat"), box(b"ftyp", b"", length=0) + box(b"mdat", b"x")]
)
def test_a_file_without_a_coded_picture(file):
    with pytest.raises(RunFailed, match="without a picture"):
        coded_picture(file)


SPOILT = {"empty": lambda _: b"", "garbage": lambda _: b"\0\0\1garbage", "cut": lambda whole: whole[:20]}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("name", CODECS)
def test_a_broken_stream_is_a_failed_run(name, spoil):
    stream = spoil(CODECS[name].encode(Image.new("RGB", (64, 64)), 20))
    with pytest.raises(RunFailed, match="ffmpeg|Pillow"):
        decode_stream(name, stream, (64, 64))


@pytest.mark.parametrize("name", [name for name in CODECS if name != "avif"])  # libavif brings it to the size expected
def test_a_stream_of_another_size_is_a_failed_run(name):
    stream = CODECS[name].encode(Image.new("RGB", (32, 32)), 20)
    with pytest.raises(RunFailed, match="64x64|ffmpeg failed"):
        decode_stream(name, stream, (64, 64))


@pytest.mark.parametrize("name", ["vvc", "hevc", "avc", "av1", "jpegxl"])
def test_a_stream_that_is_much_larger_than_it_should_be_is_not_decoded(name):
    stream = CODECS[name].encode(Image.new("RGB", (512, 512)), 0)
    with pytest.raises(RunFailed, match="ffmpeg"):
        decode_stream(name, stream, (16, 16))


@pytest.mark.parametrize("scale, size", [(1, (48, 32)), (2, (47, 33)), (4, (50, 30))])
def test_a_stored_stream_decodes_by_codec_size_and_scale_alone(scale, size):
    picture = photo(*size)
    coded = Coded(CODECS["jpeg"].encode(codecs.scaled_down(picture, scale), 80), 80, scale, 0)
    assert decode_stream("jpeg", coded.stream, size, scale).tobytes() == decoded(CODECS["jpeg"], coded, size).tobytes()


def test_a_jpeg_stream_of_very_many_scans_is_not_decoded():
    from cmcbench.codecs import create

    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 199)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    with pytest.raises(RunFailed, match="scans, at most 64 are decoded"):
        create("jpeg").decode(data[:-2] + data[last:-2] * 3000 + data[-2:], (64, 64))
