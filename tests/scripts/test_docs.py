"""The programs in docs/adding-a-model.md run as they stand there, by the commands that stand beside them."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import ROOT, write_captions, write_truth
from PIL import Image, ImageChops

from cmcbench import protocol

PAGE = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# (\w+\.py)\n")
PROGRAMS = {NAMED.match(text)[1]: text for kind, text in BLOCKS if kind == "python" and NAMED.match(text)}


def commands() -> list[list[str]]:
    """What follows `python` in the page's commands, lines that go on joined."""
    lines = [
        line for kind, block in BLOCKS if not kind for line in re.split(r"\n(?=\S)", block.replace("\\\n", "")) if line
    ]
    return [shlex.split(line)[1:] for line in lines if line.startswith("python script")]


def flags(arguments: list[str]) -> dict[str, str]:
    return {name: value for name, value in zip(arguments, arguments[1:]) if name.startswith("--")}


@pytest.fixture
def ready(bench, monkeypatch):
    bench.inside = True
    for folder in ("GT", "Ref/image", "Ref/pixel"):
        write_truth(bench.folder / folder, 2)
    names = [path.name for path in sorted((bench.folder / "GT").iterdir())]
    write_captions(bench.folder / "Text" / "gpt4v.csv", {name: f"caption of {name}" for name in names})
    for name, text in PROGRAMS.items():
        (bench.folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return bench


@pytest.mark.parametrize("program, result", [("my_decoder.py", "my_decoder"), ("my_program.py", "blur")])
def test_the_pages_decoders_make_pictures_in_every_mode(ready, program, result):
    (command,) = [one for one in commands() if program in " ".join(one)]
    ready.decode(*command[1:])
    truth = sorted((ready.folder / "GT").iterdir())
    made = {
        mode: [ready.folder / "Result" / result / mode / path.name for path in truth]
        for mode in ("full", "image", "pixel", "text")
    }
    for paths in made.values():
        for path, original in zip(paths, truth):
            with Image.open(path) as image, Image.open(original) as other:
                assert image.size == other.size and image.mode == "RGB"
    # What the text mode shows is made of the seed, what the image mode shows of the reference
    with Image.open(made["text"][0]) as text, Image.open(made["image"][0]) as image, Image.open(truth[0]) as reference:
        assert distance(image, reference) < 30 < distance(text, reference)


def distance(one: Image.Image, other: Image.Image) -> float:
    """The mean absolute difference, 0 to 255."""
    histogram = ImageChops.difference(one.convert("L"), other.convert("L")).histogram()
    return sum(value * count for value, count in enumerate(histogram)) / sum(histogram)


# What the pages' programs call of their authors' code, with the same names and arguments, in place of the models
STAND_INS = {
    "DiffBIR": {
        "diffbir/__init__.py": "",
        "diffbir/inference/__init__.py": """
import numpy as np
class BSRInferenceLoop:
    def __init__(self, args): self.args, self.loop_ctx = args, {}
    def run(self):
        for image in self.load_lq():
            print("applying captioner")
            sample = np.asarray(image).copy()
            sample[:] = self.args.steps, len(self.args.pos_prompt), np.random.randint(256)
            self.save([sample], self.args.pos_prompt, self.args.neg_prompt)
""",
        "inference.py": """
import argparse
def parse_args():
    options = argparse.ArgumentParser()
    for name in "task version sampler captioner neg_prompt pos_prompt input output device precision".split():
        options.add_argument(f"--{name}", default="")
    for name, kind in (("upscale", float), ("cfg_scale", float), ("steps", int)):
        options.add_argument(f"--{name}", type=kind, default=1)
    return options.parse_args()
""",
    },
}


def clone(bench, name: str) -> None:
    """A folder that looks like the authors' repository with the environment that the page makes in it."""
    for file, text in {
        **STAND_INS[name],
        ".venv/bin/python": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n',
    }.items():
        path = bench.folder / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def page_command(name: str) -> list[str]:
    """The page's command that runs a program, without the script's own name."""
    (command,) = [one for one in commands() if name in " ".join(one)]
    return command[1:]


def test_the_pages_diffbir_restores_by_the_authors_interface(ready):
    clone(ready, "DiffBIR")
    ready.decode(*page_command("restore.py"), "--device", "cpu")
    paths = sorted((ready.folder / "Result" / "diffbir-edm" / "full").iterdir())
    assert [path.name for path in paths] == [path.name for path in sorted((ready.folder / "GT").iterdir())]
    for path in paths:
        noise = np.random.RandomState(protocol.image_seed(protocol.SEED, path.stem) % 2**32).randint(256)
        with Image.open(path) as image:
            colour = (10, len(f"caption of {path.name}"), noise)
            assert image.getcolors() == [(image.width * image.height, colour)]


def test_every_link_in_the_docs_leads_somewhere():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
