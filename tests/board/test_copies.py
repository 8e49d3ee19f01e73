"""Copies of pictures on the page: upright, and without what cameras and programs write beside the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scored_results as made
from PIL import Image

from cmcbench.__main__ import main
from cmcbench.files.images import bare_copy, read_rgb

ORIENTATION, MAKE, GPS = 0x0112, 0x010F, 0x8825
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def picture(size: tuple[int, int] = (60, 40)) -> Image.Image:
    blocks = np.random.default_rng(1).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def saved(suffix: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, FORMATS.get(suffix, "BMP"), **options)
    return buffer.getvalue()


def exif(orientation: int = 6) -> Image.Exif:
    found = Image.Exif()
    found[ORIENTATION], found[MAKE] = orientation, "SecretCamera"
    found.get_ifd(GPS)[1] = "N"
    return found


@pytest.mark.parametrize("suffix", [*FORMATS, ".bmp"])
def test_a_file_of_a_picture_alone_is_copied_as_it_is(suffix):
    assert bare_copy(saved(suffix), f"x{suffix}", picture(), None) == saved(suffix)


@pytest.mark.parametrize(
    "data, suffix",
    [
        (saved(".jpg", comment=b"Secret prompt"), ".jpg"),
        (saved(".jpg", xmp=b"<x:xmpmeta>Secret</x:xmpmeta>"), ".jpg"),
        (saved(".jpg") + b"Secret", ".jpg"),
        (saved(".jpg") + saved(".jpg", exif=b"Exif\0\0Secret"), ".jpg"),
        (saved(".webp", xmp=b"Secret"), ".webp"),
        (saved(".webp") + b"Secret", ".webp"),
        (saved(".png") + b"Secret", ".png"),
        (saved(".bmp") + b"Secret", ".bmp"),
        (saved(".jpg").replace(b"\xff\xe0\x00\x10JFIF", b"\xff\xe0\x00\x08Secret\xff\xe0\x00\x10JFIF"), ".jpg"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%Title: Secret", ".png"),
    ],
)
def test_what_stands_beside_the_picture_stays_at_home(data, suffix):
    assert b"Secret" in data
    copied = bare_copy(data, f"x{suffix}", picture(), None)
    assert b"Secret" not in copied
    with Image.open(io.BytesIO(copied)) as image:
        assert np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(picture(), int)).max() <= 40


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_page_shows_what_the_reader_reads(tmp_path, suffix, orientation):
    """Copy and thumbnail are turned as the scored picture was, and tell nothing of the camera."""
    digests = made.truth(tmp_path, ["a", "b"])
    (tmp_path / "GT" / "a.png").unlink()
    (tmp_path / "GT" / f"a{suffix}").write_bytes(saved(suffix, exif=exif(orientation)))
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002})
    arguments = ["--results", str(tmp_path / "Result"), "--ground_truth", str(tmp_path / "GT"), "--pictures", "copies"]
    assert main(["report", *arguments]) == 0
    expected, _ = read_rgb(tmp_path / "GT" / f"a{suffix}")
    assert expected.size == ((60, 40) if orientation in (1, 3) else (40, 60))
    report = tmp_path / "Result" / "report" / "pictures"
    copies = report / "full/truth" / f"a{suffix}", report / "thumbs/truth/a.webp"
    with Image.open(copies[0]) as full, Image.open(copies[1]) as small:
        assert full.size == small.size == expected.size and not dict(full.getexif()) and not dict(small.getexif())
        assert np.abs(np.asarray(full.convert("RGB"), int) - np.asarray(expected, int)).mean() < 3
    assert not any(b"SecretCamera" in path.read_bytes() for path in report.rglob("*") if path.is_file())


def test_names_that_differ_after_a_dot_are_two_pictures(tmp_path):
    digests = made.truth(tmp_path, ["scene.v2", "scene.v3"])
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002})
    assert main(["report", "--results", str(tmp_path / "Result"), "--ground_truth", str(tmp_path / "GT")]) == 0
    thumbs = tmp_path / "Result" / "report" / "pictures" / "thumbs" / "truth"
    assert {path.name for path in thumbs.iterdir()} == {"scene.v2.webp", "scene.v3.webp"}
