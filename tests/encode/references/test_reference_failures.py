"""Ground truth that cannot be used, and rates that cannot be reached."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_references import SIZES, damage, files, make, names, rows
from PIL import Image

from cmcbench.encode import references
from cmcbench.errors import RunFailed
from cmcbench.files.store import only_writer


def spoiled(gt: Path) -> None:
    """One picture cut, one replaced by an empty file, and one by an animation."""
    damage(gt / "AIGI_MJ_000.png")
    (gt / "AIGI_MJ_000.png").write_bytes((gt / "AIGI_MJ_000.png").read_bytes()[:500])
    (gt / "empty.png").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(gt / "moving.png", save_all=True, append_images=[Image.new("RGB", (9, 9), "red")])


def test_a_broken_ground_truth_is_listed_and_the_others_go_on(gt, truth, tmp_path, whole, avif, worked, capsys):
    spoiled(gt)
    report = make(gt, tmp_path / "Ref")
    broken = ("AIGI_MJ_000", "empty", "moving")
    assert set(report.failures) == {f"{kind}/{stem}" for kind in ("image", "pixel") for stem in broken}
    assert all(reason.startswith(f"{name.split('/')[1]}.png: ") for name, reason in report.failures.items())
    assert "image reference: AIGI_MJ_000.png: is damaged or truncated" in report.failures["image/AIGI_MJ_000"]
    assert sorted(files(tmp_path / "Ref")) == names("NSI_pgc_000", "SCI_game_000")
    assert report.close("done") == 1 and "6 failed:" in capsys.readouterr().err
    # Mended, they are made, and nothing else
    shutil.copy(truth / "AIGI_MJ_000.png", gt)
    for name in ("empty.png", "moving.png"):
        (gt / name).unlink()
    worked.clear()
    assert make(gt, tmp_path / "Ref").failures == {} and worked == {"pixel": 1, "image": 1}
    assert files(tmp_path / "Ref") == files(whole)


def test_a_conversion_is_said_once(gt, tmp_path, avif, capsys):
    for stem in SIZES:
        with Image.open(gt / f"{stem}.png") as image:
            image.convert("RGBA").save(gt / f"{stem}.png")
    make(gt, tmp_path / "Ref")
    assert capsys.readouterr().err.count("had an alpha channel (mode RGBA), dropped") == 1


def test_a_codec_that_fails_for_one_picture_is_listed_and_the_others_go_on(truth, tmp_path, avif, monkeypatch):
    original = references.to_budget

    def failing(codec, image, budget):
        if image.size == SIZES["NSI_pgc_000"]:
            raise RunFailed("ffmpeg failed: out of memory")
        return original(codec, image, budget)

    monkeypatch.setattr(references, "to_budget", failing)
    report = make(truth, tmp_path / "Ref")
    assert report.failures == {"image/NSI_pgc_000": "NSI_pgc_000.png: image reference: ffmpeg failed: out of memory"}
    assert set(names(*SIZES)) - set(files(tmp_path / "Ref")) == {"image/NSI_pgc_000.png", "stream/NSI_pgc_000.obu"}


def test_without_ffmpeg_avif_is_used_with_a_warning(truth, tmp_path, avif, capsys):
    make(truth, tmp_path / "Ref", only="SCI")
    said = capsys.readouterr().err
    assert "note: there is no ffmpeg (it is away); pip install 'imageio-ffmpeg>=0.6' brings one. " in said
    assert said.count("Image references are made with AVIF instead") == 1
    assert rows(tmp_path / "Ref")[0]["codec"] == "avif"


def test_a_rate_that_cannot_be_reached_is_warned_of(truth, tmp_path, avif, capsys):
    make(truth, tmp_path / "Ref", budget=0.002).close("done")
    found = rows(tmp_path / "Ref")[: len(SIZES)]
    assert all(float(row["bpp"]) > 0.002 for row in found)
    said = capsys.readouterr().err
    assert f"avif cannot reach 0.002 bpp, and the reference is over it (rate.csv, bpp), on {len(found)} of" in said


def test_a_second_run_at_once_is_refused(truth, ref):
    with only_writer(ref / ".lock", "x"), pytest.raises(RunFailed, match="another run is writing references in"):
        make(truth, ref)


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(truth, tmp_path, whole, avif, monkeypatch):
    original, written = references.write_bytes, []

    def filling(path, data):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        original(path, data)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(references, "write_bytes", filling)
        make(truth, tmp_path / "Ref")
    assert len(files(tmp_path / "Ref")) == 3  # two files and the table
    make(truth, tmp_path / "Ref")
    assert files(tmp_path / "Ref") == files(whole)
