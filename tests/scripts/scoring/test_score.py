"""script-evaluate.py: pairing, caching by content, partial results, metrics by name, and what broken input does."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys

import pytest
from bench import ROOT, write_captions, write_truth
from PIL import Image, ImageFilter
from scoring_runs import METRICS, blur, board, mean, scores, summary


def test_scores_are_pyiqas_own(ready, small_truth):
    import pyiqa

    ready.score(*METRICS)
    psnr, piqe = pyiqa.create_metric("psnr"), pyiqa.create_metric("piqe")
    rows = scores(ready)
    assert [row["name"] for row in rows] == sorted(2 * [path.name for path in small_truth.iterdir()])
    for row in rows:
        truth, made = small_truth / row["name"], ready.folder / "Result/real" / row["mode"] / row["name"]
        assert float(row["psnr"]) == pytest.approx(float(psnr(str(made), str(truth))), abs=1e-4)
        assert float(row["piqe"]) == pytest.approx(float(piqe(str(made))), abs=1e-4)
        assert (row["type"], row["source"]) == tuple(row["name"].split("_")[:2])
        assert (row["bits"], row["bpp"]) == ("", "")  # nothing tells what these pictures cost


def test_printed_lines_and_means(ready):
    done = ready.score(*METRICS)
    lines = done.stdout.splitlines()
    rows = scores(ready)
    assert lines[0] == "------Evaluating real------"
    assert lines[1] == "-------------------full-------------------"
    assert (
        lines[2] == f"psnr: {mean(rows, 'psnr', 'full'):.4f}\tpiqe (lower is better): {mean(rows, 'piqe', 'full'):.4f}"
    )
    assert lines[3:5] == ["image does not exist. Jumped!", "pixel does not exist. Jumped!"]
    assert lines[5] == "-------------------text-------------------"
    both = (mean(rows, "psnr", "full") + mean(rows, "psnr", "text")) / 2
    assert lines[7].startswith(f"Mean over modes: psnr: {both:.4f}")
    found = summary(ready)
    assert found["modes"]["full"]["metrics"]["psnr"]["mean"] == pytest.approx(mean(rows, "psnr", "full"), abs=1e-12)
    assert found["modes"]["full"]["types"]["NSI"]["psnr"]["n"] == 3
    assert found["metrics"]["piqe"] == {
        "kind": "NR",
        "lower_is_better": True,
        "identity": found["metrics"]["piqe"]["identity"],
    }


def test_pairs_are_made_by_name_not_by_order(ready, small_truth):
    """A reconstruction of no ground truth, listed first, and a missing one: pairing by order would shift all."""
    ready.score(*METRICS)
    before = {(row["name"], row["mode"]): row["psnr"] for row in scores(ready)}
    Image.new("RGB", (9, 9)).save(ready.folder / "Result/real/full/AAA_000.png")
    first = sorted(small_truth.iterdir())[0].name
    (ready.folder / "Result/real/text" / first).unlink()
    done = ready.score(*METRICS, "--overwrite")
    assert "full: 1 image(s) have no ground truth and are not scored (first: AAA_000.png)" in done.stderr
    assert "text: 3 of 4 images have all scores; the result is partial" in done.stderr
    after = {(row["name"], row["mode"]): row["psnr"] for row in scores(ready)}
    assert after == {key: value for key, value in before.items() if key != (first, "text")}


def test_cached_by_content(ready, small_truth):
    ready.score(*METRICS)
    before = ready.files("Result/**/*")
    done = ready.score(*METRICS)
    assert "scores:" not in done.stderr and ready.files("Result/**/*") == before
    changed = sorted((ready.folder / "Result/real/full").iterdir())[1]
    shutil.copy(small_truth / changed.name, changed)
    done = ready.score(*METRICS)
    assert "3/8" not in done.stderr and "7/8" in done.stderr  # seven of eight were there
    row = next(row for row in scores(ready) if (row["name"], row["mode"]) == (changed.name, "full"))
    assert float(row["psnr"]) > 60
    assert "8/8" in ready.score(*METRICS, "--overwrite").stderr


def test_a_second_metric_is_added_and_the_first_kept(ready):
    ready.score("--metrics", "psnr")
    first = [row["psnr"] for row in scores(ready)]
    ready.score("--metrics", "piqe", "--subset", 2)
    rows = scores(ready)
    assert [row["psnr"] for row in rows] == first and sum(bool(row["piqe"]) for row in rows) == 4
    assert set(summary(ready)["metrics"]) == {"psnr", "piqe"}


def test_partial_is_marked_and_never_ranked(ready, small_truth):
    blur(small_truth, ready.folder / "Result" / "sharp" / "full", 0.2)
    ready.score(*METRICS, "--subset", 2)
    rows = {row["mode"]: row for row in board(ready)}
    assert (rows["full"]["n"], rows["full"]["of"], rows["full"]["status"]) == ("2", "4", "partial")
    assert rows["full"]["psnr_rank"] == "" and rows["overall"]["psnr_rank"] == ""
    assert "*partial*" in (ready.folder / "Result/leaderboard.md").read_text()
    ready.score(*METRICS, "--target", "sharp")
    rows = {(row["target"], row["mode"]): row for row in board(ready)}
    assert rows["sharp", "full"]["psnr_rank"] == "1" and rows["sharp", "overall"]["status"] == "single mode"
    assert rows["sharp", "overall"]["psnr_rank"] == ""
    ready.score(*METRICS)
    rows = {(row["target"], row["mode"]): row for row in board(ready)}
    assert (rows["real", "full"]["status"], rows["real", "full"]["psnr_rank"]) == ("whole", "2")
    # lower is better: the sharper picture's piqe takes the first place
    better = min(("real", "sharp"), key=lambda name: float(rows[name, "full"]["piqe"]))
    assert rows[better, "full"]["piqe_rank"] == "1"


def test_another_ground_truth_is_not_ranked_together(ready, small_truth):
    """The same number of images, but others: the same means would mean nothing."""
    ready.score(*METRICS)
    other = ready.folder / "other"
    shutil.copytree(small_truth, other)
    path = sorted(other.iterdir())[0]
    with Image.open(path) as image:
        image.filter(ImageFilter.GaussianBlur(2)).save(path)
    shutil.copytree(
        ready.folder / "Result/real", ready.folder / "Result/twin", ignore=shutil.ignore_patterns("*.csv", "*.json")
    )
    ready.score(*METRICS, "--target", "twin", "--gt_path", "other")
    assert {row["psnr_rank"] for row in board(ready) if row["mode"] == "full"} == {"1"}


def test_broken_pictures_are_listed_and_the_others_scored(ready, small_truth):
    names = [path.name for path in sorted(small_truth.iterdir())]
    folder = ready.folder / "Result/real/full"
    with Image.open(folder / names[0]) as image:
        image.resize((33, 44)).save(folder / names[0])
    (folder / names[1]).write_bytes((folder / names[1]).read_bytes()[:900])
    with Image.open(folder / names[2]) as image:
        image.convert("RGBA").save(folder / names[2])
    done = ready.score(*METRICS, code=1)
    assert f"real/full/{names[0]}: is 33x44 and its ground truth" in done.stderr
    assert f"real/full/{names[1]}: is damaged or truncated" in done.stderr
    assert f"real/full/{names[2]} had an alpha channel" in done.stderr
    assert [bool(row["psnr"]) for row in scores(ready) if row["mode"] == "full"] == [False, False, True, True]
    assert {row["mode"]: row["status"] for row in board(ready)} == {
        "full": "partial",
        "text": "whole",
        "overall": "partial",
    }


def test_a_broken_ground_truth(ready, small_truth):
    path = sorted(small_truth.iterdir())[0]
    path.write_bytes(b"")
    done = ready.score(*METRICS, code=1)
    assert f"ground truth {path.name}: is an empty file" in done.stderr
    assert sum(bool(row["psnr"]) for row in scores(ready)) == 6


@pytest.mark.parametrize("content", ["", "name,mode,psnr,bits,bpp,ground_truth,reconstruction\nx,full,nan,,,,\n"])
def test_damaged_scores_are_made_again_and_what_was_there_is_kept(ready, content):
    ready.score(*METRICS)
    folder = ready.folder / "Result/real"
    before = ready.files("Result/real/*")
    (folder / "scores.csv").write_text(content)
    ready.score(*METRICS)
    kept = {"Result/real/scores.csv.invalid": content.encode()}
    assert ready.files("Result/real/*") == before | kept
    (folder / "summary.json").write_text("{")
    assert "everything is scored again" in ready.score(*METRICS).stderr
    assert ready.files("Result/real/*") == before | kept | {"Result/real/summary.json.invalid": b"{"}


def test_killed_five_times_and_resumed(faked):
    """12 images in 4 modes, one process after another killed at its work: the scores are those of one whole run."""
    truth = write_truth(faked.folder / "GT", 12)
    for place, mode in enumerate(("full", "image", "pixel", "text")):
        blur(truth, faked.folder / "Result" / "real" / mode, place + 1)
        blur(truth, faked.folder / "Result" / "whole" / mode, place + 1)
    faked.score(*METRICS, "--target", "whole")
    file = faked.folder / "Result/real/.scores.part-0.jsonl"
    for turn in range(5):
        before = file.read_bytes() if file.exists() else b""
        process = faked.start("script-evaluate.py", *METRICS, FAKE_HOLD=str(5 + turn))
        faked.until(lambda before=before: file.exists() and file.read_bytes() != before, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    faked.score(*METRICS)
    scored = file.with_name("scores.csv").read_bytes()
    assert scored == (faked.folder / "Result/whole/scores.csv").read_bytes()
    assert not [path for path in file.parent.iterdir() if path.name.startswith((".tmp-", ".scores.part"))]


def test_interrupted_scores_are_kept_and_nothing_passes_for_whole(faked):
    truth = write_truth(faked.folder / "GT", 12)
    blur(truth, faked.folder / "Result" / "real" / "full", 1)
    process = faked.start("script-evaluate.py", "--metrics", "psnr,piqe,vsi,fsim", FAKE_HOLD="9")
    journal = faked.folder / "Result/real/.scores.part-0.jsonl"
    faked.until(lambda: journal.exists() and b"piqe" in journal.read_bytes(), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130 and "Traceback" not in errors
    assert not (journal.parent / "summary.json").exists() and not (faked.folder / "Result/leaderboard.csv").exists()
    begun = len({(line["name"], line["mode"]) for line in map(json.loads, journal.read_text().split("\n")[1:-1])})
    assert 0 < begun < 12
    done = faked.score("--metrics", "psnr")
    assert f"{begun}/12 [" in done.stderr or f"{begun - 1}/12 [" in done.stderr
    # what the interrupted run had made with the other metrics waits for a run with them
    assert b"psnr" not in journal.read_bytes() and b"piqe" in journal.read_bytes()


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--metrics", "topiq"], "lcysyzxdxc/CMC-Bench"),
        (["--metrics", "topiq"], "--metrics ms_ssim,piqe"),
        (["--metrics", "ms_sim"], "there is no metric 'ms_sim'. Near: ms_ssim"),
        (["--metrics", "sfid"], "no measure of single images"),
        (["--metrics", ","], "names no metric"),
        (["--target", "nobody"], "there is no folder Result/nobody"),
        (["--target", "../real"], "is not a plain name"),
        (["--target_path", "GT/NSI_pgc_000.png"], "there is no folder"),
        (["--target_path", "Text"], "holds neither images nor a folder of them"),
        (["--gt_path", "nowhere"], "there is no ground truth"),
        (["--images", "*.gif"], "no image in common"),
        (["--fr_order", "both"], "invalid choice"),
    ],
)
def test_wrong_flags(ready, flags, message):
    (ready.folder / "Text").mkdir()
    before = ready.files("Result/**/*")
    assert message in ready.score(*flags, code=2).stderr
    assert ready.files("Result/**/*") == before


def test_a_metric_whose_weights_are_not_here(ready, no_packages):
    """The only metric asked for: the run fails. Beside others it is a property of this machine (below)."""
    done = ready.score("--metrics", "lpips", code=1)
    assert "metric lpips cannot be made ready" in done.stderr and "ms_ssim,piqe" in done.stderr


def test_a_picture_that_a_metric_does_not_take(ready, small_truth):
    """MS-SSIM needs 161 pixels a side with its five scales; these have 80."""
    done = ready.score("--metrics", "ms_ssim,psnr", code=1)
    assert "ms_ssim does not take it" in done.stderr and all(row["psnr"] for row in scores(ready))
    # the other metric has all images: no result is partial for that
    assert "note: full: ms_ssim of 0 of 4 images, which takes nothing from the other metrics" in done.stderr
    assert "partial" not in done.stderr and {row["status"] for row in board(ready)} == {"whole"}


def test_bits_and_bpp_come_from_rates_csv(faked, small_truth):
    write_captions(faked.folder / "Text" / "gpt4v.csv", {path.name: "ten chars." for path in small_truth.iterdir()})
    faked.decode("--mode", "text")
    faked.score(*METRICS)
    for row in scores(faked):
        with Image.open(small_truth / row["name"]) as image:
            assert row["bits"] == row["caption_bits"] == "80" and row["kind"] == "measured"
            assert float(row["bpp"]) == pytest.approx(80 / (image.width * image.height), abs=1e-6)
    assert summary(faked)["modes"]["text"]["bpp"]["n"] == 4
    table = faked.folder / "Result/real/rates.csv"
    table.unlink()
    faked.score(*METRICS)
    assert {row["bits"] for row in scores(faked)} == {""} and summary(faked)["modes"]["text"]["rate"] is None


def test_pyiqa_leaves_other_libraries_alone(tmp_path):
    """Importing all of pyiqa would put classes of its own in place of transformers' Llama."""
    program = (
        "from pathlib import Path; from cmcbench.score.metrics.registry import resolve; resolve('ms_ssim',"
        " Path())[0].load('cpu');from transformers.models.llama import modeling_llama as llama;"
        " print(llama.LlamaAttention.__module__ == llama.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split()[-1:] == ["True"], done.stderr
