"""Targets of one system that differ in their seed alone: which belong together, and how such a group is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..files.names import SEED_MARK
from .summaries import Summary


class Seeded(Protocol):
    """A scored target, as far as it matters here."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> Summary: ...


Target = TypeVar("Target", bound=Seeded)


@dataclass(frozen=True)
class SeedGroup:
    """Two targets or more, in the order of their seeds, of which no two have the same. copies: further ones that have
    the seed of one of them, and would count it twice.
    """

    name: str
    targets: tuple
    copies: tuple = ()

    @property
    def seeds(self) -> list[int]:
        return [target.summary.seed for target in self.targets]


def seed_groups(targets: Iterable[Target]) -> list[SeedGroup]:
    """The groups among these targets, by name: of one system, against one ground truth, with several seeds.

    A target whose summary tells no system is in none.
    """
    targets = list(targets)
    found: dict[tuple[str, str], list[Target]] = {}
    for target in targets:
        if target.summary.system and target.summary.seed is not None:
            found.setdefault((target.summary.system, target.summary.digest), []).append(target)
    groups = []
    for members in found.values():
        first: dict[int | None, Target] = {}
        for target in sorted(members, key=lambda each: each.name):
            first.setdefault(target.summary.seed, target)
        if len(first) > 1:
            kept = tuple(first[seed] for seed in sorted(first))
            groups.append((kept, tuple(each for each in members if each not in kept)))
    grouped = {id(target) for kept, copies in groups for target in (*kept, *copies)}
    taken = Counter(target.name for target in targets if id(target) not in grouped)
    taken.update(common for common in (_common(kept) for kept, _ in groups) if common)
    return sorted((SeedGroup(_name(kept, taken), kept, copies) for kept, copies in groups), key=lambda each: each.name)


def _common(targets: Sequence[Seeded]) -> str:
    """What stands before the seed in all their names, "" where they differ in more."""
    begin = {target.name.rpartition(SEED_MARK)[0] or target.name for target in targets}
    return begin.pop() if len(begin) == 1 else ""


def _name(targets: Sequence[Seeded], taken: Counter[str]) -> str:
    """What they have in common, where nothing else is called so; else the names themselves."""
    common = _common(targets)
    return common if common and taken[common] == 1 else ", ".join(target.name for target in targets)
