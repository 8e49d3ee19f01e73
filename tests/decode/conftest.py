"""What a decoder gets: ground truth and captions of four images, with references and without."""

from __future__ import annotations

import pytest
from bench import write_captions
from PIL import Image


@pytest.fixture
def ready(faked, small_truth):
    """GT and captions of four images; no references yet."""
    write_captions(
        faked.folder / "Text" / "gpt4v.csv",
        {path.name: f"caption of {path.stem}" for path in sorted(small_truth.iterdir())},
    )
    return faked


@pytest.fixture
def published(ready, small_truth):
    """With references that no rate.csv tells of, as the published ones."""
    for kind, colour in (("image", "red"), ("pixel", "blue")):
        (ready.folder / "Ref" / kind).mkdir(parents=True)
        for path in small_truth.iterdir():
            with Image.open(path) as image:
                Image.new("RGB", image.size, colour).save(ready.folder / "Ref" / kind / path.name)
    return ready
