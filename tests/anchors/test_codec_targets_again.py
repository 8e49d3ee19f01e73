"""python -m cmcbench codec where something is there already: resuming, and what is refused."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
import warm
from bench import Bench
from made_targets import SIZE, files, run
from PIL import Image

from cmcbench import codecs
from cmcbench.errors import BadInput, RunFailed
from cmcbench.files import rates
from cmcbench.files.store import only_writer


def without_row(folder: Path) -> None:
    found = rates.read(folder / "rates.csv")
    found.pop(("NSI_ugc_000", "image"))
    rates.write(folder / "rates.csv", found)


DAMAGE = {
    "no picture": lambda folder: (folder / "image" / "NSI_ugc_000.png").unlink(),
    "half a picture": lambda folder: (folder / "image" / "NSI_ugc_000.png").write_bytes(b"\x89PNG"),
    "another picture": lambda folder: Image.new("RGB", SIZE).save(folder / "image" / "NSI_ugc_000.png"),
    "no stream": lambda folder: (folder / "stream" / "NSI_ugc_000.vp8").unlink(),
    "half a stream": lambda folder: (folder / "stream" / "NSI_ugc_000.vp8").write_bytes(b"x"),
    "no row": without_row,
    "no table": lambda folder: (folder / "rates.csv").unlink(),
    "unfinished files": lambda folder: (folder / "image" / ".tmp-x").write_bytes(b"x"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_missing_or_damaged_is_made_again(truth, whole, result, damage):
    damage(result / "webp@0.5")
    assert run(truth, result, "webp", "--bpp", 0.5) == 0
    assert files(result) == files(whole)


def test_a_second_run_makes_nothing_and_a_choice_can_be_widened(truth, whole, tmp_path, monkeypatch):
    run(truth, tmp_path, "webp", "--bpp", 0.5, "--images", "SCI_*")
    run(truth, tmp_path, "webp", "--bpp", 0.5)
    assert files(tmp_path) == files(whole)
    monkeypatch.setattr(codecs.Webp, "compress", None)
    assert run(truth, tmp_path, "webp", "--bpp", 0.5) == 0


SLOW = """
import os, pathlib, time
from cmcbench import codecs
from cmcbench.anchors import codec
from cmcbench.runtime.cli import run
whole = codecs.Hevc.compress
def slow(*given):
    while any(pathlib.Path("Result").glob("*/image/*.png")) and not os.path.exists("go"):
        time.sleep(0.01)
    return whole(*given)
codecs.Hevc.compress = slow
run(codec.main)
"""


@pytest.mark.parametrize("number, code", [(signal.SIGKILL, -9), (signal.SIGTERM, 130)], ids=["kill -9", "SIGTERM"])
def test_a_run_that_is_killed_and_run_again_equals_one_that_was_not(truth, tmp_path, number, code):
    """All but the first picture wait for the signal, so that it comes while most are missing, however busy the
    machine.
    """
    arguments = ["hevc", "--bpp", "0.3", "0.6", "--ground_truth", str(truth), "--output_path", "Result", "--jobs", "1"]
    process = warm.Program(["-c", SLOW, *arguments], tmp_path, {"PATH": ""})
    Bench(tmp_path).until(lambda: list(tmp_path.glob("Result/*/image/*.png")), process)
    process.send_signal(number)
    (tmp_path / "go").touch()
    said = process.communicate()[1]
    assert process.returncode == code and "Traceback" not in said
    assert 0 < len(list(tmp_path.glob("Result/*/image/*.png"))) < 6
    for folder in ("Result", "Whole"):
        assert run(truth, tmp_path / folder, "hevc", "--bpp", 0.3, 0.6) == 0
    assert files(tmp_path / "Result") == files(tmp_path / "Whole")


def refused(truth: Path, result: Path, *arguments: object, words: str) -> None:
    before = files(result)
    with pytest.raises(BadInput, match=words):
        run(truth, result, *arguments)
    assert files(result) == before


def test_another_setup_is_refused(truth, result, monkeypatch):
    refused(truth, result, "webp", "--bpp", 0.5, "--floor", "report", words="floor was downscale and is report now")
    monkeypatch.setattr(codecs.Webp, "setup", "WEBP method=0")
    refused(truth, result, "webp", "--bpp", 0.5, words="setup was WEBP method=6 and is WEBP method=0 now.*--overwrite")
    refused(
        truth, result, "webp", "--bpp", 0.5, "--overwrite", "--images", "SCI*", words="holds 2 image.s. made otherwise"
    )
    assert run(truth, result, "webp", "--bpp", 0.5, "--overwrite") == 0


def test_another_ground_truth_is_refused(gt, result, whole):
    Image.new("RGB", SIZE, "red").save(gt / "NSI_pgc_000.png")
    refused(gt, result, "webp", "--bpp", 0.5, words="1 came from another file .first: NSI_pgc_000")
    assert run(gt, result, "webp", "--bpp", 0.5, "--overwrite", "--images", "NSI_pgc*") == 0
    now, before = files(result / "webp@0.5"), files(whole / "webp@0.5")
    changed = {"image/NSI_pgc_000.png", "stream/NSI_pgc_000.vp8", "rates.csv", "manifest.json"}
    assert {name for name in now if now[name] != before[name]} == changed


def test_what_others_made_is_refused(truth, result):
    (result / "jpeg@0.5" / "image").mkdir(parents=True)
    Image.new("RGB", SIZE).save(result / "jpeg@0.5" / "image" / "NSI_pgc_000.png")
    refused(truth, result, "jpeg", "--bpp", 0.5, words="1 image.s. and no manifest says")
    shutil.copy(result / "webp@0.5" / "manifest.json", result / "jpeg@0.5")
    refused(truth, result, "jpeg", "--bpp", 0.5, words="holds results of webp, not of jpeg")
    (result / "jpeg@0.5" / "manifest.json").write_text(
        '{"modes": {"image": {"settings": {"model": "real"}, "inputs": {}}}}'
    )
    refused(truth, result, "jpeg", "--bpp", 0.5, words="holds results of real, not of jpeg")
    (result / "jpeg@0.5" / "manifest.json").write_text("{")
    refused(truth, result, "jpeg", "--bpp", 0.5, words="not readable JSON")


def test_two_runs_at_once_are_refused(truth, result):
    with (
        only_writer(result / "webp@0.5" / ".target.lock", "x"),
        pytest.raises(RunFailed, match="another run is writing"),
    ):
        run(truth, result, "webp", "--bpp", 0.5)
