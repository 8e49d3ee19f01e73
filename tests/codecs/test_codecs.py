"""Picture codecs at any size, by their names and settings, and how they compare on real pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bench import SAMPLES
from coded_pictures import CODECS, error, noise, photo
from PIL import Image

from cmcbench.codecs import FAMILY, create, decode_stream, extension, video
from cmcbench.errors import BadInput


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (17, 33), (64, 64)], ids=str)
@pytest.mark.parametrize("name", CODECS)
def test_a_picture_of_any_size_comes_back(name, size):
    codec, picture = CODECS[name], photo(*size)
    stream = codec.encode(picture, codec.finest * 9 // 10 if name == "jpeg2000" else codec.finest * 3 // 4)
    again = decode_stream(name, stream, size)
    assert (again.size, again.mode) == (size, "RGB")
    assert error(picture, again) < 8
    assert 0 < codec.bits(stream) == 8 * len(stream)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("colour", [(200, 30, 60), (20, 90, 220), (255, 255, 255), (0, 0, 0)], ids=str)
def test_a_plain_picture_keeps_its_colour(name, colour):
    """Matrix and range are the same on both ways: another matrix is 20 steps off, another range 16."""
    codec, picture = CODECS[name], Image.new("RGB", (33, 20), colour)
    again = codec.decode(codec.encode(picture, codec.finest * 9 // 10), picture.size)
    assert np.abs(np.asarray(again).astype(int) - colour).max() <= (
        8 if name == "jpegxl" else 3
    )  # red and blue in their places


@pytest.mark.parametrize("name", [name for name in CODECS if name not in ("jpeg2000", "jpegxl")])
def test_at_a_high_quality_only_the_chroma_s_subsampling_is_lost(name):
    """No bias, which ffmpeg's default conversion has, and chroma in its place: an error of siting costs several dB."""
    codec = CODECS[name]
    pixels = np.asarray(photo(128, 96)).astype(float)
    # A smooth picture, so that subsampling itself loses little
    smooth = np.asarray(
        Image.fromarray(pixels.astype(np.uint8)).resize((16, 12)).resize((128, 96), Image.Resampling.BICUBIC)
    )
    again = np.asarray(codec.decode(codec.encode(Image.fromarray(smooth), codec.finest), (128, 96))).astype(float)
    assert np.abs((again - smooth).mean((0, 1))).max() < (1 if name == "avif" else 0.5)
    assert 10 * np.log10(255**2 / ((again - smooth) ** 2).mean()) > 41


@pytest.mark.parametrize("name", CODECS)
def test_levels_go_from_few_bits_to_a_good_picture(name):
    codec, picture = CODECS[name], photo(64, 64)
    streams = [codec.encode(picture, level) for level in (0, codec.finest * 3 // 4, codec.finest)]
    bits = [codec.bits(stream) for stream in streams]
    errors = [error(picture, codec.decode(stream, picture.size)) for stream in streams]
    assert bits == sorted(set(bits)) and errors == sorted(errors, reverse=True) and errors[-1] < 3


@pytest.mark.parametrize("size", [(1, 1), (15, 16), (16, 16), (17, 33), (64, 63)], ids=str)
def test_padding_repeats_the_edge(size):
    picture = noise(64).crop((0, 0, *size))
    padded = np.asarray(video.pad(picture, CODECS["vvc"]._padded(size)))
    height, width = padded.shape[:2]
    assert width % 2 == 0 == height % 2 and width >= 16 and height >= 16
    assert width - size[0] in (0, 1) or width == 16
    pixels = np.asarray(picture)
    expected = np.pad(pixels, ((0, height - size[1]), (0, width - size[0]), (0, 0)), mode="edge")
    assert (padded == expected).all()


def test_codecs_by_name():
    assert list(FAMILY) == "vvc hevc hevc444 avc av1 jpeg webp jpeg2000 jpegxl avif".split()
    assert [extension(name) for name in FAMILY] == "vvc hevc hevc h264 obu jpg vp8 j2k jxl obu".split()
    for ask in (create, extension, lambda name: decode_stream(name, b"", (1, 1))):
        with pytest.raises(BadInput, match="there is no codec 'h261'. There are: vvc, hevc"):
            ask("h261")


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("vvc", 40, 40),
        ("vvc", 64, "no QP 64; it takes a whole number from 0 to 63"),
        ("avc", 0, "no QP 0"),
        ("vvc", 40.5, "no QP 40.5"),
        ("webp", 12.3, 12.3),
        ("jpegxl", 2.25, 2.25),
        ("jpegxl", 16, "no distance 16; it takes a number from 0.1 to 15"),
        ("jpeg", math.nan, "no quality nan"),
        ("jpeg", math.inf, "no quality inf"),
        ("jpeg2000", 100, 100),
    ],
)
def test_settings_of_a_user_are_checked(name, value, expected):
    if not isinstance(expected, str):
        assert CODECS[name].setting(value) == expected
        return
    with pytest.raises(BadInput, match=expected):
        CODECS[name].setting(value)


# Rates at equal PSNR, on real pictures

CURVE = {"vvc": (22, 28, 33), "hevc": (10, 16, 21), "avc": (10, 16, 21)}  # levels: QP 41, 35, 30


@pytest.mark.parametrize("sample", ["NSI_pgc_001.png", "NSI_ugc_000.png", "SCI_game_000.png"])
def test_vvc_takes_fewer_bits_than_hevc_and_hevc_fewer_than_avc(sample):
    with Image.open(SAMPLES / sample) as image:
        picture = image.convert("RGB")
    left, top = (picture.width - 256) // 2, (picture.height - 192) // 2
    picture = picture.crop((left, top, left + 256, top + 192))
    rates = {}
    for name, levels in CURVE.items():
        coded = [
            (len(stream), psnr(picture, CODECS[name].decode(stream, picture.size)))
            for stream in (CODECS[name].encode(picture, level) for level in levels)
        ]
        rates[name] = coded
    low = max(points[0][1] for points in rates.values())
    high = min(points[-1][1] for points in rates.values())
    assert high - low > 3
    for level in np.linspace(low, high, 5):
        vvc, hevc, avc = (
            math.exp(np.interp(level, [quality for _, quality in points], [math.log(size) for size, _ in points]))
            for points in rates.values()
        )
        assert vvc < hevc < avc


def psnr(first: Image.Image, second: Image.Image) -> float:
    return 10 * math.log10(255**2 / ((np.asarray(first).astype(float) - np.asarray(second)) ** 2).mean())


def test_hevc_in_444_keeps_sharp_colours_that_420_blurs():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2, 0], pixels[:, 1::2, 2] = 200, 200  # columns of red and of blue
    picture = Image.fromarray(pixels)
    errors = {}
    for name in ("hevc", "hevc444"):
        errors[name] = error(picture, decode_stream(name, CODECS[name].encode(picture, 46), picture.size))
    assert errors["hevc444"] < 3 < 30 < errors["hevc"]
