"""The three steps on folders as people have them: photos from phones, other formats, pipes, names of other systems."""

from __future__ import annotations

import csv
import io
import os

import numpy as np
import pytest
from bench import write_captions, write_truth
from picture_files import moving, photo, save, with_exif
from PIL import Image

UPRIGHT = (48, 32)


@pytest.fixture
def odd(faked):
    """A folder of pictures of every kind, and what is none."""
    truth = faked.folder / "GT"
    truth.mkdir()
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(photo(UPRIGHT)))))
    save(truth / "phone.jpg", lying, "JPEG", exif=with_exif(6))
    save(truth / "mpo.jfif", photo(UPRIGHT), "MPO", save_all=True, append_images=[photo((8, 8))])
    for name, form in (
        ("a.gif", "GIF"),
        ("b.avif", "AVIF"),
        ("c.ppm", "PPM"),
        ("scene.v2", "PNG"),
        ("no-ending", "WEBP"),
    ):
        save(truth / name, photo(UPRIGHT), form)
    moving(truth / "moving.gif", "GIF")
    (truth / "eps.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    (truth / "photo.heic").write_bytes(b"")
    (truth / "notes.txt").write_text("notes")
    os.mkfifo(truth / "pipe.png")
    save(truth / "Screenshot at 9\u202fAM.png", photo(UPRIGHT))
    (truth / "more").mkdir()
    save(truth / "more" / "d.png", photo())
    return faked


READ = {"phone.jpg", "mpo.jfif", "a.gif", "b.avif", "c.ppm", "scene.v2", "no-ending", "Screenshot at 9\u202fAM.png"}


def test_whatever_pillow_reads_is_captioned_and_the_rest_is_told_by_name(odd):
    done = odd.encode("--model_name", "me", code=1)
    text = (odd.folder / "Text" / "me.csv").read_text(encoding="utf-8")
    captions = {row["name"]: row["text"] for row in csv.DictReader(io.StringIO(text))}
    assert captions.keys() == READ and all('"48x32" picture' in caption for caption in captions.values())
    said = done.stderr
    assert "phone.jpg was turned upright (orientation 6); the same holds for every such picture" in said
    assert "mpo.jfif holds 2 pictures, the first was taken" in said
    assert "moving.gif: is animated (2 frames), expected a still picture" in said
    assert "eps.png: is no picture that Pillow can read" in said
    assert "photo.heic: is HEIC, which Pillow cannot read" in said
    assert "pipe.png: is a pipe, socket or device, no regular file" in said
    assert "passed over 1 file(s) that are no pictures (notes.txt) and sub-folder(s) that hold pictures (more)" in said


def test_references_of_a_photo_lie_as_it_is_seen(odd, avif):
    odd.encode("--model_name", "none", "--references", code=1)
    for kind in ("pixel", "image"):
        with Image.open(odd.folder / "Ref" / kind / "phone.png") as image:
            assert image.size == UPRIGHT and not image.getexif()


def test_a_folder_whose_pictures_lie_deeper_is_refused_by_name(faked):
    truth = write_truth(faked.folder / "GT" / "validation", 1)
    done = faked.encode("--model_name", "me", code=2)
    assert f"Its sub-folder(s) do: validation. Name one of them, e.g. {truth.relative_to(faked.folder)}" in done.stderr


def test_a_mistyped_folder_is_refused_in_step_2(faked, small_truth):
    captions = write_captions(
        faked.folder / "Text" / "x.csv", {path.name: "a street" for path in small_truth.iterdir()}
    )
    for name, words in (("TG", "does not exist"), (".", "GT")):
        done = faked.decode("--mode", "text", "--input_path", captions, "--ground_truth", name, code=2)
        assert "--ground_truth" in done.stderr and words in done.stderr
