"""Two or more targets on the same images: every pair, by mode and metric and by Overall, and what is significant."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import BadInput
from ...runtime.messages import say
from ...statistics import LEVEL, RESAMPLES, Difference, holm
from ..image_scores import over_seeds
from .comparable import FORMULAS, Column, Compared, check_pair, columns_of, common_metrics, values_of
from .seeded import seeded_differences

ALPHA = 1 - LEVEL
MOST_TABLES = 3  # targets; of more every column is a matrix, and p-values are adjusted within it
NOTES = 3  # about pairs, that are said in full


@dataclass(frozen=True)
class Comparison:
    """One row: two targets in a mode and metric, or in "overall" or "overall-i2t" over the modes that both have.

    content: "" for all images. means: of the images that both have. seeds: how many each side has, 1 of a target by
    itself. holm: p, adjusted for all rows, or for all pairs of
    the same mode, metric and content where there are more than MOST_TABLES targets.
    """

    first: str
    second: str
    mode: str
    metric: str
    content: str
    lower_is_better: bool
    means: tuple[float, float]
    difference: Difference
    seeds: tuple[int, int] = (1, 1)
    holm: float = float("nan")

    @property
    def column(self) -> tuple[str, str, str]:
        """(mode, metric, content): what the pairs of many targets are compared in together. An Overall is one column,
        whichever modes two targets share.
        """
        return "" if self.metric in FORMULAS else self.mode, self.metric, self.content

    @property
    def bounded(self) -> bool:
        """Whether the difference has an interval; of two or three images most resamples have no spread."""
        return math.isfinite(self.difference.low)

    @property
    def better(self) -> str:
        """The target that is better, "" where the difference is not significant."""
        if not (self.bounded and self.holm <= ALPHA):
            return ""
        return self.first if (self.difference.mean > 0) != self.lower_is_better else self.second

    @property
    def verdict(self) -> str:
        if not self.bounded:
            return "too few images" if self.difference.n < 2 else "too few images for an interval"
        return f"{self.better} is better" if self.better else "no significant difference"


def compare(
    targets: Sequence[Compared],
    metrics: Sequence[str] = (),
    modes: Sequence[str] = (),
    types: bool = False,
    i2t: bool = False,
) -> list[Comparison]:
    """All pairs of targets, by mode and metric, and by Overall.

    metrics, modes: only these (none: all that both targets of a pair have). types: also for each content type. i2t:
    Overall of the encoders' table too. Raises BadInput for targets that cannot be compared, and where they have no
    image in common.
    """
    notes: list[str] = []
    pairs = [_Pair.of(*pair, metrics, modes, types, i2t, notes) for pair in itertools.combinations(targets, 2)]
    many = len(targets) > MOST_TABLES
    found = list(itertools.chain.from_iterable(_compared(pairs, resamples_for(len(pairs)) if many else RESAMPLES)))
    notes += [note for pair in pairs for note in pair.fewer()]
    for note in notes if len(notes) <= NOTES else notes[:NOTES] + [f"{len(notes) - NOTES} more of this kind"]:
        say(f"note: {note}.")
    if not many and len(found) > ALPHA * (RESAMPLES + 1):
        say(f"note: with {len(found)} rows no difference can be significant; compare fewer targets, modes or metrics.")
    return _adjusted(found, many)


def resamples_for(pairs: int) -> int:
    """How many resamples let a difference be significant among as many pairs: no p is below 1 / (1 + resamples)."""
    return max(RESAMPLES, math.ceil(2 * pairs / ALPHA))


@dataclass(frozen=True)
class _Pair:
    """Two targets, and what they are compared in. a, b: their scores, (images in common, columns), of systems with
    several seeds the means over these. seeds: the seeds' deviations from a and from b, (images, columns, seeds) each.
    """

    first: Compared
    second: Compared
    columns: list[Column]
    a: np.ndarray
    b: np.ndarray
    seeds: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(
        cls,
        first: Compared,
        second: Compared,
        metrics: Sequence[str],
        modes: Sequence[str],
        types: bool,
        i2t: bool,
        notes: list[str],
    ) -> _Pair:
        """Raises BadInput for targets that cannot be compared. notes: what is to be said is added to them."""
        check_pair(first, second, metrics)
        common = common_metrics(first, second, metrics)
        shared = [mode for mode in first.modes if mode in second.modes]
        for mode in modes:
            if mode not in shared:
                both = ", ".join(shared) or "none"
                raise BadInput(
                    f"--modes {mode}: not both of {first.name} and {second.name} have it. Both have: {both}."
                )
        left = sorted({*first.modes, *second.modes} - set(shared))
        shared = [mode for mode in shared if not modes or mode in modes]
        if left and not modes:
            notes.append(
                f"{first.name} and {second.name} are compared in {', '.join(shared) or 'no mode'}; not both have"
                f" {', '.join(left)}"
            )
        columns = columns_of(shared, common, types, i2t, (first, second), notes)
        if not columns:
            raise BadInput(f"{first.name} and {second.name} have no image in common that both have scores of.")
        means, seeds = zip(*(over_seeds(values_of(each, columns, first, second)) for each in (first, second)))
        return cls(first, second, columns, *means, seeds)

    def fewer(self) -> Iterator[str]:
        every = len({*self.first.images.names, *self.second.images.names})
        there = np.isfinite(self.a - self.b).sum(axis=0)
        if any(n < every for column, n in zip(self.columns, there) if not column.content):
            yield (
                f"{self.first.name} and {self.second.name} do not have the same images; n says how many of {every} are"
                " compared"
            )

    def rows(self, differences: Iterable[Difference]) -> Iterator[Comparison]:
        seeds = (self.seeds[0].shape[-1], self.seeds[1].shape[-1])
        for column, x, y, difference in zip(self.columns, self.a.T, self.b.T, differences):
            both = ~(np.isnan(x) | np.isnan(y))
            measure = self.first.metrics.get(column.metric)
            lower = measure is not None and measure.lower_is_better
            means = (float(x[both].mean()), float(y[both].mean()))
            names = self.first.name, self.second.name
            about = column.mode, column.metric, column.content, lower, means, difference
            yield Comparison(*names, *about, seeds)


def _compared(pairs: Sequence[_Pair], resamples: int) -> Iterator[Iterator[Comparison]]:
    """The rows of each pair. Pairs of as many images are resampled together: the draws are the same."""
    together: dict[int, list[_Pair]] = {}
    for pair in pairs:
        together.setdefault(len(pair.a), []).append(pair)
    found: dict[int, list[Difference]] = {}
    for members in together.values():
        differences = np.concatenate([pair.a - pair.b for pair in members], axis=1)
        seeds = [[side[:, place] for side in pair.seeds] for pair in members for place in range(len(pair.columns))]
        each = iter(seeded_differences(differences, seeds, resamples))
        found.update((id(pair), list(itertools.islice(each, len(pair.columns)))) for pair in members)
    for pair in pairs:
        yield pair.rows(found[id(pair)])


def _adjusted(found: Sequence[Comparison], by_column: bool) -> list[Comparison]:
    """The rows with Holm's p: of all of them, or of those of the same column."""
    families: dict[object, list[int]] = {}
    for place, each in enumerate(found):
        families.setdefault(each.column if by_column else None, []).append(place)
    adjusted = {}
    for places in families.values():
        adjusted.update(zip(places, holm([found[place].difference.p for place in places])))
    return [replace(each, holm=adjusted[place]) for place, each in enumerate(found)]
