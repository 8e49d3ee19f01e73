"""JSON documents with one to three parts changed, as careless programs and hostile hands do; the same at each run."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 1e300, -1e-300, 0.5, 10**17, "", "x", "=1+1", "\x1b[2J", "../../x", "\ud7ff" * 300,
    [], {}, [None], [[]], [1], [1, 2], [2, 1], [1, "x"], [None, 3], [1, 2, 3], {"mean": 1}, {"mean": "nan", "n": 3},
    {"a": {"b": {"c": []}}}, ["x"] * 70, {"__proto__": 1}, {"images": -1},
)  # fmt: skip
KEYS = ("", "x", "constructor", "<b>", "\x1b[31m", "=1+1", "overall", "full", "NSI", "topiq_fr", "a" * 300, "set", "n")


def mutated(document: dict[str, Any], count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` versions of a document, each with one to three parts removed, replaced, added or swapped."""
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        changed = copy.deepcopy(document)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            _change(changed, chance)
        yield changed


def _change(document: dict[str, Any], chance: random.Random) -> None:
    places = list(_places(document))
    if not places:
        return
    holder, key = chance.choice(places)
    kind = chance.choice(("value", "value", "value", "remove", "add", "swap", "rename", "wrap"))
    if kind == "value":
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    elif kind == "remove":
        del holder[key]
    elif kind == "wrap":
        holder[key] = chance.choice(([holder[key]], {"mean": holder[key]}, str(holder[key])[:500]))
    elif kind == "swap":
        other, place = chance.choice(places)
        holder[key] = copy.deepcopy(other[place])
    elif isinstance(holder, list):
        holder.append(copy.deepcopy(chance.choice(VALUES)))
    elif kind == "rename":
        holder[chance.choice(KEYS)] = holder.pop(key)
    else:
        holder[chance.choice(KEYS)] = copy.deepcopy(chance.choice(VALUES))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])
