"""Measures of whole sets (FID): of each mode of a target against its ground truths, cached by the digests of all
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
from .metrics.base import AtOnce, SetMetric
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
    reconstruction. features: (metric, stem, target, mode) -> (k, d).
    """

    digests: dict[tuple[str, Key], tuple[str, str]] = field(default_factory=dict)
    features: dict[tuple[str, str, Key], np.ndarray] = field(default_factory=dict)


class SetWork:
    """The measures of a request that are missing (`wanted`)."""

    def __init__(self, request: ScoreRequest, ledgers: Sequence[ScoreLedger]) -> None:
        self.request, self.ledgers = request, ledgers
        self.wanted: list[Missing] = []
        self.metrics = {metric.name: metric for metric in request.metrics if isinstance(metric, SetMetric)}

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
        embedded = _Embedded(self.metrics, found, inputs)
        names = list(dict.fromkeys(work.metric for work in self.wanted))

        def make(picture: Picture) -> dict[str, Any]:
            return {name: self.metrics[name].prepare(picture.image) for name in names}

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
        try:
            picture = future.result()
            same_size(path, picture, truth)
        except ImageProblem as error:
            where = Missing("", *key).where(self.ledgers)
            self._fail(f"{where}/{stem}", f"{where}/{error}")
            return
        embedded.found.digests[stem, key] = truth.seen, picture.seen
        embedded.add(stem, key, {name: picture.made[name] for name in names})

    def measure(self, found: list[Found]) -> None:
        """Process 0: enter the measures, from what all processes found."""
        import numpy as np

        features = {key: each for part in found for key, each in part.features.items()}
        for (stem, (target, mode)), seen in ((key, seen) for part in found for key, seen in part.digests.items()):
            self.ledgers[target].identify(self.ledgers[target].rows[stem, mode], *seen)
        for work in self.wanted:
            metric, where, key = self.metrics[work.metric], work.where(self.ledgers), (work.target, work.mode)
            stems = [stem for stem in work.pairs(self.ledgers) if (work.metric, stem, key) in features]
            if len(stems) < metric.smallest:
                reason = f"{metric.name} of {where}: only {len(stems)} images can be used"
                self.request.report.fail(f"{metric.name}/{where}", reason)
                continue
            sides = (np.stack([features[work.metric, stem, side] for stem in stems]) for side in (TRUTH, key))
            value = metric.measure(*sides)
            if not np.isfinite(value):
                raise RunFailed(f"{metric.name} gives {value}, which is no measure")
            self.ledgers[work.target].enter_set(work.mode, metric, float(value), len(stems))
            if metric.caution(len(stems)):
                self.request.report.once(metric.name, f"note: {metric.caution(len(stems))}")

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


class _Embedded:
    """Inputs of the networks that wait for a full batch, and the features of those that had theirs."""

    def __init__(self, metrics: dict[str, SetMetric], found: Found, inputs: int) -> None:
        """inputs: that a network gets at once, or those of one picture where that has more."""
        self.metrics, self.found, self.inputs = metrics, found, inputs
        self.waiting: dict[str, list[tuple[str, Key, np.ndarray]]] = {}
        self.at_once = {name: AtOnce() for name in metrics}

    def add(self, stem: str, key: Key, inputs: dict[str, np.ndarray]) -> None:
        for name, each in inputs.items():
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
            return list(self.metrics[name].embed(inputs[places[0] : places[-1] + 1]))

        rows = self.at_once[name].each(embed, range(len(inputs)), max(self.inputs, len(here[0][2])))
        place = 0
        for stem, key, each in here:
            self.found.features[name, stem, key] = np.stack(rows[place : place + len(each)])
            place += len(each)
