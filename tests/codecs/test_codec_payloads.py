"""The payload of a stream: what any decoder needs, the same bytes each time, and nothing else."""

from __future__ import annotations

import io
import os
import subprocess

import pytest
from coded_pictures import CODECS, VIDEO, photo
from PIL import Image

from cmcbench import codecs
from cmcbench.codecs.payload import avif_file, coded_picture, nal_units, vp8_frame, webp_file, without_segments
from cmcbench.errors import RunFailed

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
