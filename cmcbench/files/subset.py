"""A stable choice among images: `--images` and `--subset`."""

from __future__ import annotations

import fnmatch
import hashlib
import unicodedata
from collections.abc import Iterable

from ..protocol import content
from .names import stem


def choose(names: Iterable[str], pattern: str | None = None, subset: int | None = None) -> list[str]:
    """The stems that match the glob `pattern`, then `subset` of them, in sorted order.

    A pattern that is an image's name, or its file's, means that image alone, whatever else it matches.

    The choice depends on the names alone, keeps the mix of content types and of sources within a type, and a smaller
    choice is part of every larger one, so that a run can be widened later and keeps what it has.
    """
    chosen = sorted(names)
    if pattern:
        pattern = unicodedata.normalize("NFC", pattern)
        literal = [name for name in chosen if name in (pattern, stem(pattern))]
        chosen = literal or [
            name for name in chosen if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(stem(name), pattern)
        ]
    if subset is not None and subset < len(chosen):
        chosen = sorted(_mixed_order(chosen)[:subset])
    return chosen


def _mixed_order(names: list[str]) -> list[str]:
    """All names, so ordered that every beginning of the list has about the whole list's mix."""
    types: dict[str, dict[str, list[str]]] = {}
    for name in names:
        kind, source = content(name)
        types.setdefault(kind, {}).setdefault(source, []).append(name)
    by_type = [_interleave([sorted(names, key=_shuffled) for names in sources.values()]) for sources in types.values()]
    return _interleave(by_type)


def _shuffled(name: str) -> str:
    return hashlib.sha256(stem(name).encode()).hexdigest()


def _interleave(groups: list[list[str]]) -> list[str]:
    """Merge groups so that each is spread evenly: the i-th of n members stands at (i + 1/2) / n, small groups first."""
    placed = [((i + 0.5) / len(group), len(group), name) for group in groups for i, name in enumerate(group)]
    return [name for *_, name in sorted(placed)]
