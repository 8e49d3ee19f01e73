"""Pictures that lie on their side in the file are turned once, in pixels and in sizes, whatever the format."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from picture_files import chunk, photo, pixels, png, save, with_chunks, with_exif, written
from PIL import Image

from cmcbench.files.images import bare_copy, image_size, read_rgb

UPRIGHT = photo((48, 32))
# EXIF's definition: which sides of the scene the first row and the first column of the file are
STORED = {
    1: lambda scene: scene,
    2: lambda scene: scene[:, ::-1],
    3: lambda scene: scene[::-1, ::-1],
    4: lambda scene: scene[::-1],
    5: lambda scene: scene.transpose(1, 0, 2),
    6: lambda scene: np.rot90(scene),
    7: lambda scene: scene[::-1, ::-1].transpose(1, 0, 2),
    8: lambda scene: np.rot90(scene, -1),
}
FORMS = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "JPEG": {"quality": 98, "subsampling": "4:4:4"},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
    "TIFF": {},
    "MPO": {"quality": 98, "subsampling": "4:4:4", "save_all": True},
}


def stored(orientation: int) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(UPRIGHT))))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_turned_upright_once(tmp_path, form, orientation):
    options = dict(FORMS[form])
    if form == "MPO":
        options["append_images"] = [photo((8, 8))]
    path = save(tmp_path / "x.png", stored(orientation), form, exif=with_exif(orientation), **options)
    image, note = read_rgb(path)
    assert image.size == UPRIGHT.size == image_size(path)
    assert np.abs(pixels(image) - pixels(UPRIGHT)).mean() < (0.001 if form in ("PNG", "WEBP", "TIFF") else 4)
    assert (f"was turned upright (orientation {orientation})" in (note or "")) == (orientation != 1)


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path):
    exif = chunk(b"eXIf", with_exif(6).tobytes().removeprefix(b"Exif\0\0"))
    data = save(tmp_path / "x.png", stored(6)).read_bytes()
    path = written(tmp_path / "x.png", with_chunks(data, exif, after=b"IDAT"))
    assert read_rgb(path)[0].size == UPRIGHT.size == image_size(path)


def directory(entries: bytes, count: int, first: int = 8) -> bytes:
    return b"MM\0*" + struct.pack(">IH", first, count) + entries


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"nonsense",
        b"MM\0*\0\0\0\x08",
        directory(b"", 65535),
        directory(struct.pack(">HHIHH", 0x0112, 3, 1, 0, 0), 1),  # orientation 0
        directory(struct.pack(">HHIHH", 0x0112, 3, 1, 9, 0), 1),
        directory(struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0), 1, first=4_000_000_000),
        directory(struct.pack(">HHII", 0x0112, 3, 1 << 31, 6), 1),
        directory(struct.pack(">HHII", 0x0112, 2, 1, 6), 1),  # text
    ],
)
def test_exif_that_makes_no_sense_turns_nothing(tmp_path, exif):
    path = written(tmp_path / "x.png", png(2, 1, 8, 2, [bytes(range(6))], chunk(b"eXIf", exif)))
    image, note = read_rgb(path)
    assert (image.size, image.tobytes(), note) == ((2, 1), bytes(range(6)), None) and image_size(path) == (2, 1)


def test_only_the_first_directory_of_exif_is_read(tmp_path):
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    thumbnail = directory(b"", 0) + struct.pack(">IH", 0, 1) + entry
    path = written(tmp_path / "x.png", png(2, 1, 8, 2, [bytes(range(6))], chunk(b"eXIf", thumbnail)))
    assert image_size(path) == (2, 1) == read_rgb(path)[0].size


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_what_is_read_carries_no_metadata(tmp_path, form):
    path = save(tmp_path / "x", UPRIGHT, form, exif=with_exif(1), icc_profile=b"")
    image, _ = read_rgb(path)
    assert image.info == {} and type(image) is Image.Image and dict(image.getexif()) == {}
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert b"A maker" not in buffer.getvalue()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name, form", [("x.png", "PNG"), ("x.jpg", "JPEG"), ("x.webp", "WEBP"), ("x.png", "JPEG")])
def test_a_copy_carries_no_metadata_and_shows_what_was_read(tmp_path, name, form, orientation):
    path = save(tmp_path / name, stored(orientation), form, exif=with_exif(orientation))
    image, note = read_rgb(path)
    copy = bare_copy(path.read_bytes(), name, image, note)
    assert b"A maker" not in copy and b"Exif" not in copy and b"eXIf" not in copy
    again, said = read_rgb(copy)
    assert (again.size, said) == (UPRIGHT.size, None)
    assert np.abs(pixels(again) - pixels(image)).mean() < 2
    if form == "JPEG" and name == "x.jpg" and orientation == 1:
        assert again.tobytes() == image.tobytes()  # not coded again


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
def test_the_copy_of_a_plain_picture_is_the_file_itself(tmp_path, form):
    path: Path = save(tmp_path / f"x.{form.lower()}", UPRIGHT, form)
    image, note = read_rgb(path)
    assert bare_copy(path.read_bytes(), path.name, image, note) == path.read_bytes()


def test_a_copy_of_sides_that_its_format_does_not_have_is_a_png(tmp_path):
    image, note = read_rgb(save(tmp_path / "x.png", Image.new("RGB", (20_000, 1))))
    assert bare_copy(b"", "x.webp", image, note).startswith(b"\x89PNG")


def test_text_and_times_are_left_out_of_a_copy(tmp_path):
    data = save(tmp_path / "x.png", UPRIGHT).read_bytes()
    more = [chunk(b"tEXt", b"prompt\0a secret prompt"), chunk(b"tIME", bytes(7)), chunk(b"pHYs", bytes(9))]
    image, note = read_rgb(with_chunks(data, *more))
    assert note is None
    assert bare_copy(with_chunks(data, *more), "x.png", image, note) == with_chunks(data, more[2])
