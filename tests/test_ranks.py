"""Scoring by several processes under torchrun: the same rows, failures of all listed, and nothing lost when they are killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, SAMPLES, write_truth
from PIL import Image, ImageFilter

from cmcbench.errors import BadInput
from cmcbench.ranks import Ranks, join
from cmcbench.score import table

METRICS = ["--metrics", "psnr,piqe"]


def launch(folder: Path, *arguments: str) -> subprocess.Popen:
    """script-evaluate.py in two processes on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_addr", "127.0.0.1",
        "--master_port", str(port), str(ROOT / "script-evaluate.py"), *METRICS, *arguments,
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def prepare(faked, truth):
    """The images of `truth` in two modes, once for one process and once for two."""
    for target in ("one", "two"):
        for radius, mode in enumerate(("full", "text"), 1):
            (faked.folder / "Result" / target / mode).mkdir(parents=True)
            for path in truth.iterdir():
                with Image.open(path) as image:
                    image.filter(ImageFilter.GaussianBlur(radius)).save(faked.folder / "Result" / target / mode / path.name)
    return faked


@pytest.fixture
def ready(faked):
    return prepare(faked, write_truth(faked.folder / "GT", 10))


def rows(bench, target: str) -> table.Table:
    return table.read(bench.folder / "Result" / target / "scores.csv")


def assert_equal(one: table.Table, two: table.Table) -> None:
    """The bound for another number of threads, which rounds differently."""
    assert one.keys() == two.keys()
    for key, row in one.items():
        assert row.scores.keys() == two[key].scores.keys()
        assert row.scores == pytest.approx(two[key].scores, abs=1e-6)


def test_two_processes_give_the_rows_of_one(ready):
    broken = sorted((ready.folder / "Result/two/full").iterdir())[1]  # in the share of process 1
    whole = broken.read_bytes()
    broken.write_bytes(whole[:500])
    process = launch(ready.folder, "--target", "two")
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 1 and f"two/full/{broken.name}: is damaged" in errors and "1 failed:" in errors
    broken.write_bytes(whole)
    process = launch(ready.folder, "--target", "two")
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    ready.score(*METRICS, "--target", "one")
    assert_equal(rows(ready, "one"), rows(ready, "two"))
    assert output.count("------Evaluating two------") == 1
    assert not list((ready.folder / "Result/two").glob(".scores.part*"))
    assert "two" in (ready.folder / "Result/leaderboard.md").read_text()


def test_killed_processes_lose_nothing(faked):
    """Both processes die at once; one process then goes on from what both had written."""
    truth = Path(shutil.copytree(SAMPLES, faked.folder / "GT"))  # of full size, so that there is time to die in
    ready = prepare(faked, truth)
    folder = ready.folder / "Result" / "two"
    process = launch(ready.folder, "--target", "two")
    ready.until(lambda: list(folder.glob(".scores.part-*-1.csv")), process)
    for each in [*psutil.Process(process.pid).children(recursive=True), process]:
        each.send_signal(signal.SIGKILL)
    process.communicate()
    theirs = {key for part in folder.glob(".scores.part-*.csv") for key in table.read(part)}
    mine = {key for key, row in rows(ready, "two").items() if row.scores}
    assert theirs - mine and len(theirs | mine) < 26
    done = ready.score(*METRICS, "--target", "two")
    assert f"{len(theirs | mine)}/26 [" in done.stderr  # the progress bar begins at what was there
    ready.score(*METRICS, "--target", "one")
    assert_equal(rows(ready, "one"), rows(ready, "two"))
    assert not list(folder.glob(".scores.part*"))


def test_shares_cover_everything_once():
    items = [f"image{number}" for number in range(11)]
    shares = [Ranks(number, 4).share(items) for number in range(4)]
    assert sorted(item for share in shares for item in share) == sorted(items)
    assert Ranks(3, 16).share(items[:2]) == []
    assert Ranks().share(items) == items and Ranks().first and Ranks().collect(3) == [3]


def test_each_process_takes_its_own_gpu():
    assert Ranks(5, 8, 1).device("cuda") == "cuda:1"
    assert Ranks(5, 8, 1).device("cpu") == "cpu" and Ranks().device("cuda") == "cuda"


@pytest.mark.parametrize("environment", [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "x"}, {"RANK": "-1"}, {"LOCAL_RANK": "-2"}])
def test_an_environment_that_makes_no_sense(monkeypatch, environment):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(BadInput, match="torchrun --nproc_per_node"):
        join()
