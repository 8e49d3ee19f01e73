"""Places on the leaderboard, and how sure they are: the bootstrap over images of the places of all that can be
compared.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ...errors import BadInput
from ...runtime.messages import say
from ...statistics import percentiles, places_of_means, resampled_means
from ..image_scores import ImageScores, read
from ..labels import OVERALL, OVERALL_I2T
from .entries import WHOLE, Entry

Entry = tuple[Entry, str]  # a row, and a column of it


def rank(lines: list[Entry], metrics: dict[str, bool]) -> None:
    """Give every whole row its places: 1 for the best, equal values share one. metrics: name -> whether lower is
    better.
    """
    for column, peers in _contests(lines, metrics):
        values = [line.value(column) for line in peers]
        for line, mine in zip(peers, values):
            better = (value < mine for value in values) if metrics.get(column) else (value > mine for value in values)
            line.ranks[column] = 1 + sum(better)


def _contests(lines: list[Entry], metrics: dict[str, bool]) -> Iterator[tuple[str, list[Entry]]]:
    """(column, the whole rows that may be compared in it): same mode, content, ground truth and weights. Published rows
    are in none: what they were made with is not known here by its digest."""
    groups: dict[tuple, list[Entry]] = {}
    for column in (*metrics, OVERALL):
        for line in lines:
            if line.status == WHOLE and line.value(column) is not None:
                groups.setdefault((column, line.mode, line.content, line.peers.get(column)), []).append(line)
    for (column, *_), peers in groups.items():
        yield column, peers


def add_places(lines: list[Entry], metrics: dict[str, bool], quiet: bool = False) -> None:
    """Give every ranked row the 95 % interval of its places, and its means theirs where they lack it, from scores.csv.

    Where a target's scores.csv is missing, broken or not what its summary was made of, those that it is compared with
    have no such interval either, which is said (unless quiet): places among fewer would be others.
    """
    images = _all_images([line for line, _ in _entries(lines, metrics)], metrics, quiet)
    groups: dict[tuple[str, ...], list[tuple[Entry, str, np.ndarray]]] = {}
    stale = set()
    for line, column in _entries(lines, metrics):
        try:
            found = _scores(line, column, images.get(line.folder))
        except _Stale:
            stale.add(line.folder)
            continue
        if found is not None:
            groups.setdefault(found[0], []).append((line, column, found[1]))
    for folder in () if quiet else sorted(stale):
        say(
            f"note: {folder / 'scores.csv'} is not what its summary.json was made of: no intervals of places. Score it"
            " anew."
        )
    means: dict[tuple[int, str], np.ndarray] = {}
    for entries in groups.values():  # of the same images, so that the same are drawn for all
        if len(entries[0][2]) > 1:
            drawn = resampled_means(np.stack([values for *_, values in entries], axis=1))
            for (line, column, _), each in zip(entries, drawn.T):
                means[id(line), column] = each
                if column not in line.low:
                    low, high = percentiles(each[:, None])
                    line.low[column], line.high[column] = float(low[0]), float(high[0])
    for column, peers in _contests(lines, metrics):
        if all((id(line), column) in means for line in peers):
            drawn = np.stack([means[id(line), column] for line in peers], axis=1)
            for line, places in zip(peers, places_of_means(-drawn if metrics.get(column) else drawn)):
                line.places[column] = places


def _entries(lines: Iterable[Entry], metrics: dict[str, bool]) -> Iterator[Entry]:
    for line in lines:
        for column in (*metrics, OVERALL):
            if line.status == WHOLE and line.folder is not None and line.value(column) is not None:
                yield line, column


def _read(file: Path, metrics: tuple[str, ...]) -> ImageScores:
    """The scores of a file that has not changed are read once for all views."""
    state = file.stat() if file.exists() else None
    return _read_once(file, metrics, state and (state.st_mtime_ns, state.st_size))


@functools.lru_cache(maxsize=64)
def _read_once(file: Path, metrics: tuple[str, ...], state: object) -> ImageScores:
    return read(file, metrics)


def _all_images(lines: Iterable[Entry], metrics: Iterable[str], quiet: bool) -> dict[Path | None, ImageScores]:
    found: dict[Path | None, ImageScores] = {}
    for folder in dict.fromkeys(line.folder for line in lines if line.folder is not None):
        try:
            found[folder] = _read(folder / "scores.csv", tuple(metrics))
        except BadInput as error:
            if not quiet:
                say(f"note: the places of what {folder.name} is compared with have no intervals: {error}")
    return found


class _Stale(Exception):
    """The scores are not those that the mean was made of."""


def _scores(line: Entry, column: str, images: ImageScores | None) -> tuple[tuple[str, ...], np.ndarray] | None:
    """(names, values) of a row's images; None of a measure of a whole set. Raises _Stale."""
    if images is None:
        return None
    if column == OVERALL:
        values = images.overall("i2t" if line.mode == OVERALL_I2T else "t2i", line.modes)
    else:
        values = images.over_modes(column, line.modes)
    if values is None:
        return None
    here = np.isfinite(values) & images.of_kind(line.content)
    mean = line.value(column)
    if np.count_nonzero(here) != line.n or not np.isclose(values[here].mean(), mean, rtol=1e-6, atol=1e-9):
        raise _Stale
    return tuple(itertools.compress(images.names, here)), values[here]
