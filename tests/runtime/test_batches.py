"""Asking a model for a batch: halves, failures one by one, and a model that has stopped."""

from __future__ import annotations

import pytest

from cmcbench.runtime.batches import ask
from models.base import Model, ModelError

ITEMS = {f"image{number}": number for number in range(7)}


@pytest.mark.parametrize("room", [1, 2, 3, 6, 7])
def test_a_batch_that_does_not_fit_is_halved(room):
    sizes = []

    def function(batch):
        sizes.append(len(batch))
        if len(batch) > room:
            raise RuntimeError("CUDA out of memory")
        return [item * 10 for item in batch]

    assert ask(Model(), function, ITEMS) == {name: item * 10 for name, item in ITEMS.items()}
    assert max(sizes) == 7 and sum(size for size in sizes if size <= room) == 7


def test_only_the_bad_one_fails():
    def function(batch):
        if 3 in batch:
            raise ValueError("cannot see\nthis one")
        return batch

    answers = ask(Model(), function, ITEMS)
    assert str(answers.pop("image3")) == "cannot see"
    assert answers == {name: item for name, item in ITEMS.items() if item != 3}


def test_an_answer_too_few():
    answers = ask(Model(), lambda batch: batch[:1], {"a": 1, "b": 2})
    assert answers == {"a": 1, "b": 2}
    answers = ask(Model(), lambda batch: [], {"a": 1})
    assert isinstance(answers["a"], ModelError) and "0 answers for 1 images" in str(answers["a"])


def test_a_model_that_has_stopped_is_not_asked_again():
    model = Model()

    def function(batch):
        model.stopped = "the quota is used up."
        raise ModelError("no answer")

    assert ask(model, function, ITEMS) == {}
    assert ask(model, function, {"a": 1}) == {}


def test_an_interruption_is_none_of_its_business():
    def function(batch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(Model(), function, ITEMS)
