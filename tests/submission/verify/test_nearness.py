"""Pictures nearer to the ground truth than their bits allow are found; what codecs and decoders give is not."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import submissions
from bench import SAMPLES
from PIL import Image
from submissions import picture, zip_file

from cmcbench.codecs import Search, create, decoded
from cmcbench.files.store import png_bytes
from cmcbench.submission import archive, verify
from cmcbench.submission.checks.nearness import bound, psnr
from cmcbench.submission.checks.sampling import chance_to_find, what_it_proves
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


def luma(image):
    return np.asarray(image.convert("L"), dtype=np.float32)


def distance(one, other):
    return psnr(float(np.mean((luma(one) - luma(other)) ** 2)))


@pytest.fixture(scope="module")
def photo():
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:
        return image.convert("RGB")


@pytest.mark.parametrize("name, rate", [("avif", 0.02), ("avif", 0.2), ("jpeg2000", 0.02), ("jpeg2000", 0.2)])
def test_codecs_stay_below_the_bound(photo, name, rate):
    codec = create(name)
    coded = Search(codec, photo).within(rate * photo.width * photo.height)
    allowed = bound(luma(photo), coded.bits)
    assert distance(photo, decoded(codec, coded, photo.size)) < allowed - 2
    assert allowed < bound(luma(photo), 2 * coded.bits)  # more bits allow more


def test_what_the_bound_is():
    flat = np.full((70, 130), 100, dtype=np.float32)
    assert bound(flat, 200) == float("inf")  # a flat picture takes few coefficients
    noise = np.random.default_rng(1).uniform(0, 255, (128, 128)).astype(np.float32)
    assert bound(noise, 100) == pytest.approx(psnr(float(noise.var())), abs=0.3)
    assert bound(noise, noise.size) == float("inf")


def disguised(photo):
    """Three ways to hand in the original: noise of one level, a good JPEG, a light blur."""
    noise = np.random.default_rng(1).choice([-1, 1], np.asarray(photo).shape)
    yield Image.fromarray(np.clip(np.asarray(photo) + noise, 0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=85)
    yield Image.open(buffer).convert("RGB")
    yield photo.resize((photo.width * 3 // 4, photo.height * 3 // 4)).resize(photo.size)


def test_originals_in_disguise_are_nearer_than_a_text_allows(photo):
    bits = int(0.002 * photo.width * photo.height)
    for made in disguised(photo):
        assert distance(photo, made) > bound(luma(photo), bits) + 1


def test_verify_names_them(tmp_path, capsys, photo, monkeypatch):
    """The ground truth ±1 as text mode's pictures; pictures of other colours, as honest ones are here, pass."""
    small = photo.resize((submissions.WIDTH, submissions.HEIGHT))
    original = png_bytes(small)
    forged = png_bytes(next(disguised(small)))

    def drawn(seed, size=(8, 8)):
        if seed == "truth NSI_pgc_000.png":
            return original
        return forged if seed == "text NSI_pgc_000.png" else picture(seed, size)

    monkeypatch.setattr(submissions, "picture", drawn)
    file = submit(submissions.result(tmp_path), tmp_path / "Weight")
    flags = ["--results", str(tmp_path / "Result/real"), "--ground_truth", str(tmp_path / "GT")]
    assert verify.main([str(file), *flags]) == 1
    lines = capsys.readouterr().out.splitlines()
    (fault,) = [line for line in lines if line.startswith("fault: ")]
    assert "NSI_pgc_000.png, mode text: is nearer to the ground truth (" in fault and "bits allow any decoder" in fault
    assert any(line.startswith("nearness: 28 of 28 pictures held against what their bits allow") for line in lines)
    contents = archive.read(file, FILES)
    assert verify.main([str(zip_file(tmp_path / "x.zip", contents))]) == 0  # without pictures nothing shows it
    assert json.loads(contents["submission.json"])["target"] == "real"


def test_what_a_sample_proves():
    assert chance_to_find(0, 10, 5) == 0 and chance_to_find(6, 10, 5) == 1 and chance_to_find(1, 10, 5) == 0.5
    assert chance_to_find(16, 4000, 40) == pytest.approx(1 - np.prod([(3960 - n) / (4000 - n) for n in range(16)]))
    assert what_it_proves(16, 4000) == "16 of 4,000: finds 1 % of forged pictures (40) with 15 %, 10 % of forged" \
        " pictures (400) with 82 %"  # fmt: skip
    assert what_it_proves(28, 28).endswith("with 100 %") and "(1) with 100 %" in what_it_proves(28, 28)
