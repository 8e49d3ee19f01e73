"""Asking a model for a batch, so that neither one bad image nor too little memory takes the others along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from models.base import Model, ModelError

from ..errors import first_line

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# What torch, transformers, diffusers and a user's own adapter raise; torch.OutOfMemoryError is a RuntimeError
FAILURES = (ModelError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AssertionError)


def ask(
    model: Model, function: Callable[[list[Item]], list[Any]], items: Mapping[str, Item]
) -> dict[str, Any | ModelError]:
    """The model's answer to each item, by name; a ModelError for one that it fails on even alone.

    A batch that fails is asked again in halves. Once the model has stopped, the rest is left unasked and unanswered.
    """
    if not items or model.stopped:
        return {}
    try:
        answers = function(list(items.values()))
        if len(answers) != len(items):
            raise ModelError(f"the model gave {len(answers)} answers for {len(items)} images")
        return dict(zip(items, answers))
    except FAILURES as error:
        if len(items) == 1:
            return {name: ModelError(first_line(error)) for name in items}
    _free_memory()
    names = list(items)
    half = (len(names) + 1) // 2
    answers = {}
    for part in (names[:half], names[half:]):
        answers |= ask(model, function, {name: items[name] for name in part})
    return answers


def _free_memory() -> None:
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
