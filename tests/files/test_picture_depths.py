"""Bit depths, inverted gray, palettes and files of several pictures: the right values, a right note, or a refusal."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from picture_files import chunk, photo, picture, pixels, png, save, tiff, written
from PIL import Image

from cmcbench.errors import ImageProblem
from cmcbench.files.images import image_size, read_rgb


def packed_12(values: list[int]) -> bytes:
    """Two 12-bit values in three bytes, as TIFF packs them."""
    bits = "".join(format(value, "012b") for value in values)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def gray_tiff(values: list[int], bits: int, white_is_zero: bool = False, order: str = "<", **tags: int) -> bytes:
    raw = packed_12(values) if bits == 12 else struct.pack(f"{order}{len(values)}{'B' if bits == 8 else 'H'}", *values)
    meaning = 0 if white_is_zero else 1
    basic = {256: len(values), 257: 1, 258: bits, 259: 1, 262: meaning, 277: 1}
    return tiff(basic | {int(tag[1:]): value for tag, value in tags.items()}, raw, order)


def levels(data: bytes) -> tuple[list[int], str | None]:
    image, note = read_rgb(data)
    values = pixels(image)
    assert (values == values[..., :1]).all()
    return values[0, :, 0].tolist(), note


def test_12_bits_of_gray_are_scaled_from_12_bits():
    values, note = levels(gray_tiff([0, 16, 2048, 4080, 4095, 8], 12))
    assert values == [0, 1, 128, 254, 255, 0]
    assert note == "had 12 bits of gray, scaled to 8 bits and RGB"


def test_12_bits_in_an_order_that_pillow_does_not_read_are_refused_by_name():
    with pytest.raises(ImageProblem, match="a TIFF of a kind that Pillow does not read"):
        read_rgb(gray_tiff([0, 16], 12, order=">"))


@pytest.mark.parametrize(
    "bits, given, expected",
    [
        (8, [0, 100, 255], [255, 155, 0]),
        (12, [0, 2048, 4095, 4095], [255, 127, 0, 0]),
        (16, [0, 257 * 100, 65535], [255, 155, 0]),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_where_white_is_zero_gray_is_inverted_and_it_is_noted(bits, given, expected, order):
    if (bits, order) == (12, ">"):
        return  # see above
    values, note = levels(gray_tiff(given, bits, white_is_zero=True, order=order))
    assert values == expected
    assert bits == 8 or "had white as 0, inverted" in note


def test_compressed_16_bit_gray_where_white_is_zero(tmp_path):
    image = Image.fromarray(np.array([[0, 257 * 100, 65535]], "uint16"))
    path = save(tmp_path / "x.tif", image, "TIFF", compression="tiff_deflate", tiffinfo={262: 0})
    values, note = levels(path.read_bytes())
    assert values in ([255, 155, 0], [0, 100, 255])
    assert ("inverted" in note) == (values[0] == 255) == (b"\x06\x01\x03\0\x01\0\0\0\0\0" in path.read_bytes())


def bmp_565(values: list[int]) -> bytes:
    row = struct.pack(f"<{len(values)}H", *values)
    row += bytes(-len(row) % 4)
    header = struct.pack("<IiiHHIIiiII", 40, len(values), 1, 1, 16, 3, len(row), 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    place = 14 + len(header) + len(masks)
    return struct.pack("<2sIHHI", b"BM", place + len(row), 0, 0, place) + header + masks + row


def test_5_6_5_bits_have_the_right_colours_and_are_not_called_16_bits():
    image, note = read_rgb(bmp_565([0xF800, 0x07E0, 0x001F, 0xFFFF, 0]))
    assert [tuple(colour) for colour in pixels(image)[0]] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
    ]
    assert note is None


@pytest.mark.parametrize(
    "data, words",
    [
        (gray_tiff([0, 1, 2], 16, t339=2), "signed samples"),
        (gray_tiff([0, 1, 2], 8, t339=2), "signed samples"),
        (b"Pf\n1 1\n-1.0\n" + struct.pack("<f", 0.5), "floating point pixels of mode F"),
        (tiff({256: 1, 257: 1, 258: 32, 259: 1, 262: 1, 277: 1, 339: 3}, struct.pack("<f", 0.5)), "floating point"),
    ],
    ids=["signed 16", "signed 8", "PFM", "float TIFF"],
)
def test_numbers_whose_range_nobody_knows_are_refused_by_name(data, words):
    with pytest.raises(ImageProblem, match=words):
        read_rgb(data, "x.tif")


@pytest.mark.parametrize(
    "most, given, expected", [(65535, [0, 25700, 65535], [0, 100, 255]), (1023, [0, 512, 1023], 0)]
)
def test_a_deep_pgm_is_scaled_by_its_own_maximum(most, given, expected):
    values, note = levels(b"P5\n3 1\n%d\n" % most + struct.pack(">3H", *given))
    assert values == (expected or [0, 128, 255]) and "of gray, scaled to 8 bits" in note


def test_deep_jpeg_2000_is_scaled(tmp_path):
    image = Image.fromarray(np.array([[0, 257 * 100, 65535]] * 3, "uint16"))
    values, note = levels(save(tmp_path / "x.jp2", image, "JPEG2000").read_bytes())
    assert np.abs(np.array(values) - [0, 100, 255]).max() <= 1 and "16 bits of gray" in note


def test_lab_pixels_become_the_colours_that_they_mean(tmp_path):
    white_gray_red = bytes([255, 0, 0, 137, 0, 0, 136, 80, 67])  # L x 2.55, a and b signed
    lab = Image.frombytes("LAB", (3, 1), white_gray_red)
    image, _ = read_rgb(save(tmp_path / "x.tif", lab, "TIFF"))
    white, gray, red = (tuple(colour) for colour in pixels(image)[0])
    assert min(white) >= 253 and max(gray) - min(gray) <= 2 and 120 < gray[0] < 140
    assert red[0] > 240 and max(red[1:]) < 40


def test_a_gif_with_a_transparent_colour_keeps_its_colours(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0])
    image.putdata([0, 1, 2])
    found, note = read_rgb(save(tmp_path / "x.gif", image, "GIF", transparency=1))
    assert [tuple(colour) for colour in pixels(found)[0]] == [(10, 20, 30), (200, 100, 50), (0, 255, 0)]
    assert note == "was in mode P with transparency, converted to RGB without it"


def test_associated_alpha_does_not_darken(tmp_path):
    data = tiff({256: 1, 257: 1, 258: (8,) * 4, 259: 1, 262: 2, 277: 4, 338: 1}, bytes([50, 25, 0, 128]))
    image, note = read_rgb(data)
    assert np.abs(pixels(image)[0, 0] - [100, 50, 0]).max() <= 1 and "alpha" in note


def test_of_a_phone_s_mpo_the_first_picture_is_taken(tmp_path):
    path = save(tmp_path / "x.jpg", photo(), "MPO", save_all=True, append_images=[photo((8, 8)).rotate(180)])
    image, note = read_rgb(path)
    assert image.size == (40, 30) == image_size(path) and note == "holds 2 pictures, the first was taken"
    assert np.abs(pixels(image) - pixels(photo())).mean() < 12


@pytest.mark.parametrize("second", [{"image": photo((8, 8))}, {"image": photo(), "tiffinfo": {254: 1}}])
def test_of_a_tiff_with_a_thumbnail_the_picture_is_taken(tmp_path, second):
    small = second["image"]
    small.encoderinfo = {"tiffinfo": second.get("tiffinfo", {})}
    path = save(tmp_path / "x.tif", photo(), "TIFF", save_all=True, append_images=[small])
    image, note = read_rgb(path)
    assert image.tobytes() == photo().tobytes() and note == "holds 2 pictures, the first was taken"


def test_a_tiff_that_begins_with_its_thumbnail_is_refused(tmp_path):
    path = save(tmp_path / "x.tif", photo((8, 8)), "TIFF", tiffinfo={254: 1})
    for read in (read_rgb, image_size):
        with pytest.raises(ImageProblem, match="begins with a thumbnail, as camera raw files do"):
            read(path)


def test_a_still_gif_webp_and_apng_are_taken(tmp_path):
    for form in ("GIF", "WEBP", "PNG"):
        image, _ = read_rgb(save(tmp_path / "x", photo(), form, save_all=True))
        assert image.size == (40, 30)


def test_an_icon_gives_its_largest_picture(tmp_path):
    path = save(tmp_path / "x.ico", photo((64, 64)), "ICO", sizes=[(16, 16), (64, 64)])
    assert read_rgb(path)[0].size == (64, 64) == image_size(path)


@pytest.mark.parametrize("form", ["QOI", "TGA", "PCX", "SGI", "DDS", "PPM", "BMP", "TIFF"])
def test_lossless_formats_give_their_pixels(tmp_path, form):
    path = save(tmp_path / f"x.{form.lower()}", picture(), form)
    image, note = read_rgb(path)
    assert image.tobytes() == picture().tobytes() and note is None and image_size(path) == picture().size


def test_bytes_are_read_as_a_file_is(tmp_path):
    path = save(tmp_path / "x.png", photo())
    assert read_rgb(path.read_bytes())[0].tobytes() == read_rgb(path)[0].tobytes()
    with pytest.raises(ImageProblem, match="^y.png: is an empty file"):
        read_rgb(b"", "y.png")


def test_png_of_16_bits_says_so_and_of_8_does_not(tmp_path):
    deep = png(1, 1, 16, 2, [struct.pack(">3H", 257, 514, 771)])
    assert read_rgb(deep)[1] == "had 16 bits a channel, scaled to 8"
    assert read_rgb(written(tmp_path / "x.png", png(1, 1, 8, 2, [b"abc"], chunk(b"sBIT", b"\5\6\5"))))[1] is None
