"""A folder that script-t2i.py can run in."""

from __future__ import annotations

import pytest
from bench import write_captions
from decoding_runs import texts
from PIL import Image


@pytest.fixture
def ready(faked, small_truth):
    """A folder with GT, Ref and captions of four images, and fake models."""
    for kind, shade in (("image", 90), ("pixel", 160)):
        folder = faked.folder / "Ref" / kind
        folder.mkdir(parents=True)
        for place, path in enumerate(sorted(small_truth.iterdir())):
            with Image.open(path) as image:
                Image.new("RGB", image.size, (shade, place, 0)).save(folder / path.name)
    write_captions(faked.folder / "Text" / "gpt4v.csv", texts(small_truth))
    return faked
