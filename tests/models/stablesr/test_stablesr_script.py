"""StableSR through script-t2i.py: both modes, batches, a run that was killed, and what is refused before loading."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import tiny_stablesr
from bench import SAMPLES, write_captions
from PIL import Image

NAMES = ("NSI_pgc_000.png", "SCI_game_001.png")
OWN = """
import os, pathlib, signal, time
from models.t2i.stablesr import Model as Family

class Model(Family):
    def generate(self, jobs):
        if "KILLED" in os.environ and not jobs[0].name.startswith("NSI"):  # at the second, once the first is written
            while not list(pathlib.Path("Result/killed").glob("*/*.png")):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(jobs)
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_stablesr.make(tmp_path_factory.mktemp("stablesr"), tiny_stablesr.QUICK)


@pytest.fixture
def ready(bench):
    """Two of the samples, so wide that the benchmark's size needs no enlarging, and their references."""
    bench.inside = True
    for name, path in zip(NAMES, sorted(SAMPLES.glob("*.png")), strict=False):
        with Image.open(path) as image:
            for folder in ("GT", "Ref/image"):
                (bench.folder / folder).mkdir(parents=True, exist_ok=True)
                image.convert("RGB").resize((96, 48)).save(bench.folder / folder / name)
    write_captions(bench.folder / "Text" / "gpt4v.csv", dict(zip(NAMES, ("a street", "a window"), strict=True)))
    (bench.folder / "own.py").write_text(OWN)
    return bench


def flags(checkpoint, name, *others, model="stablesr"):
    files = ("--model_name", model, "--model_dir", checkpoint, "--base", checkpoint / "base", "--result_name", name)
    return (*files, "--steps", 2, "--device", "cpu", "--dtype", "fp32", *others)


def pictures(bench, name):
    found = bench.files(f"Result/{name}/*/*.png")
    return {path.split("/", 2)[2]: data for path, data in found.items()}


def test_both_modes_batches_and_a_killed_run(ready, checkpoint, caplog):
    ready.decode(*flags(checkpoint, "whole", "--mode", "all"))
    assert "S-Lab License 1.0: for non-commercial use only" in caplog.text
    whole = pictures(ready, "whole")
    assert set(whole) == {f"{mode}/{name}" for mode in ("full", "image") for name in NAMES}
    assert len(set(whole.values())) == 4  # the caption tells in mode full

    full = {path: data for path, data in whole.items() if path.startswith("full/")}
    ready.inside = False
    ready.decode(*flags(checkpoint, "killed", "--mode", "full", model="own.py"), code=-signal.SIGKILL, KILLED="1")
    ready.inside = True
    assert set(pictures(ready, "killed")) == {"full/NSI_pgc_000.png"}
    ready.decode(*flags(checkpoint, "killed", "--mode", "full", model="own.py"))
    assert pictures(ready, "killed") == full

    ready.decode(*flags(checkpoint, "batched", "--mode", "full", "--batch_size", 4))
    for name in NAMES:
        with (
            Image.open(ready.folder / "Result" / "whole" / "full" / name) as one,
            Image.open(ready.folder / "Result" / "batched" / "full" / name) as other,
        ):
            assert abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1


@pytest.mark.parametrize("mode", ["text", "pixel"])
def test_modes_without_a_reference_are_refused_first(ready, mode):
    done = ready.decode("--model_name", "stablesr", "--model_dir", "nowhere", "--mode", mode, code=2)
    assert f"has no mode {mode}. It has: full, image" in done.stderr and not (ready.folder / "Result").exists()


def test_another_version_is_refused_first(ready):
    (ready.folder / "stablesr_768v_000139.ckpt").write_bytes(b"gigabytes that nobody reads")
    done = ready.decode(
        "--model_name", "stablesr", "--model_dir", "stablesr_768v_000139.ckpt", "--mode", "full", code=2
    )
    assert "is StableSR 768v" in done.stderr and not (ready.folder / "Result").exists()
