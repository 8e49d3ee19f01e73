"""The restoration decoders as a user runs them: tiny checkpoints in their authors' files, and small pictures.

Pictures are small, also where the benchmark and the authors enlarge them: that is told apart elsewhere, and costs all
of the time.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tiny_restoration
import tiny_stablesr
import tiny_t2i
from bench import SAMPLES, Bench, write_captions
from PIL import Image

from cmcbench import protocol

DECODERS = ("pasd", "diffbir", "stablesr")
SHORT = 64  # px in the place of 768 and 512
LONG = 128  # px in the place of the benchmark's 1024
BSRNET = (4, 1, 2)  # it enlarges four times before anything else, so that the benchmark's size is not cheap
NAMES = ("NSI_pgc_000.png", "SCI_game_001.png", "AIGI_MJ_002.png", "NSI_ugc_003.png")
# An adapter of a user's own that is the decoder, and dies at the second picture, once the first is written
OWN = """
import os, pathlib, signal, time
from cmcbench import protocol
from models.t2i import {name} as authors

authors.SHORT, protocol.WORKING_LONG_SIDE = {short}, {long}

class Model(authors.Model):
    def generate(self, jobs):
        if "KILLED" in os.environ and jobs[0].name != "{first}":
            while not list(pathlib.Path("Result/killed").glob("*/*.png")):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(jobs)
"""


class Files(NamedTuple):
    """What --model_name, --model_dir and --base take."""

    name: str
    model_dir: Path
    base: Path

    def flags(self, result: str, *others: object) -> list[object]:
        """Flags of a short run on a CPU. The own adapter of `prepare` runs where `others` name it."""
        made = ["--model_name", self.name, "--model_dir", self.model_dir, "--base", self.base, "--device", "cpu"]
        return [*made, "--steps", 2, "--result_name", result, *others]


def files(name: str, folder: Path) -> Files:
    """A tiny checkpoint of a decoder, made in `folder`."""
    if name == "pasd":
        return Files(name, tiny_restoration.pasd(folder / "pasd"), tiny_t2i.sd15(folder / "sd15"))
    if name == "diffbir":
        control = tiny_restoration.diffbir(folder / "control", "v2", bsrnet_size=BSRNET)
        return Files(name, control, tiny_restoration.sd21(folder / "base"))
    made = tiny_stablesr.make(folder, tiny_stablesr.QUICK)
    return Files(name, made, made / "base")


def prepare(bench: Bench, name: str, monkeypatch) -> Bench:
    """Four pictures of one size, references, captions and own.py in the folder; scripts run in this process."""
    bench.inside = True
    monkeypatch.setattr(importlib.import_module(f"models.t2i.{name}"), "SHORT", SHORT)
    monkeypatch.setattr(protocol, "WORKING_LONG_SIDE", LONG)
    for file, path in zip(NAMES, sorted(SAMPLES.glob("*.png")), strict=False):
        with Image.open(path) as image:
            for folder in ("GT", "Ref/image"):
                (bench.folder / folder).mkdir(parents=True, exist_ok=True)
                image.convert("RGB").resize((48, 24)).save(bench.folder / folder / file)
    write_captions(bench.folder / "Text" / "gpt4v.csv", {file: f"a picture of {file[:8]}" for file in NAMES})
    first = sorted(NAMES)[0][:-4]
    (bench.folder / "own.py").write_text(OWN.format(name=name, short=SHORT, long=LONG, first=first))
    return bench


def made(bench: Bench, result: str) -> dict[str, bytes]:
    """MODE/NAME -> the file of a picture."""
    return {path.split("/", 2)[2]: data for path, data in bench.files(f"Result/{result}/*/*.png").items()}


def pixels(bench: Bench, result: str) -> dict[str, np.ndarray]:
    found = {}
    for path in made(bench, result):
        with Image.open(bench.folder / "Result" / result / path) as picture:
            found[path] = np.asarray(picture).astype(int)
    return found


def most_apart(bench: Bench, one: str, other: str) -> int:
    """The largest difference between the pixels of two results, of 255."""
    ours, theirs = pixels(bench, one), pixels(bench, other)
    assert ours.keys() == theirs.keys() and ours
    return max(np.abs(ours[path] - theirs[path]).max() for path in ours)
