"""Dictionaries of numpy arrays from pickle files, read without running a pickle.

A pickle is a program for a stack machine, and unpickling runs it. Here its instructions are only listed, by
pickletools, and those few that a nested dictionary of float32 arrays is made of are followed by hand: nothing that a
file names is imported or called, and any other instruction or name refuses the file.
"""

from __future__ import annotations

import math
import pickletools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
ARRAY, DTYPE = "numpy ndarray", "numpy dtype"
PLAIN = {"BININT", "BININT1", "BININT2", "BINUNICODE", "BINBYTES", "SHORT_BINBYTES"}  # whose value is their argument
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MOST_LEVELS, MOST_ENTRIES = 8, 1000  # of a dictionary, whose parts may stand in it more than once
FORM = ("f4", "<")  # of every array: float32, little endian


class NotArrays(ValueError):
    """A file that is no pickled dictionary of float32 arrays; the message says why, without naming the file."""


@dataclass(frozen=True)
class _Name:
    """A name that the pickle would import. It is compared, and nothing else."""

    text: str


@dataclass
class _Object:
    """What a name would be called to make: an array or its type, before its state is known."""

    kind: str
    value: Any = None


_MARK = object()


def read(data: bytes) -> dict[str, Any]:
    """The dictionary, nested as in the file, its leaves numpy arrays. Raises NotArrays."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            _step(opcode.name, argument, stack, memo)
    except NotArrays:
        raise
    except Exception as error:  # of a damaged file: pickletools and the stack raise what their parts raise
        raise NotArrays(f"is no whole pickle ({type(error).__name__})") from None
    if len(stack) != 1 or not isinstance(stack[0], dict):
        raise NotArrays("holds no dictionary")
    return _opened(stack[0], 0, [MOST_ENTRIES])


def _step(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in PLAIN:
        stack.append(argument)
    elif name in CONSTANTS:
        stack.append(CONSTANTS[name])
    elif name == "GLOBAL":
        if argument not in (*RECONSTRUCT, ARRAY, DTYPE):
            raise NotArrays(f"names {ascii(argument)[:60]}, and may name numpy's arrays only")
        stack.append(_Name(argument))
    elif name == "EMPTY_DICT":
        stack.append({})
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "TUPLE":
        stack.append(tuple(_from_mark(stack)))
    elif name in TUPLES:
        place = len(stack) - TUPLES[name]
        if place < 0:
            raise NotArrays("is no whole pickle")
        stack[place:] = [tuple(stack[place:])]
    elif name == "REDUCE":
        arguments, called = stack.pop(), stack.pop()
        stack.append(_made(called, arguments))
    elif name == "BUILD":
        state = stack.pop()
        _build(stack[-1], state)
    elif name == "SETITEM":
        value, key = stack.pop(), stack.pop()
        _put(stack[-1], [key, value])
    elif name == "SETITEMS":
        items = _from_mark(stack)
        _put(stack[-1], items)
    elif name in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name not in ("PROTO", "STOP"):
        raise NotArrays(f"holds the instruction {name}, which no dictionary of arrays needs")


def _from_mark(stack: list[Any]) -> list[Any]:
    place = max(place for place, each in enumerate(stack) if each is _MARK)
    found = stack[place + 1 :]
    del stack[place:]
    return found


def _made(called: Any, arguments: Any) -> _Object:
    """What a call would make, as far as an array is made so."""
    name = called.text if isinstance(called, _Name) else ""
    if name in RECONSTRUCT and arguments == (_Name(ARRAY), (0,), b"b"):
        return _Object(ARRAY)
    if name == DTYPE and isinstance(arguments, tuple) and arguments[:1] == FORM[:1]:
        return _Object(DTYPE)
    raise NotArrays("would call something with other arguments than an array of float32 needs")


def _build(made: Any, state: Any) -> None:
    """Give an array, or its type, its state. Raises NotArrays."""
    kind = made.kind if isinstance(made, _Object) else ""
    if kind == DTYPE and isinstance(state, tuple) and state[1:5] == (FORM[1], None, None, None):
        made.value = FORM
    elif kind == ARRAY and isinstance(state, tuple) and len(state) == 5:
        made.value = _array(*state[1:])
    else:
        raise NotArrays("gives a state to something that is no array of float32")


def _array(shape: Any, form: Any, fortran: Any, data: Any) -> np.ndarray:
    import numpy as np

    sides = isinstance(shape, tuple) and all(isinstance(side, int) and side > 0 for side in shape)
    known = isinstance(form, _Object) and form.value == FORM and fortran is False and isinstance(data, bytes)
    if not (sides and known) or 4 * math.prod(shape) != len(data):
        raise NotArrays("holds an array that is not of float32, or whose bytes are not as many as its shape says")
    return np.frombuffer(data, "<f4").reshape(shape)


def _put(target: Any, items: list[Any]) -> None:
    keys, values = items[::2], items[1::2]
    if not isinstance(target, dict) or len(keys) != len(values) or not all(isinstance(key, str) for key in keys):
        raise NotArrays("puts something elsewhere than under a text in a dictionary")
    target.update(zip(keys, values))


def _opened(found: dict[str, Any], level: int, left: list[int]) -> dict[str, Any]:
    """The dictionary with arrays in place of what makes them. left: entries that it may still have."""
    opened = {}
    for key, value in found.items():
        left[0] -= 1
        if level == MOST_LEVELS or left[0] < 0:
            raise NotArrays("is nested too deeply, or has too many entries")  # also where it holds itself
        if isinstance(value, dict):
            opened[key] = _opened(value, level + 1, left)
        elif isinstance(value, _Object) and value.kind == ARRAY and value.value is not None:
            opened[key] = value.value
        else:
            raise NotArrays(f"holds something that is no array under {ascii(key)[:40]}")
    return opened
