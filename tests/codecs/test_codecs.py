"""Picture codecs at any size, their payload bits, rate control, and the ffmpeg behind them."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from bench import SAMPLES
from PIL import Image

from cmcbench import codecs
from cmcbench.codecs import (
    FAMILY,
    Codec,
    Coded,
    NoRoom,
    Search,
    create,
    decode_stream,
    decoded,
    extension,
    ffmpeg,
    scaled,
    to_budget,
    video,
)
from cmcbench.codecs.payload import avif_file, coded_picture, nal_units, vp8_frame, webp_file, without_segments
from cmcbench.errors import BadInput, RunFailed

CODECS = {name: create(name) for name in FAMILY}
VIDEO = {
    "vvc": "vvc",
    "hevc": "hevc",
    "avc": "h264",
    "av1": "obu",
    "avif": "obu",
}  # and what ffmpeg calls their streams


def photo(width: int, height: int) -> Image.Image:
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:
        return image.convert("RGB").crop((100, 100, 100 + width, 100 + height))


def noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


def error(first: Image.Image, second: Image.Image) -> float:
    """Mean absolute difference in 8-bit steps."""
    return np.abs(np.asarray(first).astype(int) - np.asarray(second)).mean()


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


NEEDLESS = {
    "vvc": {20, 23, 24},
    "hevc": {35, 39, 40},
    "avc": {6, 9},
}  # access unit delimiters and SEI, by the standards


@pytest.mark.parametrize("name", NEEDLESS)
def test_streams_lack_what_no_decoder_needs_and_decode_all_the_same(name, monkeypatch):
    codec, picture = CODECS[name], photo(96, 64)
    trimmed = codec.encode(picture, 30)
    monkeypatch.setattr(type(codec), "needless", frozenset())
    whole = codec.encode(picture, 30)
    kinds, all_kinds = ([codec.unit_type(unit) for unit in nal_units(stream)] for stream in (trimmed, whole))
    assert len(kinds) >= 3 and not NEEDLESS[name] & set(kinds)
    assert kinds == [kind for kind in all_kinds if kind not in NEEDLESS[name]]
    assert name == "hevc" or len(trimmed) < len(whole)  # x265 can be told not to write its SEI
    assert b"x264" not in trimmed and b"x265" not in trimmed
    assert plainly_decoded(name, trimmed) == plainly_decoded(name, whole) != b""


def plainly_decoded(name: str, stream: bytes) -> bytes:
    """What an ffmpeg that knows nothing but the stream makes of it, as its own Y, U and V."""
    arguments = f"-v error -f {VIDEO[name]} -i - -f rawvideo -"
    done = subprocess.run([codecs.ffmpeg_program(), *arguments.split()], input=stream, capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    return done.stdout


@pytest.mark.parametrize("name", VIDEO)
def test_a_stored_stream_is_one_that_any_decoder_reads(name):
    picture = photo(96, 64)
    depth = 1 if name in ("avc", "avif") else 2
    assert len(plainly_decoded(name, CODECS[name].encode(picture, 30))) == 96 * 64 * 3 // 2 * depth


def test_an_avif_payload_decodes_without_its_container():
    """And its sequence header tells what the container's colr box tells."""
    codec, picture = CODECS["avif"], photo(97, 64)
    file = io.BytesIO()
    picture.save(file, format="AVIF", quality=40, subsampling="4:2:0", speed=4, max_threads=1)
    payload = codec.encode(picture, 40)
    assert payload == coded_picture(file.getvalue()) and 200 < len(file.getvalue()) - len(payload) < 400
    with Image.open(file) as whole:
        assert codec.decode(payload, picture.size).tobytes() == whole.convert("RGB").tobytes()
    assert b"colr" not in avif_file(payload, picture.size)


@pytest.mark.parametrize("size", [(96, 64), (33, 21)], ids=str)
def test_a_webp_payload_is_its_vp8_frame(size):
    picture, file = photo(*size), io.BytesIO()
    picture.save(file, format="WEBP", quality=30, method=6)
    frame = CODECS["webp"].encode(picture, 300)
    assert frame == vp8_frame(file.getvalue()) and webp_file(frame) == file.getvalue()
    assert frame[3:6] == b"\x9d\x01\x2a"  # the start code of a key frame (RFC 6386, 9.1)
    assert len(file.getvalue()) - len(frame) in (20, 21)


def test_a_webp_file_with_more_than_a_picture_is_none_of_ours():
    file = io.BytesIO()
    Image.new("RGBA", (8, 8), (1, 2, 3, 4)).save(file, format="WEBP", quality=30)
    with pytest.raises(RunFailed, match="more than a picture"):
        vp8_frame(file.getvalue())


@pytest.mark.parametrize("name, options", [("jpeg", {"optimize": True}), ("jpeg2000", {"no_jp2": True})])
def test_jpeg_streams_lack_headers_and_comments_and_decode_to_the_same_picture(name, options):
    codec, picture = CODECS[name], photo(64, 48)
    stream = codec.encode(picture, codec.finest // 2)
    assert b"JFIF" not in stream and b"OpenJPEG" not in stream
    file = io.BytesIO()
    picture.save(file, format=codec.form, **{**options, **codec.options(codec.settings[codec.finest // 2])})
    assert b"JFIF" in file.getvalue() or b"OpenJPEG" in file.getvalue()
    with Image.open(file) as whole:
        assert codec.decode(stream, picture.size).tobytes() == whole.convert("RGB").tobytes()


def test_jpeg_takes_the_shorter_of_baseline_and_progressive():
    small, large = (CODECS["jpeg"].encode(photo(200, 200), level) for level in (0, 90))
    assert b"\xff\xc0" in small and b"\xff\xc2" in large


@pytest.mark.parametrize(
    "stream, rest",
    [
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xdb\0\3x\xff\xda\0\2\xff\xe0", b"\xff\xd8\xff\xdb\0\3x\xff\xda\0\2\xff\xe0"),
        (b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xda"),
        (b"\xff\xd8", b"\xff\xd8"),
        (b"", b""),
        (b"\xff\xd8\xff\xe0\xff\xff", b"\xff\xd8"),
    ],
)
def test_segments_are_taken_off_before_the_scan_only(stream, rest):
    assert without_segments(stream, frozenset({0xE0})) == rest


@pytest.mark.parametrize("name", ["avif", "jpeg", "webp", "jpeg2000", "jpegxl"])
def test_nobody_pays_for_the_file_s_metadata(name):
    codec, picture = CODECS[name], photo(64, 64)
    plain = codec.encode(picture, 30)
    picture.info.update(exif=b"Exif\0\0" + bytes(300), icc_profile=bytes(300), xmp=bytes(300), comment=b"hello")
    assert codec.encode(picture, 30) == plain


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


@pytest.mark.parametrize("name, rate", [*((name, 0.3) for name in CODECS), ("avif", 1.0), ("webp", 1.0), ("jpeg", 1.0)])
def test_a_budget_is_used_and_never_exceeded(name, rate):
    codec, picture = CODECS[name], photo(96, 96)
    budget = rate * 96 * 96
    coded = to_budget(codec, picture, budget)
    assert coded.scale in ((1, 2) if rate < 1 else (1,)) and 0.8 * budget <= coded.bits <= budget and coded.seconds > 0
    small = picture if coded.scale == 1 else picture.resize((48, 48), Image.Resampling.LANCZOS)
    assert coded.stream == codec.encode(small, coded.level) and coded.bits == codec.bits(coded.stream)


def test_a_rate_below_the_codec_s_floor_is_reached_by_downscaling():
    codec, picture = CODECS["avif"], photo(127, 128)
    coded = to_budget(codec, picture, 0.06 * 127 * 128)
    assert coded.scale == 2 and 0.8 * 0.06 * 127 * 128 <= coded.bits <= 0.06 * 127 * 128
    assert codec.decode(coded.stream, (64, 64)).size == (64, 64)
    again = decoded(codec, coded, picture.size)
    assert again.size == picture.size and error(picture, again) < 25


@pytest.mark.parametrize("name", ["vvc", "avif"])
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

    name, extension, unit, settings = "ruler", "cm", "mark", range(64)

    def __init__(self, floor: int = 1, room: int = 63) -> None:
        self.floor, self.room, self.levels = floor, room, []

    def compress(self, image, level):
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
        assert len(codec.levels) <= 11 + 4 * (coded.bits < 0.8 * budget) and len(set(codec.levels)) == len(codec.levels)


def test_several_budgets_cost_little_more_than_one_and_do_not_change_each_other():
    picture, budgets = Image.new("RGB", (100, 100)), [1000, 2000, 4000, 6000]
    codec = Ruler()
    search = Search(codec, picture)
    together = [search.within(budget) for budget in budgets]
    alone = [to_budget(Ruler(), picture, budget) for budget in budgets]
    assert together == alone and len(set(codec.levels)) == len(codec.levels) <= 20
    backwards = Search(Ruler(), picture)
    assert [backwards.within(budget) for budget in budgets[::-1]] == alone[::-1]


class Jagged(Ruler):
    """A codec whose bits do not only grow: above level 20, each fourth level takes a tenth more than its place."""

    def bits(self, stream):
        level, width, height = map(int, stream.split())
        return 100 * (level + 1) + (level > 20 and level % 4 == 1) * 2000


@pytest.mark.parametrize("budget", [100, 2100, 2600, 3000, 4200, 5000, 6400, 9000])
def test_rate_control_of_a_codec_that_is_not_monotone_is_never_above_the_budget(budget):
    coded = to_budget(Jagged(), Image.new("RGB", (100, 100)), budget)
    assert coded.bits <= budget and coded.bits >= 0.8 * min(budget, 6400)


@pytest.mark.parametrize(
    "budget, scale, level",
    [(1000, 1, 0), (999, 2, 29), (250, 2, 0), (249, 4, 29), (63, 4, 0), (62, 4, 0), (0, 4, 0)],
)
def test_rate_control_scales_where_level_0_is_over_the_budget(budget, scale, level):
    coded = to_budget(Ruler(floor=10), Image.new("RGB", (100, 100)), budget)
    assert (coded.scale, coded.level) == (scale, level)
    assert (coded.bits <= budget) == (budget >= 63)


class Empty(Ruler):
    """A codec that needs no bits at its coarsest levels."""

    def bits(self, stream):
        return 100 * max(0, int(stream.split()[0]) - 20)


@pytest.mark.parametrize("budget, level", [(0, 20), (99, 20), (100, 21), (2050, 40), (9000, 63)])
def test_rate_control_gets_past_levels_of_no_bits(budget, level):
    assert to_budget(Empty(), Image.new("RGB", (100, 100)), budget).level == level


def test_no_room_at_the_coarsest_level_is_a_failure():
    with pytest.raises(RunFailed, match="no room for this picture"):
        to_budget(Ruler(room=-1), Image.new("RGB", (8, 8)), 1e9)


@pytest.mark.parametrize("size", [(100, 100), (101, 99), (1, 1), (3, 5)], ids=str)
def test_the_decoder_gets_the_size_of_the_ground_truth(size):
    for scale in codecs.SCALES:
        stream = Ruler().encode(Image.new("RGB", scaled(size, scale)), 9)
        again = decoded(Ruler(), Coded(stream, 9, scale, 1), size)
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


def test_codecs_by_name():
    assert list(FAMILY) == "vvc hevc avc av1 jpeg webp jpeg2000 jpegxl avif".split()
    assert [extension(name) for name in FAMILY] == "vvc hevc h264 obu jpg vp8 j2k jxl obu".split()
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


def test_what_ffmpeg_says_stands_in_the_error():
    with pytest.raises(RunFailed, match="^ffmpeg failed: .*no_such_option") as failure:
        ffmpeg.ffmpeg("-no_such_option 1 -i - -f null -", b"")
    assert "\n" not in str(failure.value) and not isinstance(failure.value, NoRoom)


def test_an_ffmpeg_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(ffmpeg, "SECONDS", 0.3)
    with pytest.raises(RunFailed, match="ffmpeg took more than 0.3 seconds"):
        ffmpeg.ffmpeg("-re -f lavfi -i color=s=16x16:d=60 -f null -", b"")


def script(folder, body: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def found(monkeypatch, path: str) -> None:
    """imageio-ffmpeg's own way to name another ffmpeg, as a user has who set it."""
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: path)
    monkeypatch.setattr(ffmpeg, "_found", ffmpeg._found.__wrapped__)


def test_an_ffmpeg_without_a_vvc_encoder_is_refused(monkeypatch, tmp_path):
    found(monkeypatch, script(tmp_path, "echo ' V....D libx264'"))
    with pytest.raises(RunFailed, match=r"has no VVC encoder \(libvvenc\); pip install -U imageio-ffmpeg"):
        codecs.ffmpeg_program()


def test_an_ffmpeg_that_does_not_start_is_refused(monkeypatch, tmp_path):
    found(monkeypatch, str(tmp_path / "missing"))
    with pytest.raises(RunFailed, match="there is no ffmpeg .* pip install 'imageio-ffmpeg>="):
        codecs.ffmpeg_program()


def test_without_imageio_ffmpeg_there_is_no_ffmpeg(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(ffmpeg, "_found", ffmpeg._found.__wrapped__)
    with pytest.raises(RunFailed, match="there is no ffmpeg"):
        codecs.ffmpeg_program()


def test_an_ffmpeg_that_fails_without_a_word_shows_its_exit_code(monkeypatch, tmp_path):
    found(monkeypatch, script(tmp_path, "exit 9"))
    with pytest.raises(RunFailed, match="ffmpeg failed: exit code 9"):
        ffmpeg.ffmpeg("-i -", b"")


def test_an_ffmpeg_that_speaks_no_utf8(monkeypatch, tmp_path):
    found(monkeypatch, script(tmp_path, "printf 'caf\\351\\nmore\\n' >&2; exit 1"))
    with pytest.raises(RunFailed, match="ffmpeg failed: caf\ufffd$"):
        ffmpeg.ffmpeg("-i -", b"")
