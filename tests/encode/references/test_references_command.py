"""References as a user makes them, in killed runs too."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import warm
from bench import ROOT, SAMPLES, Bench
from made_references import SIZES, files, names, rows
from PIL import Image

from cmcbench.encode import command


def main(ground_truth: Path, ref: Path, *more: str) -> int:
    return command.main(
        ["--model_name", "none", "--references", "--ground_truth", str(ground_truth), "--ref_dir", str(ref), *more]
    )


def test_the_command_makes_references_without_a_model(truth, tmp_path, whole, avif, capsys):
    assert main(truth, tmp_path / "Ref") == 0
    assert files(tmp_path / "Ref") == files(whole)
    assert f"References of 3 images are in {tmp_path / 'Ref'}." in capsys.readouterr().err


def test_the_command_ends_with_1_where_a_picture_failed(gt, tmp_path, avif):
    (gt / "empty.png").write_bytes(b"")
    assert main(gt, tmp_path / "Ref") == 1
    assert sorted(files(tmp_path / "Ref")) == names(*SIZES)


def test_the_command_s_choice_of_pictures(truth, tmp_path, avif):
    assert main(truth, tmp_path / "Ref", "--images", "SCI_*") == 0
    assert sorted(files(tmp_path / "Ref")) == names("SCI_game_000")


def test_a_file_in_the_place_of_ref_ends_with_2(bench, truth):
    (bench.folder / "Ref").write_bytes(b"mine")
    done = bench.encode("--ground_truth", truth, "--references", "--model_name", "none", code=2)
    assert "a file stands where a folder is needed" in done.stderr and (bench.folder / "Ref").read_bytes() == b"mine"


FLAGS = ("--model_name", "none", "--references", "--ground_truth", "GT")
SLOW = """
import itertools, os, time
from cmcbench.encode import command, references
from cmcbench.runtime.cli import run
whole, number = references.to_budget, itertools.count()
def slow(*given):
    later = next(number)
    while later and not os.path.exists("go"):
        time.sleep(0.01)
    return whole(*given)
references.to_budget, references.cores = slow, lambda: 1
run(command.main)
"""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    """A user's folder with ground truth and the references of one run with VVC."""
    bench = Bench(tmp_path_factory.mktemp("vvc"))
    bench.inside = True
    (bench.folder / "GT").mkdir()
    for i, sample in enumerate(sorted(SAMPLES.glob("*.png"))[:5]):
        with Image.open(sample) as image:
            image.convert("RGB").resize((64 + i, 64)).save(bench.folder / "GT" / sample.name)
    bench.encode(*FLAGS)
    assert {row["codec"] for row in rows(bench.folder / "Ref")} == {"vvc", "rgb332"}
    return bench.folder


@pytest.mark.parametrize(
    "number, code", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)], ids=["kill -9", "SIGTERM"]
)
def test_a_run_that_is_killed_and_run_again_equals_one_that_was_not(bench, uninterrupted, number, code):
    """All but the first picture wait for the signal, so that it comes while most are missing, however busy the
    machine.
    """
    shutil.copytree(uninterrupted / "GT", bench.folder / "GT")
    process = warm.Program(["-c", SLOW, *FLAGS], bench.folder, dict(os.environ))
    bench.until(lambda: list((bench.folder / "Ref" / "image").glob("*.png")), process)
    process.send_signal(number)
    (bench.folder / "go").touch()
    said = process.communicate()[1]
    assert process.returncode == code and "Traceback" not in said
    assert 0 < len(list((bench.folder / "Ref" / "image").glob("*.png"))) < 5
    assert len(list((bench.folder / "Ref" / "pixel").glob("*.png"))) < 5
    bench.inside = True
    bench.encode(*FLAGS)
    assert files(bench.folder / "Ref") == files(uninterrupted / "Ref")


def test_the_ground_truth_is_never_touched(uninterrupted):
    assert sorted(os.listdir(uninterrupted)) == ["GT", "Ref"] and len(os.listdir(uninterrupted / "GT")) == 5
    assert not (ROOT / "Ref" / "rate.csv").exists()
