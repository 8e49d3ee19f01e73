"""Colours: whatever profile a picture has, it is read as sRGB; the published pictures are read as they are."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from bench import SAMPLES
from picture_files import chunk, photo, pixels, png, save, with_chunks
from PIL import Image, ImageCms

from cmcbench.errors import ImageProblem
from cmcbench.files.images import read_rgb
from cmcbench.files.pictures import icc

RNG = np.random.default_rng(5)
COLOURS = RNG.integers(0, 256, (8, 32, 3), dtype=np.uint8)
PLAIN = [row.tobytes() for row in COLOURS]
ADOBE = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


def to_xyz(colours: tuple[float, ...]) -> np.ndarray:
    """The matrix from linear RGB of these primaries to XYZ, from the definition."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in np.reshape(colours, (4, 2))])
    return xyz[1:].T * np.linalg.solve(xyz[1:].T, xyz[0])


def encoded(linear: np.ndarray) -> np.ndarray:
    """sRGB's values of 0 to 255 of linear light (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def linear(values: np.ndarray) -> np.ndarray:
    values = values / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def expected(colours: tuple[float, ...], light: np.ndarray) -> np.ndarray:
    """What the light of other primaries (with sRGB's white) is in sRGB."""
    return encoded(light @ (np.linalg.inv(to_xyz(icc.SRGB)) @ to_xyz(colours)).T)


def chromaticities(colours: tuple[float, ...]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * value) for value in colours)))


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(100_000 * value)))


