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


class Own(Exception):
    """A user's own."""


@pytest.mark.parametrize(
    "error, words",
    [
        (ConnectionError("gone"), "ConnectionError: gone"),
        (TimeoutError(), "TimeoutError"),
        (AttributeError("no 'x'"), "AttributeError: no 'x'"),
        (MemoryError(), "not enough memory"),
        (Own("odd"), "Own: odd"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (SystemExit("ended"), "SystemExit: ended"),
        (RecursionError("deep"), "deep"),
        (StopIteration(), "StopIteration"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), "bad"),
    ],
)
def test_any_exception_of_one_image_is_that_images(error, words):
    def function(batch):
        if 3 in batch:
            raise error
        return batch

    answers = ask(Model(), function, ITEMS)
    assert words in str(answers.pop("image3"))
    assert answers == {name: item for name, item in ITEMS.items() if item != 3}


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), ModuleNotFoundError("no x", name="x"), KeyboardInterrupt()]
)
def test_what_no_image_survives_ends_the_run(error):
    def function(batch):
        raise error

    with pytest.raises(type(error)):
        ask(Model(), function, ITEMS)


@pytest.mark.parametrize("answers", [None, "ab", 5, {"a": 1, "b": 2}, iter([1, 2]), b"ab"])
def test_an_answer_that_is_no_list_is_a_failure(answers):
    found = ask(Model(), lambda batch: answers, {"a": 1, "b": 2})
    assert all(isinstance(each, ModelError) and "expected: a list" in str(each) for each in found.values())


def test_an_answer_of_another_class_fails_alone():
    found = ask(Model(), lambda batch: [1, "two", None, ModelError("no")], dict.fromkeys("abcd"), int)
    assert found["a"] == 1 and "type str, expected: int" in str(found["b"])
    assert "NoneType" in str(found["c"]) and str(found["d"]) == "no"
