"""Single pictures, as careless and as hostile users leave them: what is read, with which note, and what is refused."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from picture_files import (
    big_endian_tiff,
    bomb,
    chunk,
    half,
    lacking_second_page,
    moving,
    photo,
    picture,
    pixels,
    png,
    save,
    written,
)
from PIL import Image

from cmcbench.errors import ImageProblem
from cmcbench.files.images import image_size, is_whole_png, read_rgb

REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path, "is not in "),
    "dangling link": (lambda path: path.symlink_to(path.parent / "nowhere.png"), "is not in "),
    "folder": (lambda path: path.mkdir(), "cannot be read"),
    "zero bytes": (lambda path: path.write_bytes(b""), "an empty file"),
    "text": (lambda path: path.write_text("<html>404: Not Found</html>"), "no picture that Pillow can read"),
    "git-lfs pointer": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "no picture"),
    "PNG signature alone": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), ""),
    "PNG of no columns": (lambda path: path.write_bytes(png(0, 5, 8, 2, [b""] * 5)), ""),
    "PNG of no rows": (lambda path: path.write_bytes(png(5, 0, 8, 2, [])), ""),
    "truncated PNG": (lambda path: half(path, "PNG"), "is damaged or truncated"),
    "truncated JPEG": (lambda path: half(path, "JPEG", quality=95), "is damaged or truncated"),
    "truncated WebP": (lambda path: half(path, "WEBP"), ""),
    "truncated BMP": (lambda path: half(path, "BMP"), "is damaged or truncated"),
    "truncated TIFF": (lambda path: half(path, "TIFF", compression="tiff_deflate"), ""),
    "PNG without its pixels": (lambda path: bomb(path, 5, 5), "is damaged or truncated"),
    "TIFF of a broken second page": (lacking_second_page, "is damaged or truncated"),
    "animated GIF": (lambda path: moving(path, "GIF"), "is animated (2 frames)"),
    "animated PNG": (lambda path: moving(path, "PNG"), "is animated (2 frames)"),
    "animated WebP": (lambda path: moving(path, "WEBP"), "is animated (2 frames)"),
    "TIFF of two pages": (lambda path: moving(path, "TIFF"), "holds 2 pages, expected one picture"),
    "float TIFF": (lambda path: save(path, picture("F"), "TIFF"), "has floating point pixels of mode F"),
    "32-bit TIFF": (lambda path: save(path, Image.fromarray(np.array([[0, 70000]], "int32")), "TIFF"), "mode I,"),
    "signed TIFF": (lambda path: save(path, Image.fromarray(np.array([[-1, 9]], "int32")), "TIFF"), "mode I,"),
    "over Pillow's limit": (lambda path: bomb(path, 10_000, 10_000), f"more than {Image.MAX_IMAGE_PIXELS} pixels"),
    "over twice Pillow's limit": (lambda path: bomb(path, 60_000, 60_000), f"more than {Image.MAX_IMAGE_PIXELS}"),
}


@pytest.mark.parametrize("make, words", REFUSED.values(), ids=REFUSED)
def test_a_picture_that_cannot_be_used_is_an_image_problem_that_names_it(tmp_path, make, words, recwarn):
    path = tmp_path / "NSI_pgc_000.png"
    make(path)
    with pytest.raises(ImageProblem) as problem:
        read_rgb(path)
    assert str(problem.value).startswith("NSI_pgc_000.png: ") and words in str(problem.value)
    assert not [said for said in recwarn.list if issubclass(said.category, Image.DecompressionBombWarning)]


def test_the_limit_holds_even_where_another_thread_has_changed_the_warning_filters(tmp_path, monkeypatch):
    path = bomb(tmp_path / "x.png", 10_000, 10_000)
    original = Image.open

    def meddled(*arguments, **options):
        warnings.simplefilter("ignore")
        return original(*arguments, **options)

    monkeypatch.setattr(Image, "open", meddled)
    for read in (read_rgb, image_size):
        with pytest.raises(ImageProblem, match="more than"):
            read(path)


def test_a_user_may_lift_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert image_size(bomb(tmp_path / "x.png", 60_000, 60_000)) == (60_000, 60_000)


@pytest.mark.parametrize(
    "form, exact", [("PNG", True), ("BMP", True), ("TIFF", True), ("WEBP", False), ("JPEG", False)]
)
def test_a_plain_picture_needs_no_note(tmp_path, form, exact):
    image, note = read_rgb(save(tmp_path / "x.png", photo(), form))
    assert (image.mode, image.size, note) == ("RGB", (40, 30), None)
    assert np.abs(pixels(image) - pixels(photo())).mean() < (0.001 if exact else 12)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_a_picture_of_one_pixel_a_side(tmp_path, size):
    image, note = read_rgb(save(tmp_path / "x.png", Image.new("RGB", size, (1, 2, 3))))
    assert (image.size, note, image.getpixel((0, 0))) == (size, None, (1, 2, 3))


def palette_file(path: Path) -> Path:
    """A palette of four colours, the second fully and the third half transparent."""
    image = Image.new("P", (4, 1))
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0, 255, 255, 255])
    image.putdata([0, 1, 2, 3])
    return save(path, image, transparency=bytes([255, 0, 128]))


RGBA = Image.frombytes("RGBA", (4, 1), bytes([10, 20, 30, 0, 40, 50, 60, 1, 70, 80, 90, 128, 255, 0, 7, 255]))
LA = Image.frombytes("LA", (3, 1), bytes([9, 0, 77, 128, 200, 255]))


def gray(values: list[int]) -> list[tuple[int, int, int]]:
    return [(value,) * 3 for value in values]


CONVERTED: dict[str, tuple[Callable[[Path], object], str, list[tuple[int, int, int]]]] = {
    "RGBA keeps the colours under transparent pixels": (
        lambda path: save(path, RGBA),
        "had an alpha channel (mode RGBA), dropped",
        [(10, 20, 30), (40, 50, 60), (70, 80, 90), (255, 0, 7)],
    ),
    "lossless WebP with alpha": (
        lambda path: save(path, RGBA, "WEBP", lossless=True, exact=True),
        "had an alpha channel (mode RGBA), dropped",
        [(10, 20, 30), (40, 50, 60), (70, 80, 90), (255, 0, 7)],
    ),
    "gray with alpha": (
        lambda path: save(path, LA),
        "had an alpha channel (mode LA), dropped",
        gray([9, 77, 200]),
    ),
    "16-bit RGBA": (
        lambda path: written(path, png(2, 1, 16, 6, [struct.pack(">8H", 0, 257, 514, 0, 65535, 32896, 2313, 65535)])),
        "had 16 bits a channel, scaled to 8; had an alpha channel (mode RGBA), dropped",
        [(0, 1, 2), (255, 128, 9)],
    ),
    "palette with transparency": (
        palette_file,
        "was in mode P with transparency, converted to RGB without it",
        [(10, 20, 30), (200, 100, 50), (0, 255, 0), (255, 255, 255)],
    ),
    "gray": (
        lambda path: written(path, png(3, 1, 8, 0, [bytes([0, 100, 255])])),
        "was in mode L, converted to RGB",
        gray([0, 100, 255]),
    ),
    "gray with a transparent value": (
        lambda path: written(path, png(2, 1, 8, 0, [bytes([100, 7])], chunk(b"tRNS", struct.pack(">H", 100)))),
        "was in mode L, converted to RGB",
        gray([100, 7]),
    ),
    "1 bit": (
        lambda path: written(path, png(8, 1, 1, 0, [bytes([0b10110001])])),
        "was in mode 1, converted to RGB",
        gray([255, 0, 255, 255, 0, 0, 0, 255]),
    ),
    "4 bits of gray": (
        lambda path: written(path, png(2, 1, 4, 0, [bytes([0x0F])])),
        "was in mode L, converted to RGB",
        gray([0, 255]),
    ),
    "16-bit gray TIFF": (
        lambda path: save(path, Image.fromarray(np.array([[0, 257, 257 * 128, 65535]], "uint16")), "TIFF"),
        "had 16 bits of gray, scaled to 8 bits and RGB",
        gray([0, 1, 128, 255]),
    ),
    "16-bit gray TIFF, the high byte first": (
        lambda path: written(path, big_endian_tiff([0, 257, 257 * 128, 65535])),
        "had 16 bits of gray, scaled to 8 bits and RGB",
        gray([0, 1, 128, 255]),
    ),
    "16-bit RGB TIFF": (
        lambda path: written(path, big_endian_tiff([0, 257, 65535, 257 * 7, 257 * 8, 257 * 9], channels=3)),
        "had 16 bits a channel, scaled to 8",
        [(0, 1, 255), (7, 8, 9)],
    ),
    "32-bit TIFF within 16 bits": (
        lambda path: save(path, Image.fromarray(np.array([[0, 257, 65535]], "int32")), "TIFF"),
        "had 16 bits of gray, scaled to 8 bits and RGB",
        gray([0, 1, 255]),
    ),
    "CMYK TIFF": (
        lambda path: save(path, Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"),
        "was in mode CMYK, converted to RGB",
        [(255, 0, 0)],
    ),
}


@pytest.mark.filterwarnings("ignore:Palette images")
@pytest.mark.parametrize("make, note, expected", CONVERTED.values(), ids=CONVERTED)
def test_a_picture_that_is_converted_has_a_note_and_the_right_colours(tmp_path, make, note, expected):
    path = tmp_path / "x.png"
    make(path)
    image, said = read_rgb(path)
    assert (image.mode, said) == ("RGB", note)
    assert [tuple(colour) for colour in pixels(image)[0]] == expected


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path):
    image, note = read_rgb(save(tmp_path / "x.jpg", photo((64, 48)).convert("CMYK"), "JPEG", quality=95))
    assert note == "was in mode CMYK, converted to RGB"
    assert np.abs(pixels(image) - pixels(photo((64, 48)))).mean() < 8  # not inverted, not black


def test_a_transparent_colour_of_rgb_is_an_ordinary_one(tmp_path):
    marked = chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))
    image, note = read_rgb(written(tmp_path / "x.png", png(2, 1, 8, 2, [bytes([1, 2, 3, 4, 5, 6])], marked)))
    assert (note, image.tobytes()) == (None, bytes([1, 2, 3, 4, 5, 6]))


def test_every_16_bit_gray_becomes_the_nearest_of_8_bits(tmp_path):
    levels = np.arange(1 << 16)
    file = png(256, 256, 16, 0, [row.astype(">u2").tobytes() for row in levels.reshape(256, 256)])
    image, note = read_rgb(written(tmp_path / "x.png", file))
    assert note == "had 16 bits of gray, scaled to 8 bits and RGB"
    expected = np.round(levels / 257).astype(int).reshape(256, 256)
    assert (pixels(image) == expected[..., None]).all()


def test_16_bit_rgb_is_scaled_and_not_clipped(tmp_path):
    levels = np.arange(1 << 16).reshape(256, 256)
    channels = np.stack([levels, levels[::-1], levels.T], axis=-1)
    file = png(256, 256, 16, 2, [row.astype(">u2").tobytes() for row in channels])
    image, note = read_rgb(written(tmp_path / "x.png", file))
    assert note == "had 16 bits a channel, scaled to 8"
    assert np.abs(pixels(image) - channels / 257).max() < 1


def test_the_size_comes_from_the_header_alone(tmp_path):
    path = save(tmp_path / "x.png", photo((50, 20)))
    path.write_bytes(path.read_bytes()[:100])
    assert image_size(path) == (50, 20)
    for name, (make, _) in REFUSED.items():
        if name in ("missing", "folder", "zero bytes", "text", "over Pillow's limit", "over twice Pillow's limit"):
            path = tmp_path / f"{name[-9:]}.png"
            make(path)
            with pytest.raises(ImageProblem):
                image_size(path)


@pytest.mark.parametrize(
    "change, whole",
    [
        (lambda data: data, True),
        (lambda data: data[:-1], False),
        (lambda data: data[:8], False),
        (lambda data: data[:5], False),
        (lambda data: b"", False),
        (lambda data: b"\0" * len(data), False),
        (lambda data: b"GIF89a.." + data[8:], False),
        (lambda data: data + b"\n", False),
    ],
)
def test_whole_png(tmp_path, change, whole):
    path = save(tmp_path / "x.png", picture())
    assert is_whole_png(written(path, change(path.read_bytes()))) is whole


def test_no_file_and_a_folder_are_no_whole_png(tmp_path):
    assert not is_whole_png(tmp_path / "missing.png") and not is_whole_png(tmp_path)
