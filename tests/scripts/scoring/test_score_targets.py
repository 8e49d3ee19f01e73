"""script-evaluate.py --target, --target_path and --modes: which results are meant."""

from __future__ import annotations

import os

from PIL import Image
from scoring_runs import METRICS, blur, scores


def test_target_path_of_modes_and_of_plain_images(ready, small_truth):
    done = ready.score(*METRICS, "--target_path", "Result/real")
    assert "------Evaluating real------" in done.stdout
    blur(small_truth, ready.folder / "mine" / "plain", 1)
    done = ready.score(*METRICS, "--target_path", "mine/plain", "--gt_path", "GT/")
    assert "------Evaluating plain------" in done.stdout and "images-----" in done.stdout
    assert len(scores(ready, "mine/plain")) == 4
    # beside somebody's folder nothing is written unasked
    assert [path.name for path in (ready.folder / "mine").iterdir()] == ["plain"]
    assert "no leaderboard and no report is written beside mine/plain; they are with: --results" in done.stderr
    done = ready.score(*METRICS, "--target_path", "mine/plain", "--target", "Fancy", "--output_path", "mine")
    assert "Evaluating Fancy" in done.stdout and (ready.folder / "mine/leaderboard.md").is_file()
    assert (ready.folder / "mine/report/index.html").is_file()


def test_targets_as_people_type_them(ready, small_truth):
    """A path below --results, a slash at the end, and a name that is nearly right."""
    for typed in ("Result/real", "real/", "./Result/real/"):
        assert "------Evaluating real------" in ready.score(*METRICS, "--target", typed, "--no_report").stdout
    done = ready.score(*METRICS, "--targets", "reel", code=2)
    assert "there is no folder Result/reel. Did you mean real?" in done.stderr


def test_the_decoders_name_finds_its_only_result(ready, small_truth):
    """Step 2 writes Result/NAME+CAPTIONS for other captions than the published; step 3 is published with NAME alone."""
    blur(small_truth, ready.folder / "Result" / "sdxl+qwen" / "text", 1)
    done = ready.score(*METRICS, "--target", "sdxl")
    assert "Evaluating sdxl+qwen" in done.stdout and "sdxl+qwen, the only result of sdxl, is meant" in done.stderr
    blur(small_truth, ready.folder / "Result" / "sdxl+llava" / "text", 1)
    done = ready.score(*METRICS, "--target", "sdxl", code=2)
    assert "may be sdxl+llava, sdxl+qwen" in done.stderr


def test_several_targets_in_one_run(ready, small_truth):
    """Names, patterns and `all` give the scores that each target gets by itself."""
    for place, name in enumerate(("sdxl", "sd15", "sd15+qwen")):
        blur(small_truth, ready.folder / "Result" / name / "image", place + 2)
    (ready.folder / "Result" / "empty").mkdir()
    done = ready.score(*METRICS, "--target", "sd*", "real")
    assert [line for line in done.stdout.splitlines() if "Evaluating" in line] == [
        f"------Evaluating {name}------" for name in ("sd15", "sd15+qwen", "sdxl", "real")
    ]
    together = ready.files("Result/*/scores.csv")
    for name in ("sdxl", "sd15", "sd15+qwen", "real"):
        ready.score(*METRICS, "--target", name, "--overwrite")
    assert ready.files("Result/*/scores.csv") == together and len(together) == 4
    done = ready.score(*METRICS, "--target", "all")
    assert done.stdout.count("Evaluating") == 4 and "scores:" not in done.stderr
    assert "It has: empty, real, sd15" in ready.score(*METRICS, "--target", "x*", code=2).stderr


def test_other_endings_are_paired(ready, small_truth):
    folder = ready.folder / "Result/codec/image"
    folder.mkdir(parents=True)
    for path in small_truth.iterdir():
        with Image.open(path) as image:
            image.save(folder / f"{path.stem}.jpg")
    ready.score(*METRICS, "--target", "codec")
    assert len(scores(ready, "Result/codec")) == 4


def test_modes_are_chosen(ready):
    done = ready.score(*METRICS, "--modes", "text")
    assert "full" not in done.stdout and {row["mode"] for row in scores(ready) if row["psnr"]} == {"text"}
    assert "has no images in pixel/" in ready.score(*METRICS, "--modes", "pixel", code=2).stderr
    assert "there is no mode 'best'" in ready.score(*METRICS, "--modes", "best", code=2).stderr


def test_an_existing_name_comes_before_a_pattern(faked, small_truth):
    for name in ("sd[12]", "sd1", "sd2", "x[!a]", "xb"):
        blur(small_truth, faked.folder / "Result" / name / "text", 1)
    for asked, meant in (("sd[12]", ["sd[12]"]), ("sd?", ["sd1", "sd2"]), ("x[!a]", ["x[!a]"]), ("x[b]", ["xb"])):
        done = faked.score("--metrics", "psnr", "--no_report", "--target", asked)
        named = [line.strip("-") for line in done.stdout.splitlines() if line.startswith("------E")]
        assert named == [f"Evaluating {name}" for name in meant]


def test_a_reconstruction_that_cannot_be_used_is_named(ready):
    folder = ready.folder / "Result/real/full"
    os.mkfifo(folder / "pipe.png")
    (folder / "a:b.png").write_bytes(next(folder.glob("NSI*")).read_bytes())
    (folder / "notes.txt").write_text("mine")
    done = ready.score(*METRICS, code=1)
    assert "pipe.png: is a pipe, socket or device" in done.stderr
    assert "'a:b.png': its name cannot be used" in done.stderr
    assert "passed over 1 file(s) that are no pictures (notes.txt)" in done.stderr and len(scores(ready)) == 8
