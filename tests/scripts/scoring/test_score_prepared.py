"""script-evaluate.py against a ground truth that `prepare` made: the summary and the board say which test set it is."""

from __future__ import annotations

import json
import shutil

import pytest
import set_files
from scoring_runs import METRICS, blur, board, scores, summary

from cmcbench.board.curves import command as curves
from cmcbench.data import prepare


@pytest.fixture
def ready(faked, small_truth):
    """Originals as downloaded, GT made of them, and Result/real/image, blurred."""
    shutil.move(small_truth, faked.folder / "photos")
    prepared(faked)
    blur(faked.folder / "GT", faked.folder / "Result/real/image", 2)
    return faked


def prepared(bench, *arguments) -> None:
    asked = [bench.folder / "photos", "--short", 72, "--crop", 64, "--to", bench.folder / "GT", *arguments]
    assert prepare.main(list(map(str, asked))) == 0


def seal(bench) -> str:
    return json.loads((bench.folder / "GT/.prepared.json").read_text())["digest"]


def test_the_test_set_is_told_by_scores_leaderboard_and_curves(ready):
    done = ready.score(*METRICS)
    assert "passed over" not in done.stderr  # the manifest in GT is no stray file
    assert summary(ready)["data"] == {"name": "photos short72 crop64", "digest": seal(ready)}
    told = f"photos short72 crop64 {seal(ready)[:8]}"
    assert {row["data"] for row in board(ready)} == {told}
    assert f"\nGround truth: {told}.\n" in (ready.folder / "Result/leaderboard.md").read_text()
    assert f"Ground truth: {told}." in (ready.folder / "Result/leaderboard.tex").read_text()
    assert f'"data":"{told}"' in (ready.folder / "Result/report/data/board.js").read_text()


def test_pictures_that_have_changed_are_refused_before_anything_is_scored(ready):
    ready.score(*METRICS)
    before = ready.files("Result/**/*")
    (ready.folder / "GT" / scores(ready)[0]["name"]).unlink()
    done = ready.score(*METRICS, code=2)
    assert "is not photos short72 crop64 as it was prepared: 1 picture(s) differ" in done.stderr
    assert "python -m cmcbench prepare" in done.stderr and ready.files("Result/**/*") == before


def test_rows_of_another_ground_truth_are_not_told_as_of_the_set(ready):
    """--gt_path with fewer images keeps the earlier rows: the whole is then no longer the set."""
    ready.score(*METRICS)
    few = ready.folder / "few"
    names = sorted(row["name"] for row in scores(ready))
    shutil.copytree(ready.folder / "photos", few, ignore=lambda _, files: [each for each in files if each == names[0]])
    arguments = [few, "--short", 72, "--crop", 64, "--to", ready.folder / "GT2"]
    assert prepare.main(list(map(str, arguments))) == 0
    ready.score(*METRICS, "--gt_path", "GT2")
    assert "data" not in summary(ready) and summary(ready)["ground_truth"]["images"] == len(names)
    ready.score(*METRICS, "--gt_path", "GT2", "--overwrite")
    assert summary(ready)["data"]["name"] == "few short72 crop64"


def test_prepare_codec_score_and_curves_go_together(ready):
    """The way through with results whose rates are known."""
    from cmcbench.anchors import codec

    asked = ["jpeg", "--quality", "20", "60", "--ground_truth", ready.folder / "GT"]
    codec.main([*map(str, asked), "--output_path", str(ready.folder / "Result")])
    ready.score("--target", "jpeg@*", *METRICS)
    assert (
        curves.main(["jpeg", "--anchor", "jpeg", "--results", str(ready.folder / "Result"), "--resamples", "20"]) == 0
    )
    text = (ready.folder / "Result/curves/points.csv").read_text()
    assert ",data," in text.splitlines()[0] and text.count(f"photos short72 crop64 {seal(ready)[:8]}") == 2
    assert "of 4 in photos short72 crop64" in (ready.folder / "Result/curves/cost.md").read_text()


def test_kodak_from_its_folder_to_curves(faked):
    """The way of docs/data.md with 24 pictures of Kodak's names and sizes, at a small crop."""
    from cmcbench.anchors import codec

    folder = faked.folder
    set_files.kodak(folder / "Kodak")
    asked = ["kodak", "--from", folder / "Kodak", "--short", 64, "--crop", 64, "--to", folder / "GT"]
    assert prepare.main([*map(str, asked)]) == 0
    places = ["--ground_truth", str(folder / "GT"), "--output_path", str(folder / "Result")]
    assert codec.main(["webp", "jpeg", "--quality", "10", "40", "80", *places]) == 0
    faked.score("--target", "all", "--metrics", "psnr,ssim")
    found = {row["target"]: row for row in board(faked) if row["mode"] == "image"}
    assert len(found) == 6 and {(row["n"], row["of"]) for row in found.values()} == {("24", "24")}
    assert {row["data"] for row in found.values()} == {f"kodak short64 crop64 {seal(faked)[:8]}"}
    assert curves.main(["--anchor", "jpeg", "--results", str(folder / "Result"), "--resamples", "50"]) == 0
    told = (folder / "Result/curves/bd.md").read_text()
    assert (
        "| webp" in told
        and f"All figures are of the same 24 images, of 24 in kodak short64 crop64 {seal(faked)[:8]}" in told
    )
