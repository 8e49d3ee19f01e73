"""Measures of whole sets (FID, KID): of each mode of a target against its ground truths, cached by the digests of all
pictures.

Every process embeds its share of the images, in batches, and process 0 measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImageProblem, RunFailed
from ..runtime.messages import progress
from .ledger import ScoreLedger
from .metrics.base import AtOnce, Features, SetMetric
from .metrics.pairs import Picture
from .pictures import Read, reading, same_size
from .request import ScoreRequest

if TYPE_CHECKING:
    import numpy as np

INPUTS = 32  # of a network at once on an accelerator; on a CPU those of one picture


@dataclass(frozen=True)
class Missing:
    """A measure (by name) that a mode of a target lacks. target: its place in the request."""

    metric: str
    target: int
    mode: str

    def where(self, ledgers: Sequence[ScoreLedger]) -> str:
        return f"{ledgers[self.target].target.folder.name}/{self.mode}"

    def pairs(self, ledgers: Sequence[ScoreLedger]) -> list[str]:
        """The stems of the mode's pictures that have a ground truth."""
        return sorted(stem for stem, mode in ledgers[self.target].rows if mode == self.mode)


def missing(
    ledgers: Sequence[ScoreLedger], measures: list[SetMetric], modes: dict[str, list[str]], everything: bool
) -> list[Missing]:
    """What is still to be measured of the modes asked for (target -> modes), or all of it."""
    return [
        Missing(metric.name, place, mode)
        for metric in measures
        for place, ledger in enumerate(ledgers)
        for mode in modes[ledger.target.name]
        if everything or metric.name not in ledger.sets.get(mode, {})
    ]


def refused(work: Missing, ledgers: Sequence[ScoreLedger], smallest: int, chosen: set[str]) -> str:
    """Why a measure makes no sense here, "" where it does. smallest: images that it needs. chosen: the stems that the
    run was asked to score.
    """
    pairs = work.pairs(ledgers)
    if not chosen >= set(pairs):
        reason = "so it is not made with --images, --subset or a part of the ground truth"
        return f"{work.metric} is a measure of the whole set, {reason}"
    if len(pairs) < smallest:
        least = f"{work.metric} needs {smallest} images or more to tell anything"
        return f"{least}, and {work.where(ledgers)} has {len(pairs)}"
    return ""


Key = tuple[int, str]  # (target, mode) of a reconstruction; TRUTH of a ground truth
TRUTH: Key = (-1, "")


@dataclass
class Found:
    """What one process found of its images. digests: (stem, target, mode) -> those of the ground truth and the
    reconstruction. features: (key of the features, stem, target, mode) -> (k, d).
    """

    digests: dict[tuple[str, Key], tuple[str, str]] = field(default_factory=dict)
    features: dict[tuple[str, str, Key], np.ndarray] = field(default_factory=dict)


