"""Ground truth, its targets made once with WebP, and copies to work on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bench import SAMPLES
from made_targets import SIZE, STEMS, run
from PIL import Image


@pytest.fixture(scope="session")
def truth(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("codec") / "GT"
    folder.mkdir()
    for stem in STEMS:
        with Image.open(SAMPLES / f"{stem}.png") as image:
            image.convert("RGB").crop((40, 40, 40 + SIZE[0], 40 + SIZE[1])).save(folder / f"{stem}.png")
    return folder


@pytest.fixture(scope="module")
def whole(truth, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert run(truth, folder, "webp", "--bpp", 0.5) == 0
    return folder


@pytest.fixture
def result(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "Result"))


@pytest.fixture
def gt(truth, tmp_path) -> Path:
    return Path(shutil.copytree(truth, tmp_path / "GT"))
