"""python -m cmcbench prepare: sets counted, pictures resized and cropped, digests, killed runs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from bench import ROOT
from PIL import Image
from set_files import KODAK, clic, manifest, prepared, state

from cmcbench.data import prepare
from cmcbench.data.preparation import Preparation
from cmcbench.errors import BadInput
from cmcbench.files.images import list_images
from cmcbench.files.manifest import read_prepared
from cmcbench.files.store import digest, png_bytes
from cmcbench.protocol import content_type
from cmcbench.published.test_sets import TEST_SETS


def test_a_set_becomes_squares_of_its_middle(photos, tmp_path, capsys):
    to = tmp_path / "GT"
    assert prepared(to, "kodak", "--from", photos, "--short", 256, "--crop", 200) == 0
    listing = list_images(to, "GT")
    assert list(listing) == KODAK and listing.note is None and not listing.problems
    for name, path in listing.items():
        with Image.open(photos / path.name) as original, Image.open(path) as made:
            width, height = (384, 256) if original.width > original.height else (256, 384)
            small = original.resize((width, height), Image.Resampling.LANCZOS)
            left, top = (width - 200) // 2, (height - 200) // 2
            expected = small.crop((left, top, left + 200, top + 200))
            assert made.mode == "RGB" and np.array_equal(np.asarray(made), np.asarray(expected)), name
    found = manifest(to)
    assert (found["name"], found["set"], found["split"]) == ("kodak short256 crop200", "kodak", "whole")
    assert (found["short"], found["crop"], found["resample"], found["images"]) == (256, 200, "lanczos", 24)
    assert "unfinished" not in found and found["source"].startswith("https://r0k.us/")
    one = found["pictures"]["kodim04.png"]
    assert (one["source_size"], one["size"]) == ([512, 768], [200, 200])
    assert one["source_sha256"] == digest((photos / "kodim04.png").read_bytes())
    assert one["file"] == digest((to / "kodim04.png").read_bytes())
    assert f"kodak short256 crop200: 24 pictures, digest {found['digest']}" in capsys.readouterr().err
    assert {content_type(path.name) for path in listing.values()} == {"other"}  # one type for another set


def test_the_digest_is_of_pixels(photos, tmp_path):
    """The same for the same pixels in any file, another for another crop, filter or picture."""

    def made(name, *arguments):
        assert prepared(tmp_path / name, "kodak", "--from", photos, *arguments) == 0
        return manifest(tmp_path / name)

    one, two = made("a", "--crop", 96), made("b", "--short", 512, "--crop", 96)
    assert one["digest"] == two["digest"] and (one["name"], two["name"]) == ("kodak crop96", "kodak short512 crop96")
    lanczos, bicubic = made("c", "--short", 128), made("d", "--short", 128, "--resample", "bicubic")
    assert lanczos["name"] == bicubic["name"] == "kodak short128" and lanczos["digest"] != bicubic["digest"]
    assert len({each["digest"] for each in (one, lanczos, bicubic)}) == 3


def test_a_second_run_makes_nothing_and_a_missing_picture_comes_again(photos, tmp_path):
    to, arguments = tmp_path / "GT", ("kodak", "--from", photos, "--crop", 64)
    prepared(to, *arguments)
    before = state(to)
    assert prepared(to, *arguments) == 0
    assert state(to) == before
    (to / "kodim07.png").unlink()
    assert prepared(to, *arguments) == 0
    after = state(to)
    assert {name: each[1] for name, each in after.items()} == {name: each[1] for name, each in before.items()}
    assert [name for name in after if after[name] != before[name]] and after["kodim08.png"] == before["kodim08.png"]


def test_a_killed_run_goes_on(photos, tmp_path, monkeypatch):
    to, arguments = tmp_path / "GT", ("kodak", "--from", photos, "--crop", 64)
    left, real = [9], prepare.png_bytes

    def killed(image):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(image)

    monkeypatch.setattr(prepare, "png_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        prepared(to, *arguments)
    assert manifest(to)["unfinished"] and len(list(to.glob("*.png"))) == 9
    with pytest.raises(BadInput, match="is not prepared whole.*prepare"):
        read_prepared(to, {})
    kept = {path.name for path in to.glob("*.png")} & manifest(to)["pictures"].keys()
    before = state(to)
    monkeypatch.setattr(prepare, "png_bytes", real)
    assert prepared(to, *arguments) == 0
    whole = tmp_path / "whole"
    prepared(whole, *arguments)
    assert manifest(to) == manifest(whole)
    assert kept and all(state(to)[name] == before[name] for name in kept)


def test_clic_is_two_folders_and_a_number(tmp_path, capsys):
    sets = clic(tmp_path / "clic")
    assert prepared(tmp_path / "a", "clic2020-test", "--from", sets, "--crop", 8) == 0
    assert prepared(tmp_path / "b", "clic2020-test", "--from", sets / "mobile", sets / "professional", "--crop", 8) == 0
    assert prepared(tmp_path / "c", "clic2020-pro", "--from", sets, "--crop", 8) == 0
    a, b, c = (manifest(tmp_path / name) for name in "abc")
    assert a["digest"] == b["digest"] and (a["images"], c["images"]) == (428, 250)
    with pytest.raises(BadInput):
        prepared(tmp_path / "d", "clic2020-test", "--from", sets / "mobile")
    assert "there are 178 pictures, and clic2020-test has 428 (professional 250, mobile 178)" in capsys.readouterr().err
    (sets / "mobile" / "m0000.png").rename(sets / "mobile" / "p0000.png")
    with pytest.raises(BadInput):
        prepared(tmp_path / "d", "clic2020-test", "--from", sets)
    assert "have one name" in capsys.readouterr().err


def test_the_known_sets_have_as_many_names_as_pictures():
    for name, known in TEST_SETS.items():
        assert len(set(known.stems)) == (known.images if known.stems else 0), name
        assert sum(known.parts.values()) in (0, known.images), name
    numbers = {name: known.images for name, known in TEST_SETS.items()}
    assert numbers == {"kodak": 24, "clic2020-test": 428, "clic2020-pro": 250, "div2k-val": 100, "tecnick": 100}
    ends = {name: (known.stems[0], known.stems[-1]) for name, known in TEST_SETS.items() if known.stems}
    assert ends["div2k-val"] == ("0801", "0900")
    assert ends["tecnick"] == ("RGB_OR_1200x1200_001", "RGB_OR_1200x1200_100")


def test_sizes_are_rounded_to_the_nearest_pixel_and_offsets_down():
    half = Preparation(256, 256, "lanczos", False)
    assert half.resized((1365, 2048)) == (256, 384) and half.resized((2048, 1365)) == (384, 256)
    assert half.resized((333, 333)) == (256, 256) and half.resized((256, 1000)) == (256, 1000)
    odd = Image.fromarray(np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3))
    made = Preparation(None, 2, "lanczos", False).apply(odd)
    assert np.array_equal(np.asarray(made), np.asarray(odd)[1:3, 2:4])
    assert png_bytes(made) == png_bytes(made)


def test_the_command_is_listed_and_its_help_is_quick():
    done = subprocess.run([sys.executable, "-m", "cmcbench"], cwd=ROOT, capture_output=True, text=True)
    assert "prepare" in done.stdout
    program = "import sys; from cmcbench.data import prepare\ntry: prepare.main(['--help'])\nexcept SystemExit: pass\n"
    program += "print([name for name in ('PIL', 'numpy', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr
