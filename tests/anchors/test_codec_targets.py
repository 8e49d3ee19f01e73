"""python -m cmcbench codec: budgets, streams that decode to what is scored, and bad input."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from bench import ROOT
from made_targets import SIZE, STEMS, check, files, run
from PIL import Image

from cmcbench import codecs
from cmcbench.codecs import ffmpeg
from cmcbench.codecs.still import PillowCodec
from cmcbench.errors import BadInput, RunFailed


@pytest.mark.parametrize("codec", codecs.FAMILY)
def test_every_stream_decodes_to_the_picture_that_is_scored_within_the_budget(truth, tmp_path, codec):
    assert run(truth, tmp_path, codec, "--bpp", 0.4, "--images", "NSI_pgc*") == 0
    row = check(tmp_path / f"{codec}@0.4", codec, 0.4)["NSI_pgc_000"]
    assert row.bits >= 0.8 * 0.4 * SIZE[0] * SIZE[1] and row.scale in (1, 2)
    manifest = json.loads((tmp_path / f"{codec}@0.4" / "manifest.json").read_text())
    assert (manifest["codec"], manifest["t2i"], manifest["baseline"]) == (codec, codec, False)
    settings = manifest["modes"]["image"]["settings"]
    assert (settings["codec"], settings["bpp"], settings["floor"]) == (codec, 0.4, "downscale") and settings["setup"]


def test_several_rates_are_what_each_is_alone(truth, tmp_path):
    assert run(truth, tmp_path / "together", "webp", "jpeg", "--bpp", 0.2, 0.4, 0.8, "--jobs", 3) == 0
    for codec in ("webp", "jpeg"):
        for rate in (0.8, 0.2):
            assert run(truth, tmp_path / "alone", codec, "--bpp", rate, "--jobs", 1) == 0
            name = f"{codec}@{rate}"
            assert files(tmp_path / "alone" / name) == files(tmp_path / "together" / name)
            assert len(check(tmp_path / "alone" / name, codec, rate)) == 3


def test_several_rates_share_their_trial_encodings(truth, tmp_path, monkeypatch):
    coded, original = [], codecs.Webp.compress

    def counting(self, image, setting):
        coded.append((image.tobytes(), setting))
        return original(self, image, setting)

    monkeypatch.setattr(codecs.Webp, "compress", counting)
    run(truth, tmp_path / "one", "webp", "--bpp", 0.8, "--images", "NSI_pgc*")
    alone = len(coded)
    coded.clear()
    run(truth, tmp_path / "four", "webp", "--bpp", 0.8, 0.7, 0.5, 0.4, "--images", "NSI_pgc*")
    assert len(coded) == len(set(coded)) < 3 * alone


def test_a_setting_of_the_codec_s_own_scale(truth, tmp_path):
    assert run(truth, tmp_path, "jpeg", "webp", "--quality", 30, 80) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jpeg@q30", "jpeg@q80", "webp@q30", "webp@q80"]
    row = check(tmp_path / "jpeg@q30", "jpeg", 24)["NSI_ugc_000"]
    assert (row.level, row.scale) == ("30", 1)
    with Image.open(truth / "NSI_ugc_000.png") as image:
        assert (tmp_path / "jpeg@q30" / "stream" / "NSI_ugc_000.jpg").read_bytes() == codecs.Jpeg().compress(image, 30)


# Floors


def test_below_its_floor_a_codec_codes_a_smaller_picture_and_says_so(truth, tmp_path, capsys):
    assert run(truth, tmp_path, "webp", "--bpp", 0.15) == 0
    rows = check(tmp_path / "webp@0.15", "webp", 0.15)
    scales = [row.scale for row in rows.values()]
    assert max(scales) > 1 and len(rows) == 3
    said = capsys.readouterr().err
    assert f"webp@0.15: webp cannot go so low at full size; coded {scales.count(2)} at 1/2 of their size" in said


def test_a_rate_that_cannot_be_reached_is_named_and_left_out_and_the_rest_goes_on(truth, tmp_path, capsys):
    """That a codec cannot go so low is its property and no failure: exit code 0, one line, and 1 with --strict."""
    assert run(truth, tmp_path, "jpeg", "--bpp", 0.01, 0.5) == 0
    said = capsys.readouterr().err
    assert said.count("note: jpeg cannot reach 0.01 bpp on 3 of 3 images (") == 1 and all(
        stem in said for stem in STEMS
    )
    assert "failed" not in said and said.endswith(f"\n3 images as jpeg@0.5 in {tmp_path}.\n")
    assert run(truth, tmp_path, "jpeg", "--bpp", 0.01, 0.5, "--strict") == 1
    capsys.readouterr()
    assert run(truth, tmp_path, "jpeg", "--bpp", 0.01, 0.5, "--quiet") == 0
    assert "note: " not in capsys.readouterr().err
    assert run(truth, tmp_path, "jpeg", "--bpp", 0.01) == 0
    assert capsys.readouterr().err.endswith(f"\nNo target was made in {tmp_path}.\n")
    assert not list((tmp_path / "jpeg@0.01").glob("*/*.png")) and len(check(tmp_path / "jpeg@0.5", "jpeg", 0.5)) == 3


def test_or_it_is_coded_at_the_codec_s_floor_with_the_bits_that_it_takes(truth, tmp_path, capsys):
    assert run(truth, tmp_path, "jpeg", "--bpp", 0.01, "--floor", "report") == 0
    rows = check(tmp_path / "jpeg@0.01", "jpeg", 24)
    assert all((row.level, row.scale) == ("1", 1) and row.bits > 0.01 * SIZE[0] * SIZE[1] for row in rows.values())
    mean = sum(row.bits for row in rows.values()) / 3 / SIZE[0] / SIZE[1]
    assert (
        f"jpeg@0.01: 3 image(s) are above 0.01 bpp, at the codec's floor (mean {mean:.4f} bpp)"
        in capsys.readouterr().err
    )


def test_odd_pictures_are_coded_and_bad_ones_are_named_and_the_rest_goes_on(gt, tmp_path, capsys):
    Image.new("RGB", (1, 1), (200, 30, 60)).save(gt / "pixel.png")
    with Image.open(gt / "NSI_pgc_000.png") as image:
        image.putalpha(128)
        image.save(gt / "alpha.png")
    Image.fromarray(np.full((20, 30), 40000, np.uint16)).save(gt / "sixteen.png")
    (gt / "empty.png").write_bytes(b"")
    (gt / "gone.png").symlink_to(gt / "nowhere.png")
    assert run(gt, tmp_path / "Result", "jpeg", "vvc", "--quality", 30) == 1
    said = capsys.readouterr().err
    assert "empty.png: jpeg@q30: empty.png: is an empty file" in said and "gone.png: is not in" in said
    assert (
        said.count("had an alpha channel") == 1 and said.count("had 16 bits of gray") == 1 and "Traceback" not in said
    )
    for name in ("jpeg@q30", "vvc@q30"):
        made = {path.stem: path for path in (tmp_path / "Result" / name / "image").glob("*.png")}
        assert set(made) == {*STEMS, "pixel", "alpha", "sixteen"}
        with Image.open(made["pixel"]) as image:
            assert image.size == (1, 1) and np.abs(np.subtract(image.getpixel((0, 0)), (200, 30, 60))).max() < 10


@pytest.fixture
def poor_ffmpeg(monkeypatch, tmp_path):
    """An ffmpeg with no encoder but x264's."""
    real = ffmpeg.ffmpeg_program()
    path = tmp_path / "ffmpeg"
    path.write_text(
        f'#!/bin/sh\nif [ "$3" = -encoders ]; then echo " V....D libx264 H.264"; else exec "{real}" "$@"; fi\n'
    )
    path.chmod(0o755)
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: str(path))
    monkeypatch.setattr(ffmpeg, "_found", ffmpeg._found.__wrapped__)