def read(*chunks: bytes) -> tuple[np.ndarray, str | None]:
    image, note = read_rgb(png(32, 8, 8, 2, PLAIN, b"".join(chunks)))
    return pixels(image), note


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Within a level, and two where a curve is steep near black."""
    return np.abs(found - wanted).max() <= 2.5 and np.abs(found - wanted).mean() < 0.6


def test_the_published_kind_of_picture_is_read_as_it_is():
    for path in sorted(SAMPLES.glob("*.png")):
        with Image.open(path) as image:
            assert image.mode == "RGB" and not image.info.keys() & {"icc_profile", "gamma", "chromaticity"}
            plain = image.tobytes()
        found, note = read_rgb(path)
        assert (found.tobytes(), note) == (plain, None)


def test_display_p3_is_converted_and_noted():
    found, note = read(icc_chunk(icc.profile(icc.P3, icc.SRGB_CURVE)))
    assert close(found, expected(icc.P3, linear(COLOURS))) and "converted to sRGB" in note
    assert np.abs(found - COLOURS).max() > 20


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "AVIF", "PNG"])
def test_every_format_s_profile_counts(tmp_path, form):
    options = {"quality": 98, "subsampling": "4:4:4"} if form in ("JPEG", "AVIF") else {"lossless": True}
    profile = icc.profile(icc.P3, icc.SRGB_CURVE)
    found, note = read_rgb(save(tmp_path / "x", photo(), form, icc_profile=profile, **options))
    wanted = expected(icc.P3, linear(pixels(photo())))
    assert np.abs(pixels(found) - wanted).mean() < (5 if form in ("JPEG", "AVIF") else 0.6) and "converted" in note


def icc_chunk(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))


def test_adobe_rgb_by_numbers_is_converted():
    found, note = read(gamma(1 / 2.2), chromaticities(ADOBE))
    assert close(found, expected(ADOBE, (COLOURS / 255) ** 2.2)) and note.endswith("converted to sRGB")


def test_linear_light_is_converted():
    found, note = read(gamma(1.0))
    assert close(found, encoded(COLOURS / 255)) and note == "had the colours of gAMA 1, converted to sRGB"


@pytest.mark.parametrize("depth", [8, 16])
def test_linear_light_of_gray_is_converted(depth):
    ramp = np.arange(256)
    row = ramp.astype(np.uint8).tobytes() if depth == 8 else (257 * ramp).astype(">u2").tobytes()
    image, note = read_rgb(png(256, 1, depth, 0, [row], gamma(1.0)))
    assert np.abs(pixels(image)[0] - encoded(ramp / 255)[:, None]).max() <= 2.5
    assert "of gray" in note or "mode L" in note
    assert note.endswith("had the colours of gAMA 1, converted to sRGB")


def test_linear_light_with_other_primaries_by_cicp():
    found, note = read(chunk(b"cICP", bytes([9, 8, 0, 1])))
    assert close(found, expected(icc.BT2020, COLOURS / 255)) and "CICP 9/8" in note


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(0.45455)],
        [gamma(0.45455), chromaticities(icc.SRGB)],
        [chromaticities(icc.SRGB)],
        [gamma(1.0), chromaticities(ADOBE), chunk(b"sRGB", b"\0")],
        [chunk(b"cICP", bytes([1, 13, 0, 1]))],
        [icc_chunk(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())],
        [icc_chunk(icc.profile(icc.SRGB, icc.SRGB_CURVE))],
    ],
    ids=["gamma", "gamma and primaries", "primaries", "sRGB wins", "CICP", "Pillow's profile", "our profile"],
)
def test_what_says_that_it_is_srgb_is_read_as_it_is(chunks):
    found, note = read(*chunks)
    assert (found == COLOURS).all() and note is None


@pytest.mark.parametrize(
    "chunks, words",
    [
        ([icc_chunk(b"no profile at all")], "ICC profile that cannot be used"),
        ([icc_chunk(icc.profile(icc.P3, (2.2,))[:200])], "ICC profile that cannot be used"),
        (
            [icc_chunk(icc.profile(icc.P3, (2.2,)).replace(b"RGB XYZ ", b"CMYKXYZ "))],
            "for CMYK, and the picture is RGB",
        ),
        ([chunk(b"iCCP", b"name\0\0not zlib")], "ICC profile is damaged"),
        ([gamma(0)], "gAMA is 0"),
        ([gamma(1.0), chunk(b"cHRM", bytes(32))], "primaries are not colours"),
        ([gamma(1.0), chromaticities((0.3, 0.3) * 4)], "span no triangle"),
    ],
)
def test_what_cannot_be_used_is_said_and_changes_nothing(chunks, words):
    found, note = read(*chunks)
    assert (found == COLOURS).all() and words in note and note.endswith("read as sRGB")


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_refused(transfer):
    with pytest.raises(ImageProblem, match="high dynamic range"):
        read(chunk(b"cICP", bytes([9, transfer, 0, 1])))


def gray_profile(curve: float) -> bytes:
    """A gray profile: one curve, and the white point."""
    text = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2, 28) + b"\0x\0\0"
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in icc.D50))
    para = b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(65536 * curve))
    place, table, body = 128 + 4 + 48, b"", b""
    for name, content in ((b"desc", text), (b"cprt", text), (b"wtpt", white), (b"kTRC", para)):
        table += name + struct.pack(">II", place + len(body), len(content))
        body += content
    head = bytearray(icc.profile(icc.SRGB, (2.2,))[:128])
    head[:4], head[16:20] = struct.pack(">I", place + len(body)), b"GRAY"
    return bytes(head) + struct.pack(">I", 4) + table + body


def test_a_gray_profile_is_applied_to_gray():
    ramp = np.arange(256, dtype=np.uint8)
    image, note = read_rgb(png(256, 1, 8, 0, [ramp.tobytes()], icc_chunk(gray_profile(1.8))))
    wanted = encoded((ramp / 255) ** 1.8)
    found = pixels(image)[0]
    assert np.abs(found - wanted[:, None]).max() <= 2.5 and "was in mode L" in note and "converted to sRGB" in note


def test_the_profile_of_a_picture_with_alpha_and_of_a_palette_is_applied(tmp_path):
    profile = icc.profile(icc.P3, icc.SRGB_CURVE)
    red = Image.new("RGBA", (2, 2), (200, 60, 40, 10))
    wanted = expected(icc.P3, linear(np.array([200, 60, 40])))
    for image in (red, red.convert("RGB").quantize(4)):
        found, note = read_rgb(save(tmp_path / "x.png", image, icc_profile=profile))
        assert np.abs(pixels(found)[0, 0] - wanted).max() <= 2 and "converted to sRGB" in note


def test_a_jpeg_with_an_srgb_profile_keeps_every_value(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile = save(tmp_path / "a.jpg", photo(), "JPEG", icc_profile=profile)
    without = save(tmp_path / "b.jpg", photo(), "JPEG")
    assert read_rgb(with_profile)[0].tobytes() == read_rgb(without)[0].tobytes() and read_rgb(with_profile)[1] is None


def test_text_of_any_size_in_a_png_is_not_read(tmp_path):
    data = save(tmp_path / "x.png", photo()).read_bytes()
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000)))
    many = [chunk(b"tEXt", b"a\0b")] * 3000
    image, note = read_rgb(with_chunks(data, bomb, *many))
    assert (image.tobytes(), note) == (photo().tobytes(), None)


def test_a_profile_bomb_ends_that_picture_alone():
    bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(50_000_000)))
    try:
        found, note = read(bomb)
        assert (found == COLOURS).all() and "read as sRGB" in note
    except ImageProblem as problem:
        assert "picture" in str(problem)


def test_the_result_has_no_profile():
    image, _ = read_rgb(png(32, 8, 8, 2, PLAIN, icc_chunk(icc.profile(icc.P3, (2.2,)))))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert b"iCCP" not in buffer.getvalue()
