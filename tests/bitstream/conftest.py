"""Ground truth, references with streams, captions, a result of all modes, and all that packed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bench import SAMPLES, Bench
from packed_results import SIZES, TEXTS
from PIL import Image

from cmcbench.bitstream import pack
from cmcbench.files import captions


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """GT, Ref with streams, captions, and a result of all modes."""
    bench = Bench(tmp_path_factory.mktemp("made"))
    bench.fake = bench.inside = True
    (bench.folder / "GT").mkdir()
    for (stem, size), sample in zip(SIZES.items(), sorted(SAMPLES.glob("*.png"))[::5]):
        with Image.open(sample) as image:
            image.convert("RGB").resize(size).save(bench.folder / "GT" / f"{stem}.png")
    bench.encode("--model_name", "none", "--references", "--bpp", "0.3")
    captions.write(bench.folder / "Text" / "odd.csv", TEXTS)
    bench.decode("--mode", "all", "--input_path", "Text/odd.csv")
    return bench.folder


@pytest.fixture
def ready(faked, made, monkeypatch) -> Bench:
    shutil.copytree(made, faked.folder, dirs_exist_ok=True)
    monkeypatch.chdir(faked.folder)
    return faked


@pytest.fixture
def folder(ready) -> Path:
    """A packed folder of all modes."""
    pack.main(["--input_path", "Text/odd.csv", "--name", "f"])
    return Path("Packed/f")
