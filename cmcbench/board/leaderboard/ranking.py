"""Places on the leaderboard, and how sure they are: the bootstrap over images of the places of all that can be
compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...runtime.messages import say
from ...statistics import percentiles, places_of_means, resampled_means
from ..image_scores import ImageScores
from ..labels import OVERALL, OVERALL_I2T
from ..scored import ScoredTarget, again
from .entries import Entry

Key = tuple[int, str]  # the place of an entry among the entries, and a column of it
Drawn = dict[Key, np.ndarray]  # its means in every resample of the images


def ranked(
    entries: Sequence[Entry], metrics: Mapping[str, bool], targets: Sequence[ScoredTarget], quiet: bool = False
) -> list[Entry]:
    """The entries with their places, 1 for the best, equal values share one; with the 95 % intervals of their places,
    and of those means that lack theirs, from the targets' scores of single images.

    metrics: name -> whether lower is better. Where a target's scores.csv is missing, invalid or not what its summary
    was made of, those that it is compared with have no interval of their places either, which is said (unless quiet):
    places among fewer would be others.
    """
    ranks: dict[Key, int] = {}
    for column, peers in _contests(entries, metrics):
        values = [entries[place].value(column) for place in peers]
        for place, mine in zip(peers, values):
            better = (value < mine for value in values) if metrics.get(column) else (value > mine for value in values)
            ranks[place, column] = 1 + sum(better)
    drawn = _drawn(entries, metrics, targets, quiet)
    places: dict[Key, tuple[int, int]] = {}
    for column, peers in _contests(entries, metrics):
        if all((place, column) in drawn for place in peers):
            means = np.stack([drawn[place, column] for place in peers], axis=1)
            found = places_of_means(-means if metrics.get(column) else means)
            places.update(((place, column), each) for place, each in zip(peers, found))
    return [_with_places(place, entry, ranks, places, drawn) for place, entry in enumerate(entries)]


def _with_places(
    place: int, entry: Entry, ranks: Mapping[Key, int], places: Mapping[Key, tuple[int, int]], drawn: Drawn
) -> Entry:
    low, high = dict(entry.low), dict(entry.high)
    columns = [*entry.cells, OVERALL]
    for column in columns:
        if (place, column) in drawn and column not in low:
            ends = percentiles(drawn[place, column][:, None])
            low[column], high[column] = (float(end[0]) for end in ends)
    mine = (
        {column: found[place, column] for column in columns if (place, column) in found} for found in (ranks, places)
    )
    return replace(entry, low=low, high=high, **dict(zip(("ranks", "places"), mine)))


def _contests(entries: Sequence[Entry], metrics: Mapping[str, bool]) -> Iterator[tuple[str, list[int]]]:
    """(column, the entries that may be compared in it): same mode, content, ground truth and weights, all images.

    Published rows are in none: what they were made with is not known here by its digest.
    """
    groups: dict[tuple, list[int]] = {}
    for place, column in _columns(entries, metrics):
        entry = entries[place]
        groups.setdefault((column, entry.mode, entry.content, entry.peers.get(column)), []).append(place)
    for (column, *_), peers in sorted(groups.items(), key=lambda group: group[1]):
        yield column, peers


def _columns(entries: Sequence[Entry], metrics: Mapping[str, bool]) -> Iterator[Key]:
    """What can be ranked: the columns in which an entry is complete."""
    for place, entry in enumerate(entries):
        for column in (*metrics, OVERALL):
            if column in entry.complete and entry.value(column) is not None:
                yield place, column


def _drawn(
    entries: Sequence[Entry], metrics: Mapping[str, bool], targets: Sequence[ScoredTarget], quiet: bool
) -> Drawn:
    """The resampled means of what can be ranked. Columns of the same images share their resamples."""
    images = {target.folder: target.images for target in targets if not target.fault}
    folders = {entries[place].folder for place, _ in _columns(entries, metrics)}
    for target in targets:
        if target.fault and target.folder in folders and not quiet:
            say(
                f"note: the places of what {target.folder.name} is compared with have no intervals:"
                f" {target.folder / 'scores.csv'} {target.fault}. {again(target.folder)}"
            )
    groups: dict[tuple[str, ...], list[tuple[Key, np.ndarray]]] = {}
    stale: set[Path] = set()
    for place, column in _columns(entries, metrics):
        entry = entries[place]
        if entry.folder not in images:
            continue
        try:
            found = scores_of(entry, column, images[entry.folder])
        except Stale:
            stale.add(entry.folder)
            continue
        if found is not None:
            groups.setdefault(found[0], []).append(((place, column), found[1]))
    for folder in () if quiet else sorted(stale):
        say(
            f"note: {folder / 'scores.csv'} is not what its summary.json was made of: no intervals of places. Score it"
            " again."
        )
    drawn: Drawn = {}
    for names, members in groups.items():
        if len(names) > 1:
            means = resampled_means(np.stack([values for _, values in members], axis=1))
            drawn.update((key, each) for (key, _), each in zip(members, means.T))
    return drawn


class Stale(Exception):
    """The scores are not those that the mean was made of."""


def scores_of(entry: Entry, column: str, images: ImageScores) -> tuple[tuple[str, ...], np.ndarray] | None:
    """(names, values) of a row's images; None of a measure of a whole set. Raises Stale."""
    if column == OVERALL:
        values = images.overall("i2t" if entry.mode == OVERALL_I2T else "t2i", entry.modes)
    else:
        values = images.over_modes(column, entry.modes)
    if values is None:
        return None
    here = np.isfinite(values) & images.of_kind(entry.content)
    count, mean = entry.count(column), entry.value(column)
    if not count or np.count_nonzero(here) != count or not np.isclose(values[here].mean(), mean, rtol=1e-6, atol=1e-9):
        raise Stale
    return tuple(itertools.compress(images.names, here)), values[here]
