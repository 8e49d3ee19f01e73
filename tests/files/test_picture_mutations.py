"""Thousands of damaged pictures: each is read, or fails as a picture; CMCBENCH_FUZZ=N sets how many."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest
from picture_files import moving, photo, save, with_exif

from cmcbench.errors import ImageProblem
from cmcbench.files.images import bare_copy, image_size, read_rgb
from cmcbench.files.pictures import icc

TURNS = int(os.environ.get("CMCBENCH_FUZZ", 800))
SLOWEST = 20  # seconds for one picture of 40x30 pixels, also on a busy machine

KINDS = [
    ("PNG", "RGB", {}),
    ("PNG", "P", {}),
    ("PNG", "RGBA", {"icc_profile": icc.profile(icc.P3, (2.2,))}),
    ("JPEG", "RGB", {"exif": with_exif(6)}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "RGB", {"progressive": True, "icc_profile": icc.profile(icc.P3, icc.SRGB_CURVE)}),
    ("WEBP", "RGB", {"exif": with_exif(3)}),
    ("BMP", "RGB", {}),
    ("TIFF", "RGB", {}),
    ("TIFF", "P", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw", "tiffinfo": {274: 6}}),
    ("TIFF", "I;16", {}),
    ("GIF", "P", {}),
    ("AVIF", "RGB", {}),
    ("JPEG2000", "RGB", {}),
    ("MPO", "RGB", {"save_all": True, "append_images": [photo((8, 8))]}),
    *((form, "RGB", {}) for form in ("DDS", "PCX", "ICO", "QOI", "SGI", "TGA", "PPM")),
]


def seeds(file) -> list[bytes]:
    """Whole files of the kinds that users have."""
    whole = [save(file, photo().convert(mode), form, **options).read_bytes() for form, mode, options in KINDS]
    return whole + [moving(file, form).read_bytes() for form in ("GIF", "PNG", "TIFF", "WEBP")]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed (most of them in the headers, which decide what Pillow does), parts cut out, doubled or cut off."""
    changed = bytearray(data)
    if chance.random() < 0.2:
        del changed[chance.randrange(len(changed)) :]
    if chance.random() < 0.15 and len(changed) > 8:
        begin = chance.randrange(len(changed))
        part = changed[begin : begin + chance.choice((1, 4, 64))]
        changed[begin:begin] = part * chance.choice((1, 2, 500))
    if chance.random() < 0.1 and changed:
        begin = chance.randrange(len(changed))
        del changed[begin : begin + chance.choice((1, 4, 64))]
    for _ in range(chance.choice((0, 1, 2, 8))):
        if changed:
            place = chance.randrange(min(len(changed), chance.choice((64, 200, 9999))))
            changed[place] = chance.choice((0, 255, 128, 1, changed[place] ^ 1 << chance.randrange(8)))
    return bytes(changed)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_picture_of_any_kind_is_read_or_fails_as_a_picture(tmp_path):
    chance, whole, path = random.Random(3), seeds(tmp_path / "seed"), tmp_path / "x.tga"
    ends: Counter[str] = Counter()
    for turn in range(TURNS):
        data = mutated(whole[turn % len(whole)], chance)
        path.write_bytes(data)
        begun = time.perf_counter()
        try:
            image, note = read_rgb(data, "x.tga")
            assert (image.mode, image.info) == ("RGB", {}) and min(image.size) > 0
            assert image_size(path) == image.size, "the size by the header is not the picture's"
            bare_copy(data, chance.choice(("x.png", "x.jpg", "x.webp")), image, note)
            ends["read"] += 1
        except ImageProblem as problem:
            assert str(problem).startswith("x.tga: ") and "\n" not in str(problem)[:20]
            ends["refused"] += 1
        try:
            image_size(path)
        except ImageProblem:
            pass
        assert time.perf_counter() - begun < SLOWEST, f"turn {turn} takes too long"
    assert set(ends) == {"read", "refused"} and min(ends.values()) > TURNS / 20
