"""The targets of a comparison: their scores by image, and what must be equal for two of them to be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import BadInput
from ...files.names import plain_name
from ...files.untrusted import Unusable
from ...protocol import OVERALL_METRICS, content
from ...published.tables import I2T, T2I
from ...runtime.messages import did_you_mean
from .. import scored
from ..image_scores import ImageScores, over_seeds
from ..labels import ORDER
from ..seed_groups import SeedGroup, seed_groups
from ..summaries import DataSet, Metric, Summary

FORMULAS = {"overall": T2I, "overall-i2t": I2T}


@dataclass(frozen=True)
class Compared:
    """A scored target, or a system with several seeds. metrics: those that score single images. seeds: the targets of
    a system, in the order of their seeds, () of a target by itself; a system's images are those that all seeds have,
    its scores their means over the seeds.
    """

    name: str
    folder: Path
    metrics: dict[str, Metric]
    images: ImageScores
    summary: Summary
    seeds: tuple[Compared, ...] = ()

    @property
    def data(self) -> DataSet | None:
        """The test set, None where it is not stated."""
        return self.summary.data

    @property
    def modes(self) -> list[str]:
        """The modes that have scores, in the benchmark's order."""
        present = {mode for mode, _ in self.images.scores}
        return [mode for mode in ORDER if mode in present]


class Column(NamedTuple):
    """What is compared: a metric in a mode, or Overall by one of the FORMULAS over modes; of all images or a content
    type's.
    """

    mode: str
    metric: str
    content: str
    modes: tuple[str, ...]


def meant(asked: str, results: Path) -> list[str]:
    """The targets that a name, a folder or a pattern such as 'real*' means. Raises BadInput for a pattern of none."""
    if any(mark in asked for mark in "*?[") and not (results / asked).is_dir() and not Path(asked).is_dir():
        return [folder.name for folder in scored.named(results, [asked])]
    return [asked]


def find(name: str, results: Path) -> Compared:
    """The scored target of that name in `results`, or in that folder. Raises BadInput."""
    folder = results / name if plain_name(name) and (results / name).is_dir() else Path(name)
    if not folder.is_dir():
        hint = did_you_mean(name, [each.name for each in scored.folders(results)])
        raise BadInput(
            f"there is no target {name}: neither {results / name} nor {name} is a folder.{hint} Name another folder of"
            " targets with --results."
        )
    try:
        target = scored.read(folder)
    except Unusable as error:
        raise BadInput(f"{folder / 'summary.json'} {error}. {scored.again(folder)}") from None
    if target.fault:
        raise BadInput(f"{folder / 'scores.csv'} {target.fault}. {scored.again(folder)}")
    single = {metric for _, metric in target.images.scores}
    metrics = {name: each for name, each in target.summary.metrics.items() if name in single}
    return Compared(folder.resolve().name, folder, metrics, target.images, target.summary)


def told_apart(targets: Sequence[Compared]) -> list[Compared]:
    """The targets; those of one name, from different folders, are called by their folders."""
    count = Counter(target.name for target in targets)
    return [replace(each, name=str(each.folder)) if count[each.name] > 1 else each for each in targets]


def by_system(targets: Sequence[Compared], wanted: Sequence[str] = ()) -> tuple[list[Compared], list[str]]:
    """The targets with those of one system, which differ in their seed alone, put together, and what is to be said of
    it. Where all are of one system they are left as they are: it is their seeds that are compared.

    wanted: the metrics that will be compared, none for all. Raises BadInput for seeds that were not scored alike.
    """
    groups = seed_groups(targets)
    first = {id(group.targets[0]): group for group in groups}
    inside = {id(each) for group in groups for each in (*group.targets, *group.copies)}
    sides = [first.get(id(each), each) for each in targets if id(each) in first or id(each) not in inside]
    if len(sides) < 2:
        return list(targets), []
    notes = []
    for group in groups:
        notes.append(
            f"{', '.join(each.name for each in group.targets)} are compared as one, {group.name}, over their"
            f" {len(group.targets)} seeds; --seeds apart compares each by itself"
        )
        if group.copies:
            listed = ", ".join(each.name for each in group.copies)
            notes.append(f"{listed}: of a seed that {group.name} has already, and not compared")
    return [_system(each, wanted) if isinstance(each, SeedGroup) else each for each in sides], notes


def _system(group: SeedGroup, wanted: Sequence[str]) -> Compared:
    """A group as one side of a comparison."""
    first, *others = group.targets
    for other in others:
        check_pair(first, other, wanted)
    names = sorted(set.intersection(*({*each.images.names} for each in group.targets)))
    keys = [key for key in first.images.scores if all(key in other.images.scores for other in others)]
    scores = {
        key: over_seeds(np.stack([each.images.at(names, each.images.scores[key]) for each in group.targets], axis=-1))[
            0
        ]
        for key in keys
    }
    images = ImageScores(names, {name: first.images.truths[name] for name in names}, scores)
    metrics = {name: first.metrics[name] for name in first.metrics if name in {metric for _, metric in keys}}
    return Compared(group.name, first.folder, metrics, images, first.summary, group.targets)


