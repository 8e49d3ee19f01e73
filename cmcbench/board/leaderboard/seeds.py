"""Systems with several seeds: the spread between the seeds' means beside the interval over images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...statistics import intervals
from ..image_scores import over_seeds
from ..labels import ORDER, OVERALL
from ..markup import csv_text, half_width, markdown_table, markdown_text, number
from ..scored import ScoredTarget
from ..seed_groups import SeedGroup, seed_groups
from .entries import Entry, entries_of
from .long_tables import heading
from .ranking import Stale, scores_of

TITLE = "Seeds"
NOTES = """
Systems that were decoded with several seeds: the mean over the seeds, ± half its 95 % interval over images (of each \
image's mean over the seeds), and the standard deviation between the seeds' means, which that interval does not hold. \
`n`: images that all seeds have. `python -m cmcbench compare` draws images and seeds.
"""
MORE = "Every mode and metric: leaderboard-seeds.md and .csv.\n"


@dataclass(frozen=True)
class SeedRow:
    """A group in a mode, or over the modes, by a metric or Overall. n: images that all seeds have.

    means: of the seeds, in their order. low, high: ends of the 95 % interval over images of their mean; None of a
    measure of the whole set, of one image, and where a scores.csv cannot be used.
    """

    group: SeedGroup
    mode: str
    column: str
    n: int
    means: tuple[float, ...]
    low: float | None = None
    high: float | None = None

    @property
    def mean(self) -> float:
        return float(np.mean(self.means))

    @property
    def deviation(self) -> float:
        """The standard deviation between the seeds, with their number less one."""
        return float(np.std(self.means, ddof=1))


def seed_rows(targets: Sequence[ScoredTarget], names: Sequence[str], i2t: bool = False) -> list[SeedRow]:
    """The rows of all groups among these targets: by group, mode and metric, Overall last.

    names: of the metrics, in the order of the columns. i2t: as of `leaderboard.collect`. What the seeds do not all
    have, or were not scored alike in, has no row.
    """
    rows, columns = [], []
    for group in seed_groups(targets):
        entries = [{entry.mode: entry for entry in entries_of(target, "", i2t)} for target in group.targets]
        for mode in (mode for mode in ORDER if all(mode in each for each in entries)):
            members = [each[mode] for each in entries]
            for column in (*names, OVERALL):
                if found := _row(group, members, column):
                    rows.append(found[0])
                    columns.append(found[1])
    return list(_with_intervals(rows, columns))


def _row(group: SeedGroup, members: Sequence[Entry], column: str) -> tuple[SeedRow, np.ndarray | None] | None:
    """(the row without its interval, each image's mean over the seeds); None where they cannot be put together."""
    values = [entry.value(column) for entry in members]
    if None in values or len({entry.peers.get(column) for entry in members}) > 1:
        return None
    scores = _scores(group, members, column)
    if scores is None:  # the summaries' means, where they are of as many images
        counts = {entry.count(column) for entry in members}
        return (
            (SeedRow(group, members[0].mode, column, counts.pop(), tuple(values)), None) if len(counts) == 1 else None
        )
    means = tuple(float(mean) for mean in scores.mean(axis=0))
    return (SeedRow(group, members[0].mode, column, len(scores), means), over_seeds(scores)[0]) if len(scores) else None


def _scores(group: SeedGroup, members: Sequence[Entry], column: str) -> np.ndarray | None:
    """Scores of the images that all seeds have, (n, S), in the order of names; None where no image has a score."""
    found = []
    for target, entry in zip(group.targets, members):
        try:
            scores = None if target.fault else scores_of(entry, column, target.images)
        except Stale:
            scores = None
        if scores is None:
            return None
        found.append(dict(zip(*scores)))
    names = sorted(set.intersection(*map(set, found)))
    return np.array([[scores[name] for scores in found] for name in names]).reshape(len(names), len(found))


def _with_intervals(rows: Sequence[SeedRow], columns: Sequence[np.ndarray | None]) -> Iterable[SeedRow]:
    """The rows with their intervals; those of as many images share their resamples."""
    together: dict[int, list[int]] = {}
    for place, values in enumerate(columns):
        if values is not None and len(values) > 1:
            together.setdefault(len(values), []).append(place)
    ends: dict[int, tuple[float, float]] = {}
    for places in together.values():
        low, high = intervals(np.stack([columns[place] for place in places], axis=1))
        ends.update((place, (float(a), float(b))) for place, a, b in zip(places, low, high))
    for place, row in enumerate(rows):
        yield replace(row, low=ends[place][0], high=ends[place][1]) if place in ends else row


def section(rows: Sequence[SeedRow], metrics: Mapping[str, bool]) -> str:
    """For the leaderboard: a row a system, of Overall or its first metric over the modes; "" where there is none."""
    first: dict[str, SeedRow] = {}
    for row in rows:
        if row.mode == OVERALL and (row.column == OVERALL or row.group.name not in first):
            first[row.group.name] = row
    if not first:
        return ""
    head = ["system", "seeds", "score", *FIGURES]
    cells = [
        [markdown_text(name), _seeds(row.group), _column(row, metrics), *_figures(row)] for name, row in first.items()
    ]
    return f"\n## {TITLE}\n\n{markdown_table(head, cells)}{NOTES}{MORE}"


FIGURES = ("n", "mean", "between seeds", "smallest", "largest")


def files(rows: Sequence[SeedRow], metrics: Mapping[str, bool]) -> tuple[str, str]:
    """(Markdown, CSV) of all rows; ("", "") where there is none."""
    if not rows:
        return "", ""
    groups: dict[str, list[SeedRow]] = {}
    for row in rows:
        groups.setdefault(row.group.name, []).append(row)
    tables = []
    for name, own in groups.items():
        table = markdown_table(
            ["mode", "metric", *FIGURES], [[row.mode, _column(row, metrics), *_figures(row)] for row in own]
        )
        tables.append(f"## {markdown_text(name)}, seeds {_seeds(own[0].group)}\n\n{table}")
    head = ["system", "mode", "metric", "n", "seeds", "mean", "sd", "smallest", "largest", "low", "high", "targets"]
    listed = [
        [
            row.group.name,
            row.mode,
            row.column,
            row.n,
            _seeds(row.group),
            *(number(value, 6) for value in (row.mean, row.deviation, min(row.means), max(row.means))),
            *(number(value, 6) for value in (row.low, row.high)),
            ", ".join(target.name for target in row.group.targets),
        ]
        for row in rows
    ]
    return f"# {TITLE}\n\n" + "\n".join(tables) + NOTES, csv_text([head, *listed])


def _seeds(group: SeedGroup) -> str:
    return " ".join(map(str, group.seeds))


def _column(row: SeedRow, metrics: Mapping[str, bool]) -> str:
    return " ".join((markdown_text(heading(row.column, metrics)[0]), heading(row.column, metrics)[1]))


def _figures(row: SeedRow) -> list[str]:
    half = half_width(row.low, row.high)
    spread = [number(value, 4) for value in (row.deviation, min(row.means), max(row.means))]
    return [str(row.n), number(row.mean, 4) + (f" ±{half}" if half else ""), *spread]
