"""What the model gets next is made ready while it works: order, sizes, failures, and models that prepare nothing."""

from __future__ import annotations

import csv
import json
import threading

import fake
import pytest
from bench import write_truth
from PIL import Image

from models.base import Caption, ModelError


class Preparing(fake.Encoder):
    """Prepares in another thread, and tells what it was asked."""

    def __init__(self):
        self.said, self.here = [], threading.get_ident()

    def prepare(self, images, prompt, words):
        assert threading.get_ident() != self.here
        if any(fake._fails(f"prepare-{image.width}") for image in images):
            raise RuntimeError("no memory to prepare it")
        return [self._one(image) for image in images]

    def caption_prepared(self, prepared, images, prompt, words):
        assert threading.get_ident() == self.here and len(prepared) == len(images)
        self.said.append(("prepared", len(images)))
        if len(images) > 1 and any(fake._fails(f"batch-{image.width}") for image in images):
            raise RuntimeError("out of memory")
        return prepared

    def caption(self, images, prompt, words):
        self.said.append(("asked", len(images)))
        return super().caption(images, prompt, words)


@pytest.fixture
def preparing(faked, monkeypatch):
    """A user's folder of nine pictures of mixed sizes, and the model that captions them."""
    truth = write_truth(faked.folder / "GT", 9)
    for place, path in enumerate(sorted(truth.iterdir())):
        with Image.open(path) as image:
            image.resize((20 + 10 * (place % 3), 30)).save(path)
    model = Preparing()
    monkeypatch.setitem(fake.MODELS, "i2t", lambda: model)
    faked.model = model
    return faked


def texts(bench, name) -> dict[str, str]:
    with open(bench.folder / "Text" / f"{name}.csv", newline="") as file:
        return {row["name"]: row["text"] for row in csv.DictReader(file)}


def test_captions_of_prepared_batches_are_those_of_single_images_in_the_ground_truth_s_order(preparing):
    preparing.encode("--model_name", "one")
    assert preparing.model.said == [("prepared", 1)] * 9
    preparing.encode("--model_name", "four", "--batch_size", 4)
    assert texts(preparing, "one") == texts(preparing, "four")
    assert list(texts(preparing, "four")) == sorted(path.name for path in (preparing.folder / "GT").iterdir())
    seen = json.loads((preparing.folder / "Text/four.json").read_text())["images"]
    assert len(seen) == 9 and all(made["sha256"] and made["seconds"] >= 0 for made in seen.values())


def test_images_of_one_size_share_a_batch(preparing):
    whole = Preparing.caption_prepared
    sizes = []

    def caption_prepared(self, prepared, images, prompt, words):
        sizes.append({image.size for image in images})
        return whole(self, prepared, images, prompt, words)

    preparing.model.caption_prepared = caption_prepared.__get__(preparing.model)
    preparing.encode("--model_name", "three", "--batch_size", 3)
    assert [len(each) for each in sizes] == [1, 1, 1]  # three of each size, scattered in the folder


def test_what_cannot_be_prepared_is_asked_as_it_is(preparing):
    preparing.encode("--model_name", "one")
    preparing.model.said.clear()
    preparing.encode("--model_name", "other", "--batch_size", 3, FAKE_FAIL="prepare-30")
    assert texts(preparing, "other") == texts(preparing, "one")
    assert sorted(preparing.model.said) == [("asked", 3), ("prepared", 3), ("prepared", 3)]


def test_a_batch_that_fails_is_asked_again_in_halves_without_what_was_prepared_for_it(preparing):
    preparing.encode("--model_name", "one")
    preparing.model.said.clear()
    preparing.encode("--model_name", "other", "--batch_size", 3, FAKE_FAIL="batch-40")
    assert texts(preparing, "other") == texts(preparing, "one")
    assert preparing.model.said[-3:] == [("prepared", 3), ("asked", 2), ("asked", 1)]


def test_a_damaged_last_picture_takes_no_other_along(preparing):
    last = sorted((preparing.folder / "GT").iterdir())[-1]
    last.write_bytes(last.read_bytes()[:60])
    done = preparing.encode("--model_name", "four", "--batch_size", 4, code=1)
    assert f"{last.name}: is damaged" in done.stderr and "1 failed:" in done.stderr
    assert len(texts(preparing, "four")) == 8


def test_a_model_that_prepares_nothing_is_asked_as_before():
    model = fake.Encoder()
    picture = Image.new("RGB", (8, 8))
    assert model.prepare([picture], "x", 3) is None
    assert isinstance(model.caption_prepared(None, [picture], "x", 3)[0], (Caption, ModelError))