def common_metrics(first: Compared, second: Compared, wanted: Sequence[str]) -> list[str]:
    """The metrics that both have, or of those the wanted ones ("topiq" is the pair). Raises BadInput for one that they
    lack.
    """
    both = [metric for metric in first.metrics if metric in second.metrics]
    both.sort(key=lambda metric: (metric not in OVERALL_METRICS, metric))
    names = [name for each in wanted for name in (OVERALL_METRICS if each == "topiq" else (each,))]
    for name in names:
        if name not in both:
            raise BadInput(
                f"--metrics {name}: not both of {first.name} and {second.name} have scores of it. Both have:"
                f" {', '.join(both) or 'none'}."
            )
    if not both:
        raise BadInput(f"{first.name} and {second.name} have no metric in common. Score both with the same --metrics.")
    return [metric for metric in both if not names or metric in names]


def check_pair(first: Compared, second: Compared, wanted: Sequence[str]) -> None:
    """Raise BadInput where two targets' scores are not made alike: other weights, or another ground truth."""
    if first.data and second.data and first.data.digest != second.data.digest:
        raise BadInput(
            f"{first.name} was scored on {first.data} and {second.name} on {second.data}. Numbers on different test"
            " sets or crops are not compared; score both with the same --gt_path."
        )
    for metric in common_metrics(first, second, wanted):
        about = [target.metrics[metric] for target in (first, second)]
        if len({(each.identity, each.lower_is_better) for each in about}) > 1:
            made = " and ".join(f"{target.name} with {each.identity}" for target, each in zip((first, second), about))
            raise BadInput(
                f"{metric} was made differently: {made}. Score both with the same weights, or choose other --metrics."
            )
    shared = sorted(first.images.truths.keys() & second.images.truths.keys())
    if not shared:
        raise BadInput(
            f"{first.name} and {second.name} have no image in common; images are paired by the ground truth's name."
        )
    other = [name for name in shared if first.images.truths[name] != second.images.truths[name]]
    if other:
        raise BadInput(
            f"{first.name} and {second.name} were scored against different ground truths: {len(other)} of {len(shared)}"
            f" images differ (first: {other[0]}). Score both with the same --gt_path."
        )


def columns_of(
    modes: Iterable[str],
    metrics: Iterable[str],
    types: bool,
    i2t: bool,
    pair: tuple[Compared, Compared],
    notes: list[str],
) -> list[Column]:
    """What two targets can be compared in: of these modes and metrics that which both have of some image. What they
    have no image in common in is added to `notes`.
    """
    modes, metrics = list(modes), list(metrics)
    wanted = [Column(mode, metric, "", (mode,)) for mode in modes for metric in metrics]
    # Overall is made of the modes that have both of its metrics: it must be the same modes for both targets
    whole = [
        mode
        for mode in modes
        if all((mode, metric) in target.images.scores for target in pair for metric in OVERALL_METRICS)
    ]
    if set(OVERALL_METRICS) <= set(metrics) and whole:
        wanted += [Column(", ".join(whole), formula, "", tuple(whole)) for formula in list(FORMULAS)[: 1 + i2t]]
    if types:
        kinds = sorted({content(name)[0] for name in _names(*pair)})
        wanted = [column._replace(content=kind) for kind in ("", *kinds) for column in wanted]
    a, b = (over_seeds(values_of(target, wanted, *pair))[0] for target in pair)
    there = np.isfinite(a - b).any(axis=0)
    missing = {
        column.mode
        for column, found in zip(wanted, there)
        if not found and not column.content and column.metric in metrics
    }
    if missing and there.any():
        notes.append(f"{pair[0].name} and {pair[1].name} have no image in common in {', '.join(sorted(missing))}")
    return [column for column, found in zip(wanted, there) if found]


def _names(first: Compared, second: Compared) -> list[str]:
    return sorted(first.images.truths.keys() & second.images.truths.keys())


def values_of(target: Compared, columns: Sequence[Column], first: Compared, second: Compared) -> np.ndarray:
    """The target's scores of the images that the two have in common, (images, columns, seeds), in the order of names;
    NaN: missing.
    """
    return np.stack([_values(each, columns, first, second) for each in target.seeds or (target,)], axis=-1)


def _values(target: Compared, columns: Sequence[Column], first: Compared, second: Compared) -> np.ndarray:
    names = _names(first, second)
    values = np.full((len(names), len(columns)), np.nan)
    for place, column in enumerate(columns):
        if column.metric in FORMULAS:
            found = target.images.overall(FORMULAS[column.metric], column.modes)
        else:
            found = target.images.scores.get((column.mode, column.metric))
        if found is not None:
            values[:, place] = target.images.at(names, found)
            if column.content:
                values[[content(name)[0] != column.content for name in names], place] = np.nan
    return values
