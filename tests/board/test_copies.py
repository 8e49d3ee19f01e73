"""Copies of pictures on the page: upright, and without what cameras and programs write beside the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scored_results as made
from PIL import Image

from cmcbench.__main__ import main
from cmcbench.board.page.copies import copy_bytes, is_bare
from cmcbench.files.images import read_rgb

ORIENTATION, MAKE, GPS = 0x0112, 0x010F, 0x8825
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def picture(size: tuple[int, int] = (60, 40)) -> Image.Image:
    blocks = np.random.default_rng(1).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def saved(suffix: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, FORMATS[suffix], **options)
    return buffer.getvalue()


def exif(orientation: int = 6) -> Image.Exif:
    found = Image.Exif()
    found[ORIENTATION], found[MAKE] = orientation, "SecretCamera"
    found.get_ifd(GPS)[1] = "N"
    return found


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_a_picture_alone_is_copied_as_it_is(suffix):
    data = saved(suffix)
    assert is_bare(data, suffix) and copy_bytes(data, picture(), suffix) == data


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_copies_carry_no_exif(suffix, orientation):
    data = saved(suffix, exif=exif(orientation))
    assert b"SecretCamera" in data and not is_bare(data, suffix)
    copied = copy_bytes(data, picture(), suffix)
    assert b"SecretCamera" not in copied and is_bare(copied, suffix)
    with Image.open(io.BytesIO(copied)) as image:
        assert image.format == FORMATS[suffix] and not dict(image.getexif())
        assert np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(picture(), int)).max() <= 12


@pytest.mark.parametrize(
    "data, suffix",
    [
        (saved(".jpg", comment=b"made with a prompt"), ".jpg"),
        (saved(".jpg", xmp=b"<x:xmpmeta>owner</x:xmpmeta>"), ".jpg"),
        (saved(".jpg") + b"a second picture", ".jpg"),
        (saved(".jpg")[:-2], ".jpg"),
        (saved(".webp", xmp=b"<x/>"), ".webp"),
        (saved(".png") + b"x", ".png"),
        (saved(".png")[:-4], ".png"),
        (saved(".jpg"), ".png"),
        (saved(".png"), ".jpg"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", ".png"),
        (b"", ".png"),
        (b"\xff\xd8", ".jpg"),
        (b"RIFF", ".webp"),
        (b"BM", ".bmp"),
    ],
)
def test_what_holds_more_or_something_else_is_not_copied(data, suffix):
    assert not is_bare(data, suffix)
    copied = copy_bytes(data, picture(), suffix)
    assert copied != data
    with Image.open(io.BytesIO(copied)) as image:
        assert image.size == (60, 40)


def test_text_in_a_png_stays_at_home():
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("parameters", "a secret prompt")
    data = saved(".png", pnginfo=text)
    assert b"secret" in data and b"secret" not in copy_bytes(data, picture(), ".png")


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_page_shows_what_the_reader_reads(tmp_path, suffix):
    """Copy and thumbnail are turned as the scored picture was, and tell nothing of the camera."""
    digests = made.truth(tmp_path, ["a", "b"])
    (tmp_path / "GT" / "a.png").unlink()
    (tmp_path / "GT" / f"a{suffix}").write_bytes(saved(suffix, exif=exif()))
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002})
    arguments = ["--results", str(tmp_path / "Result"), "--ground_truth", str(tmp_path / "GT"), "--pictures", "copies"]
    assert main(["report", *arguments]) == 0
    expected, _ = read_rgb(tmp_path / "GT" / f"a{suffix}")
    report = tmp_path / "Result" / "report" / "pictures"
    with (
        Image.open(report / "full" / "truth" / f"a{suffix}") as full,
        Image.open(report / "thumbs/truth/a.webp") as small,
    ):
        assert full.size == small.size == expected.size and not dict(full.getexif()) and not dict(small.getexif())
    assert not any(b"SecretCamera" in path.read_bytes() for path in report.rglob("*") if path.is_file())


def test_names_that_differ_after_a_dot_are_two_pictures(tmp_path):
    digests = made.truth(tmp_path, ["scene.v2", "scene.v3"])
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002})
    assert main(["report", "--results", str(tmp_path / "Result"), "--ground_truth", str(tmp_path / "GT")]) == 0
    thumbs = tmp_path / "Result" / "report" / "pictures" / "thumbs" / "truth"
    assert {path.name for path in thumbs.iterdir()} == {"scene.v2.webp", "scene.v3.webp"}