def test_an_ffmpeg_without_an_encoder_is_named_and_the_rest_goes_on(truth, tmp_path, poor_ffmpeg, capsys):
    assert run(truth, tmp_path / "Result", "vvc", "avc", "jpegxl", "jpeg", "--quality", 10, "--images", "SCI*") == 1
    said = capsys.readouterr().err
    assert "vvc is left out:" in said and "has no vvc encoder (libvvenc); pip install -U imageio-ffmpeg" in said
    assert "has no jpegxl encoder (libjxl)" in said
    assert sorted(path.name for path in (tmp_path / "Result").iterdir()) == ["avc@q10", "jpeg@q10"]


def test_without_ffmpeg_pillow_s_codecs_work(truth, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(ffmpeg, "_found", ffmpeg._found.__wrapped__)
    monkeypatch.setattr("cmcbench.codecs.still.features.check", lambda name: name != "avif")
    assert run(truth, tmp_path, "vvc", "avif", "webp", "--bpp", 0.5) == 1
    said = capsys.readouterr().err
    assert "vvc is left out: there is no ffmpeg" in said and "avif is left out: this Pillow has no AVIF (avif)" in said
    assert len(check(tmp_path / "webp@0.5", "webp", 0.5)) == 3
    assert run(truth, tmp_path, "vvc", "--bpp", 0.5) == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["h261", "--bpp", "0.1"], "there is no codec 'h261'"),
        (["jpg", "--bpp", "0.1"], "there is no codec 'jpg'. Did you mean jpeg"),
        (["jpeg", "vvc", "--quality", "90"], "vvc has no QP 90"),
        (["jpeg", "--quality", "1.5"], "jpeg has no quality 1.5; it takes a whole number"),
        (["jpeg", "--bpp", "0.1", "--images", "nothing*"], "of the 3 images in .* none is chosen"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_done(truth, tmp_path, arguments, words):
    with pytest.raises(BadInput, match=words):
        run(truth, tmp_path / "Result", *arguments)
    assert not (tmp_path / "Result").exists()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "25", "much"])
def test_rates_that_are_none(truth, tmp_path, value):
    with pytest.raises(SystemExit) as end:
        run(truth, tmp_path, "jpeg", f"--bpp={value}")
    assert end.value.code == 2


def test_a_codec_that_fails_for_one_picture(truth, tmp_path, monkeypatch, capsys):
    original = codecs.Webp.compress

    def failing(self, image, setting):
        if image.getpixel((0, 0)) == first:
            raise RunFailed("out of memory")
        return original(self, image, setting)

    with Image.open(truth / "NSI_pgc_000.png") as image:
        first = image.getpixel((0, 0))
    monkeypatch.setattr(codecs.Webp, "compress", failing)
    assert run(truth, tmp_path, "webp", "--bpp", 0.5) == 1
    assert "NSI_pgc_000.png: webp@0.5: out of memory" in capsys.readouterr().err
    assert len(check(tmp_path / "webp@0.5", "webp", 0.5)) == 2


def test_the_codec_that_the_documentation_shows_works_and_is_under_ten_lines(truth, tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "codecs.md").read_text(), re.DOTALL)[1]
    assert len(code.strip().splitlines()) < 10
    made: dict = {"PillowCodec": PillowCodec}
    exec(code, made)
    codec = next(each for name, each in made.items() if isinstance(each, type) and each is not PillowCodec)
    monkeypatch.setitem(codecs.FAMILY, codec.name, codec)
    assert run(truth, tmp_path, codec.name, "--bpp", 0.6) == 0
    assert len(check(tmp_path / f"{codec.name}@0.6", codec.name, 0.6)) == 3
