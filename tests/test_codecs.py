"""Picture codecs at any size, their payload bits, rate control, and the ffmpeg behind them."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import SAMPLES
from PIL import Image

from cmcbench import codecs
from cmcbench.codecs import Avif, Codec, NoRoom, Vvc, coded_picture, decoded, nal_units, scaled, to_budget
from cmcbench.errors import RunFailed

CODECS = {"vvc": Vvc(), "avif": Avif()}
AUD, PREFIX_SEI, SUFFIX_SEI = 20, 23, 24  # NAL unit types of ITU-T H.266, table 5


def photo(width: int, height: int) -> Image.Image:
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:
        return image.convert("RGB").crop((100, 100, 100 + width, 100 + height))


def noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


def error(first: Image.Image, second: Image.Image) -> float:
    """Mean absolute difference in 8-bit steps."""
    return np.abs(np.asarray(first).astype(int) - np.asarray(second)).mean()


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (17, 33), (64, 64)], ids=str)
@pytest.mark.parametrize("name, level", [("vvc", 36), ("avif", 75)])
def test_a_picture_of_any_size_comes_back(name, level, size):
    codec, picture = CODECS[name], photo(*size)
    stream = codec.encode(picture, level)
    again = codec.decode(stream, size)
    assert (again.size, again.mode) == (size, "RGB")
    assert error(picture, again) < 6
    assert 0 < codec.bits(stream) <= 8 * len(stream)


@pytest.mark.parametrize("name", CODECS)
def test_a_plain_picture_keeps_its_colour(name):
    codec, picture = CODECS[name], Image.new("RGB", (33, 20), (200, 30, 60))
    again = codec.decode(codec.encode(picture, codec.finest * 3 // 4), picture.size)
    assert np.abs(np.asarray(again).astype(int) - (200, 30, 60)).max() < 8  # red and blue in their places


@pytest.mark.parametrize("name", CODECS)
def test_levels_go_from_few_bits_to_a_good_picture(name):
    codec, picture = CODECS[name], photo(64, 64)
    streams = [codec.encode(picture, level) for level in (0, codec.finest // 2, codec.finest)]
    bits = [codec.bits(stream) for stream in streams]
    errors = [error(picture, codec.decode(stream, picture.size)) for stream in streams]
    assert bits == sorted(set(bits)) and errors == sorted(errors, reverse=True) and errors[-1] < 3


@pytest.mark.parametrize("size", [(1, 1), (15, 16), (16, 16), (17, 33), (64, 63)], ids=str)
def test_padding_repeats_the_edge(size):
    picture = noise(64).crop((0, 0, *size))
    padded = np.asarray(codecs._pad(picture))
    height, width = padded.shape[:2]
    assert width % 2 == 0 == height % 2 and width >= 16 and height >= 16
    assert width - size[0] in (0, 1) or width == 16
    pixels = np.asarray(picture)
    expected = np.pad(pixels, ((0, height - size[1]), (0, width - size[0]), (0, 0)), mode="edge")
    assert (padded == expected).all()


def test_vvc_streams_lack_what_no_decoder_needs_and_decode_all_the_same(monkeypatch):
    picture = photo(96, 64)
    trimmed = CODECS["vvc"].encode(picture, 30)
    monkeypatch.setattr(Vvc, "needless", set())
    whole = CODECS["vvc"].encode(picture, 30)
    kinds, all_kinds = ([unit[4] >> 3 for unit in nal_units(stream)] for stream in (trimmed, whole))
    assert AUD in all_kinds and not {AUD, PREFIX_SEI, SUFFIX_SEI} & set(kinds)
    assert kinds == [kind for kind in all_kinds if kind not in (AUD, PREFIX_SEI, SUFFIX_SEI)]
    assert len(trimmed) < len(whole)
    assert plainly_decoded("vvc", trimmed) == plainly_decoded("vvc", whole) != b""
    assert np.asarray(CODECS["vvc"].decode(trimmed, picture.size)).tobytes() == plainly_decoded("vvc", trimmed)


def plainly_decoded(form: str, stream: bytes) -> bytes:
    """What an ffmpeg that knows nothing but the stream makes of it, as RGB bytes."""
    arguments = f"-v error -f {form} -i - -f rawvideo -pix_fmt rgb24 -"
    done = subprocess.run([codecs.ffmpeg_program(), *arguments.split()], input=stream, capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    return done.stdout


def test_an_avif_payload_decodes_without_its_container():
    codec, picture = CODECS["avif"], photo(96, 64)
    file = codec.encode(picture, 40)
    payload = coded_picture(file)
    assert codec.bits(file) == 8 * len(payload) and 200 < len(file) - len(payload) < 400
    pixels = np.frombuffer(plainly_decoded("obu", payload), np.uint8).reshape(64, 96, 3)
    assert error(codec.decode(file, picture.size), Image.fromarray(pixels)) < 2  # two conversions of YUV


def test_avif_does_not_pay_for_the_file_s_metadata():
    picture = photo(64, 64)
    plain = CODECS["avif"].encode(picture, 30)
    picture.info.update(exif=b"Exif\0\0" + bytes(300), icc_profile=bytes(300), xmp=bytes(300))
    heavy = CODECS["avif"].encode(picture, 30)
    assert abs(CODECS["avif"].bits(heavy) - CODECS["avif"].bits(plain)) < 8 * 8  # some bits tell of the colour space
    assert np.array_equal(*(CODECS["avif"].decode(file, picture.size) for file in (heavy, plain)))


@pytest.mark.parametrize("name", CODECS)
def test_the_same_picture_gives_the_same_bytes_whatever_the_number_of_cores(name):
    codec, picture, cores = CODECS[name], photo(96, 80), os.sched_getaffinity(0)
    first = codec.encode(picture, 30)
    try:
        os.sched_setaffinity(0, {min(cores)})
        alone = codec.encode(picture.copy(), 30)
    finally:
        os.sched_setaffinity(0, cores)
    assert first == alone == codec.encode(picture, 30)


@pytest.mark.parametrize("name, rate", [("vvc", 0.1), ("avif", 0.3), ("avif", 1.0)])
def test_a_budget_is_used_and_never_exceeded(name, rate):
    codec, picture = CODECS[name], photo(128, 128)
    budget = rate * 128 * 128
    coded = to_budget(codec, picture, budget)
    assert coded.scale == 1 and 0.8 * budget <= coded.bits <= budget
    assert coded.stream == codec.encode(picture, coded.level) and coded.bits == codec.bits(coded.stream)
    assert codec.bits(codec.encode(picture, coded.level + 1)) > budget  # it is the finest


def test_a_rate_below_the_codec_s_floor_is_reached_by_downscaling():
    codec, picture = CODECS["avif"], photo(127, 128)
    coded = to_budget(codec, picture, 0.06 * 127 * 128)
    assert coded.scale == 2 and 0.8 * 0.06 * 127 * 128 <= coded.bits <= 0.06 * 127 * 128
    with Image.open(io.BytesIO(coded.stream)) as small:
        assert small.size == (64, 64)
    again = decoded(codec, coded, picture.size)
    assert again.size == picture.size and error(picture, again) < 25


@pytest.mark.parametrize("name", CODECS)
def test_a_rate_that_cannot_be_reached_is_over_the_budget_and_the_smallest_found(name):
    codec, picture, budget = CODECS[name], photo(64, 64), 0.02 * 64 * 64
    coded = to_budget(codec, picture, budget)
    smaller = [picture.resize(scaled((64, 64), scale), Image.Resampling.LANCZOS) for scale in codecs.SCALES]
    floors = [codec.bits(codec.encode(each, 0)) for each in smaller]
    assert coded.bits == min(floors) > budget and coded.level == 0
    assert decoded(codec, coded, picture.size).size == (64, 64)


def test_vvc_above_8_bits_per_pixel_has_no_room_and_a_larger_budget_is_no_failure():
    """ffmpeg gives libvvenc a buffer of width x height bytes."""
    with pytest.raises(NoRoom):
        CODECS["vvc"].encode(noise(32), 63)
    coded = to_budget(CODECS["vvc"], noise(32), 24 * 32 * 32)
    assert 6 * 32 * 32 < coded.bits <= 8 * 32 * 32 and coded.scale == 1
    assert error(noise(32), decoded(CODECS["vvc"], coded, (32, 32))) < 60


class Ruler(Codec):
    """A codec whose bits are known: (level + floor) x pixels / 100, and that may have no room above a level."""

    name, finest = "ruler", 63

    def __init__(self, floor: int = 1, room: int = 63) -> None:
        self.floor, self.room, self.levels = floor, room, []

    def encode(self, image, level):
        self.levels.append(level)
        if level > self.room:
            raise NoRoom("no room")
        return f"{level} {image.width} {image.height}".encode()

    def decode(self, stream, size):
        level, width, height = map(int, stream.split())
        assert (width, height) == size
        return Image.new("RGB", size, (level,) * 3)

    def bits(self, stream):
        level, width, height = map(int, stream.split())
        return math.ceil((level + self.floor) * width * height / 100)


@pytest.mark.parametrize("room", [63, 40, 8, 0])
def test_rate_control_finds_the_finest_level_in_few_trials(room):
    picture = Image.new("RGB", (100, 100))  # so that level L takes 100 (L + 1) bits
    for budget in [100, 101, 199, 200, 850, 900, 901, 950, 2499, 2500, 3333, 5599, 6300, 6400, 6401, 1e9]:
        codec = Ruler(room=room)
        coded = to_budget(codec, picture, budget)
        assert coded.level == min(int(budget // 100) - 1, room, 63) and coded.scale == 1
        assert coded.bits == 100 * (coded.level + 1) <= budget
        assert len(codec.levels) <= 11 and len(set(codec.levels)) == len(codec.levels)


@pytest.mark.parametrize(
    "budget, scale, level",
    [(1000, 1, 0), (999, 2, 29), (250, 2, 0), (249, 4, 29), (63, 4, 0), (62, 4, 0), (0, 4, 0)],
)
def test_rate_control_scales_where_level_0_is_over_the_budget(budget, scale, level):
    coded = to_budget(Ruler(floor=10), Image.new("RGB", (100, 100)), budget)
    assert (coded.scale, coded.level) == (scale, level)
    assert (coded.bits <= budget) == (budget >= 63)


def test_no_room_at_the_coarsest_level_is_a_failure():
    with pytest.raises(RunFailed, match="no room"):
        to_budget(Ruler(room=-1), Image.new("RGB", (8, 8)), 1e9)


@pytest.mark.parametrize("size", [(100, 100), (101, 99), (1, 1), (3, 5)], ids=str)
def test_the_decoder_gets_the_size_of_the_ground_truth(size):
    for scale in codecs.SCALES:
        stream = Ruler().encode(Image.new("RGB", scaled(size, scale)), 9)
        again = decoded(Ruler(), codecs.Coded(stream, 9, scale, 1), size)
        assert again.size == size and again.getpixel((0, 0)) == (9, 9, 9)


@pytest.mark.parametrize(
    "size, scale, expected", [((7, 8), 2, (4, 4)), ((1, 1), 4, (1, 1)), ((9, 5), 4, (3, 2)), ((6, 4), 1, (6, 4))]
)
def test_scaled_sides_are_rounded_up(size, scale, expected):
    assert scaled(size, scale) == expected


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


def box(kind: bytes, content: bytes, length: "int | None" = None) -> bytes:
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


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda _: b"\0\0\1garbage", lambda whole: whole[:40]])
def test_a_broken_stream_is_a_failed_run(spoil):
    stream = spoil(CODECS["vvc"].encode(Image.new("RGB", (64, 64)), 20))
    with pytest.raises(RunFailed, match="ffmpeg"):
        CODECS["vvc"].decode(stream, (64, 64))


def test_a_stream_of_another_size_is_a_failed_run():
    stream = CODECS["vvc"].encode(Image.new("RGB", (32, 32)), 20)
    with pytest.raises(RunFailed, match="ffmpeg decoded 3072 bytes from a VVC stream of 64x64 pixels"):
        CODECS["vvc"].decode(stream, (64, 64))


def test_what_ffmpeg_says_stands_in_the_error():
    with pytest.raises(RunFailed, match="^ffmpeg failed: .*no_such_option") as failure:
        codecs.ffmpeg("-no_such_option 1 -i - -f null -", b"")
    assert "\n" not in str(failure.value) and not isinstance(failure.value, NoRoom)


def test_an_ffmpeg_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(codecs, "SECONDS", 0.3)
    with pytest.raises(RunFailed, match="ffmpeg took more than 0.3 seconds"):
        codecs.ffmpeg("-re -f lavfi -i color=s=16x16:d=60 -f null -", b"")


def program(folder, body: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def found(monkeypatch, path: str) -> None:
    """imageio-ffmpeg's own way to name another ffmpeg, as a user has who set it."""
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: path)


def test_an_ffmpeg_without_a_vvc_encoder_is_refused(monkeypatch, tmp_path):
    found(monkeypatch, program(tmp_path, "echo ' V....D libx264'"))
    with pytest.raises(RunFailed, match=r"has no VVC encoder \(libvvenc\); pip install -U imageio-ffmpeg"):
        codecs.ffmpeg_program.__wrapped__()


def test_an_ffmpeg_that_does_not_start_is_refused(monkeypatch, tmp_path):
    found(monkeypatch, str(tmp_path / "missing"))
    with pytest.raises(RunFailed, match="there is no ffmpeg .* pip install 'imageio-ffmpeg>="):
        codecs.ffmpeg_program.__wrapped__()


def test_without_imageio_ffmpeg_there_is_no_ffmpeg(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(RunFailed, match="there is no ffmpeg"):
        codecs.ffmpeg_program.__wrapped__()


def test_an_ffmpeg_that_fails_without_a_word_shows_its_exit_code(monkeypatch, tmp_path):
    monkeypatch.setattr(codecs, "ffmpeg_program", lambda: program(tmp_path, "exit 9"))
    with pytest.raises(RunFailed, match="ffmpeg failed: exit code 9"):
        codecs.ffmpeg("-i -", b"")


def test_an_ffmpeg_that_speaks_no_utf8(monkeypatch, tmp_path):
    monkeypatch.setattr(codecs, "ffmpeg_program", lambda: program(tmp_path, "printf 'caf\\351\\nmore\\n' >&2; exit 1"))
    with pytest.raises(RunFailed, match="ffmpeg failed: caf\ufffd$"):
        codecs.ffmpeg("-i -", b"")