class SetWork:
    """The measures of a request that are missing (`wanted`)."""

    def __init__(self, request: ScoreRequest, ledgers: Sequence[ScoreLedger]) -> None:
        self.request, self.ledgers = request, ledgers
        self.wanted: list[Missing] = []
        self.metrics = {each.name: each for each in request.metrics if isinstance(each, SetMetric)}

    def features(self, device: str) -> Found:
        """Features of this process's share of the images: of their ground truths and of all reconstructions.

        device: where the metrics are.
        """
        found = Found()
        metrics = {
            key: [work.metric for work in self.wanted if (work.target, work.mode) == key] for key in self._keys()
        }
        images = {key: self._images(key) for key in metrics}
        stems = self.request.ranks.share(sorted(set().union(*images.values())))
        plan = {stem: [key for key in metrics if stem in images[key]] for stem in stems}
        if not plan:
            return found
        inputs = self.request.batch_size or (1 if device == "cpu" else INPUTS)
        names = self._names()
        networks = {self.metrics[name].features.key: self.metrics[name].features for name in names}
        embedded = _Embedded(networks, found, inputs)

        def make(picture: Picture) -> dict[str, Any]:
            return {key: _prepared(network, picture) for key, network in networks.items()}

        paths = [
            path
            for stem in stems
            for path in (self.request.truth[stem], *(self._path(key, stem) for key in plan[stem]))
        ]
        with progress(len(paths), 0, ", ".join(names), "picture") as bar, reading(paths, make) as pictures:
            for stem, keys in plan.items():
                (path, truth), *made = pictures.take(1 + len(keys))
                try:
                    of = truth.result()
                except ImageProblem as error:
                    self._fail(stem, f"ground truth {error}")
                else:
                    self.request.report.converted(path.name, of.note)
                    self._tell_unfit(stem, of.made)
                    embedded.add(stem, TRUTH, of.made)
                    for key, (path, future) in zip(keys, made, strict=True):
                        self._reconstruction(stem, key, path, future, of, metrics[key], embedded)
                bar.update(1 + len(keys))
            embedded.end()
        return found

    def _reconstruction(
        self,
        stem: str,
        key: Key,
        path: Path,
        future: Future[Read],
        truth: Read,
        names: list[str],
        embedded: _Embedded,
    ) -> None:
        where = Missing("", *key).where(self.ledgers)
        try:
            picture = future.result()
            same_size(path, picture, truth)
        except ImageProblem as error:
            self._fail(f"{where}/{stem}", f"{where}/{error}")
            return
        self.request.report.converted(f"{where}/{path.name}", picture.note)
        embedded.found.digests[stem, key] = truth.seen, picture.seen
        wanted = dict.fromkeys(self.metrics[name].features.key for name in names)
        embedded.add(stem, key, {features: picture.made[features] for features in wanted})

    def _tell_unfit(self, stem: str, made: dict[str, Any]) -> None:
        """Report a picture that some networks do not take; its reconstructions are of the same size."""
        for key, problem in made.items():
            if isinstance(problem, ImageProblem):
                names = [name for name in self._names() if self.metrics[name].features.key == key]
                self._fail(f"{', '.join(names)}/{stem}", f"{', '.join(names)}: {stem} {problem}")

    def _names(self) -> list[str]:
        return list(dict.fromkeys(work.metric for work in self.wanted))

    def measure(self, found: list[Found]) -> None:
        """Process 0: enter the measures, from what all processes found."""
        import numpy as np

        features = {key: each for part in found for key, each in part.features.items()}
        for (stem, (target, mode)), seen in ((key, seen) for part in found for key, seen in part.digests.items()):
            self.ledgers[target].identify(self.ledgers[target].rows[stem, mode], *seen)
        for work in self.wanted:
            metric, where, key = self.metrics[work.metric], work.where(self.ledgers), (work.target, work.mode)
            kind = metric.features.key
            stems = [
                stem
                for stem in work.pairs(self.ledgers)
                if (kind, stem, key) in features and (kind, stem, TRUTH) in features
            ]
            if len(stems) < metric.smallest:
                reason = f"{metric.name} of {where}: only {len(stems)} images can be used, {metric.smallest} are needed"
                self.request.report.fail(f"{metric.name}/{where}", reason)
                continue
            sides = [[features[kind, stem, side] for stem in stems] for side in (TRUTH, key)]
            try:
                found_here = metric.measure(*sides)
            except ImageProblem as error:
                self.request.report.fail(f"{metric.name}/{where}", f"{metric.name} of {where}: {error}")
                continue
            if not np.isfinite([found_here.value, found_here.low or 0.0, found_here.high or 0.0]).all():
                raise RunFailed(f"{metric.name} gives {found_here.value}, which is no measure")
            self.ledgers[work.target].enter_set(work.mode, metric, found_here, len(stems))
            caution = metric.caution(len(stems), sum(map(len, sides[0])))
            if caution:
                self.request.report.once(metric.name, f"note: {caution}")

    def _keys(self) -> list[Key]:
        return list(dict.fromkeys((work.target, work.mode) for work in self.wanted))

    def _images(self, key: Key) -> set[str]:
        """The stems of a mode's pictures that have a ground truth."""
        return self.ledgers[key[0]].target.modes[key[1]].keys() & self.request.truth.keys()

    def _path(self, key: Key, stem: str) -> Path:
        return self.ledgers[key[0]].target.modes[key[1]][stem]

    def _fail(self, name: str, reason: str) -> None:
        if name not in self.request.report.failures:  # scoring it by itself has said so
            self.request.report.fail(name, reason)


def _prepared(network: Features, picture: Picture) -> np.ndarray | ImageProblem:
    """What a network takes of a picture, or why it takes nothing: other networks may take it."""
    try:
        return network.prepare(picture.image)
    except ImageProblem as error:
        return error


class _Embedded:
    """Inputs of the networks that wait for a full batch, and the features of those that had theirs."""

    def __init__(self, networks: dict[str, Features], found: Found, inputs: int) -> None:
        """networks: by the key of their features. inputs: that a network gets at once, or those of one picture where
        that has more, INPUTS at the most.
        """
        self.networks, self.found, self.inputs = networks, found, inputs
        self.waiting: dict[str, list[tuple[str, Key, np.ndarray]]] = {}
        self.at_once = {name: AtOnce() for name in networks}

    def add(self, stem: str, key: Key, inputs: dict[str, Any]) -> None:
        for name, each in inputs.items():
            if isinstance(each, ImageProblem):
                continue
            here = self.waiting.setdefault(name, [])
            here.append((stem, key, each))
            if sum(len(each) for _, _, each in here) >= self.inputs:
                self._embed(name)

    def end(self) -> None:
        for name in list(self.waiting):
            self._embed(name)

    def _embed(self, name: str) -> None:
        import numpy as np

        here = self.waiting.pop(name)
        inputs = np.concatenate([each for _, _, each in here])

        def embed(places: Sequence[int]) -> list[np.ndarray]:
            return list(self.networks[name].embed(inputs[places[0] : places[-1] + 1]))

        rows = self.at_once[name].each(embed, range(len(inputs)), max(self.inputs, min(len(here[0][2]), INPUTS)))
        place = 0
        for stem, key, each in here:
            self.found.features[name, stem, key] = np.stack(rows[place : place + len(each)])
            place += len(each)
