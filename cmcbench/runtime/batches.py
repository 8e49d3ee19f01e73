"""Asking a model for a batch, so that neither one bad image nor too little memory takes the others along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from models.base import Model, ModelError
from models.secrets import without_secrets

from ..errors import first_line
from .cli import FULL

Item = TypeVar("Item")


def ask(
    model: Model,
    function: Callable[[list[Item]], list[Any]],
    items: Mapping[str, Item],
    expected: type | tuple[type, ...] = object,
) -> dict[str, Any | ModelError]:
    """The model's answer to each item, by name; a ModelError for one that it fails on even alone.

    expected: the class of an answer; one of another class is a failure of its item. A batch that fails is asked again
    in halves. Once the model has stopped, the rest is left unasked and unanswered. Raises what no other image could
    survive: a full disk, a missing package, an interruption.
    """
    if not items or model.stopped:
        return {}
    try:
        answers = function(list(items.values()))
        _check(answers, len(items))
        return {name: _checked(answer, expected) for name, answer in zip(items, answers)}
    except (Exception, SystemExit) as error:  # of torch, transformers, diffusers, a server, a user's own adapter
        if _is_fatal(error):
            raise
        if len(items) == 1:
            return {name: ModelError(_said(error)) for name in items}
    _free_memory()
    names = list(items)
    half = (len(names) + 1) // 2
    together: dict[str, Any | ModelError] = {}
    for part in (names[:half], names[half:]):
        together |= ask(model, function, {name: items[name] for name in part}, expected)
    return together


def _is_fatal(error: BaseException) -> bool:
    full = isinstance(error, OSError) and error.errno in FULL
    return full or isinstance(error, ModuleNotFoundError)


def _said(error: BaseException) -> str:
    """The error for a list of failures; what Python says is understood only with the name of its class."""
    text = without_secrets(first_line(error))
    name = type(error).__name__
    if isinstance(error, MemoryError):
        return f"there is not enough memory for it ({text})"
    if isinstance(error, (ModelError, RuntimeError, ValueError)) or text == name:
        return text
    return f"{name}: {text}"


def _check(answers: Any, count: int) -> None:
    if not isinstance(answers, (list, tuple)):
        raise ModelError(
            f"the model gave a value of type {type(answers).__name__}, expected: a list of {count} answers"
        )
    if len(answers) != count:
        raise ModelError(f"the model gave {len(answers)} answers for {count} images")


def _checked(answer: Any, expected: type | tuple[type, ...]) -> Any:
    if isinstance(answer, ModelError) or isinstance(answer, expected):
        return answer
    names = " or ".join(each.__name__ for each in (expected if isinstance(expected, tuple) else (expected,)))
    return ModelError(f"the model's answer has the type {type(answer).__name__}, expected: {names}")


def _free_memory() -> None:
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
