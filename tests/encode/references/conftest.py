"""Ground truth, its references made once with AVIF, and copies to work on."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from bench import SAMPLES
from made_references import SIZES, make, no_ffmpeg
from PIL import Image

from cmcbench.encode import references


@pytest.fixture(scope="session")
def truth(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("truth") / "GT"
    folder.mkdir()
    for (stem, size), sample in zip(SIZES.items(), sorted(SAMPLES.glob("*.png"))[::4]):
        with Image.open(sample) as image:
            image.convert("RGB").resize(size).save(folder / f"{stem}.png")
    return folder


@pytest.fixture
def avif(monkeypatch) -> None:
    """A machine without ffmpeg: AVIF codes within this process, which is quicker than VVC."""
    monkeypatch.setattr(references, "ffmpeg_program", no_ffmpeg)


@pytest.fixture(scope="session")
def whole(truth, tmp_path_factory) -> Path:
    """References of the whole ground truth, made once with AVIF."""
    folder = tmp_path_factory.mktemp("whole") / "Ref"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "ffmpeg_program", no_ffmpeg)
        assert make(truth, folder).failures == {}
    return folder


@pytest.fixture
def ref(whole, tmp_path, avif) -> Path:
    """A copy of them to work on."""
    return Path(shutil.copytree(whole, tmp_path / "Ref"))


@pytest.fixture
def gt(truth, tmp_path) -> Path:
    return Path(shutil.copytree(truth, tmp_path / "GT"))


@pytest.fixture
def worked(monkeypatch) -> Counter:
    """Counts the references that are made, by kind."""
    counts: Counter = Counter()

    def counting(kind, function):
        def call(*arguments):
            counts[kind] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(references, "pixel_reference", counting("pixel", references.pixel_reference))
    monkeypatch.setattr(references, "to_budget", counting("image", references.to_budget))
    return counts
