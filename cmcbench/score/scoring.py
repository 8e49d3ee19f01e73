"""Scoring: the reconstructions of one or more targets against one ground truth, cached by content, resumable.

The work goes image by image through all modes and targets, so that a ground truth is read and encoded once and few
images' pictures are in memory; they are read while the metrics work on those before.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ImageProblem
from ..files.scores import ScoreRow
from ..files.store import only_writer, sweep
from ..runtime.beside import Ahead
from ..runtime.messages import progress
from . import journal
from .digests import Digests
from .ledger import ScoreLedger
from .metrics.base import LeftOut, Metric, SetMetric, checked
from .metrics.pairs import Pair, Pairs
from .pictures import Read, Reading, reading, same_size
from .readiness import Readiness
from .request import ScoreRequest, ScoreResult
from .set_scores import SetWork

MOST_WAITING = 64  # pairs of sizes that do not fill a batch


def score(request: ScoreRequest) -> tuple[list[ScoreResult], list[Metric | SetMetric]]:
    """Score what is not in the targets' scores.csv yet; write scores.csv and summary.json when all is done.

    Returns each target's result, and the metrics that could be made ready; the others are reported by name. With
    several processes each scores its share of the images, and process 0 joins them; the others return ([], []).
    Raises BadInput or RunFailed where no metric can be made ready. However a run ends early, the files of the last one
    stay as they were, and the scores made so far are in the targets' journals.
    """
    ranks = request.ranks
    with ExitStack() as held:
        if ranks.first:
            for target in request.targets:
                held.enter_context(only_writer(target.folder / ".scores.lock", f"scores of {target.folder}"))
                for file in ("scores.csv", "summary.json"):
                    sweep(target.folder, file)
        work = _Scoring(request, held)
        work.prepare()
        work.run()
        found = ranks.collect(work.sets.features(work.readiness.device))
        for failures in ranks.collect(request.report.failures):
            request.report.failures.update(failures)
        if ranks.first:
            work.finish(found)
        ranks.meet()  # torchrun ends the others when one has ended with an error
        return (
            ([ScoreResult(ledger.rows, ledger.sets) for ledger in work.ledgers], work.readiness.ready)
            if ranks.first
            else ([], [])
        )


@dataclass(frozen=True)
class _Lacking:
    """A reconstruction that lacks scores of some metrics (by name). target: its place in the request."""

    target: int
    mode: str
    metrics: frozenset[str]


@dataclass(frozen=True)
class _Scored:
    """A reconstruction to score, read. where: TARGET/MODE, for messages."""

    where: str
    ledger: ScoreLedger
    row: ScoreRow
    pair: Pair
    metrics: frozenset[str]


class _Scoring:
    """One process's share of a request. Process 0 knows what is there and tells the others what lacks scores."""

    def __init__(self, request: ScoreRequest, held: ExitStack) -> None:
        """held: where what is open while the metrics load is closed, however that ends."""
        self.request, self.held = request, held
        self.truth = Digests(request.truth)
        self.ledgers = [
            ScoreLedger(
                target,
                self.truth,
                request.metrics,
                request.ranks,
                request.overwrite,
                request.captions.get(target.name, {}),
            )
            for target in request.targets
        ]
        self.readiness = Readiness(request, self.ledgers)
        self.sets = SetWork(request, self.ledgers)
        self.lacking: dict[str, list[_Lacking]] = {}  # stem -> its reconstructions that lack a score
        self.total = 0  # reconstructions asked for
        self.begun: tuple[list[Path], Ahead[Path, Read]] | None = None  # pictures that are read while metrics load

    def prepare(self) -> None:
        """Take over what still holds, then load metrics. Only when that went well is anything removed."""
        ranks = self.request.ranks
        if ranks.first:
            for ledger in self.ledgers:
                ledger.settle()
            self._find_lacking(self.request.overwrite)
            self._begin()
            self.readiness.load()
            self._find_lacking()  # some metrics may be left out
            if self.request.overwrite:
                for ledger in self.ledgers:
                    journal.replace(ledger.target.folder, [])
        # The others load when process 0 has downloaded what has to be
        self.lacking, wanted = ranks.tell((self.lacking, self.readiness.sets))
        if not ranks.first:
            names = {name for entries in self.lacking.values() for each in entries for name in each.metrics}
            self._begin()
            self.readiness.load_as_told(names, wanted)
        self.sets.wanted = self.readiness.sets

    def _begin(self) -> None:
        """Begin to read this process's share."""
        if paths := self._paths():
            self.begun = paths, self.held.enter_context(reading(paths))

    def _paths(self) -> list[Path]:
        truth, lacking = self.request.truth, self.lacking
        stems = self.request.ranks.share(sorted(lacking))
        return [path for stem in stems for path in (truth[stem], *map(self._path(stem), lacking[stem]))]

    def _find_lacking(self, everything: bool = False) -> None:
        self.lacking, self.total = {}, 0
        for place, ledger in enumerate(self.ledgers):
            for stem, mode in self.readiness.keys(ledger):
                self.total += 1
                row = ledger.rows[stem, mode]
                lacks = ledger.takes if everything else ledger.lacks
                names = frozenset(each.name for each in self.readiness.metrics if lacks(row, each))
                if names:
                    self.lacking.setdefault(stem, []).append(_Lacking(place, mode, names))

    def run(self) -> None:
        """Score this process's share of the images that lack a score."""
        ranks, lacking = self.request.ranks, self.lacking
        stems = ranks.share(sorted(lacking))
        if not stems:
            return
        mine = sum(len(lacking[stem]) for stem in stems)
        total = mine if ranks.size > 1 else self.total
        if self.begun is None or self.begun[0] != self._paths():
            self._begin()
        assert self.begun is not None
        with progress(total, total - mine, "scores") as bar, self.begun[1] as pictures:
            waiting = _Waiting(self)
            for stem in stems:
                truth, *made = pictures.take(1 + len(lacking[stem]))
                waiting.add(self._read(stem, lacking[stem], truth, made))
                bar.update(len(lacking[stem]))
            waiting.end()
        for ledger in self.ledgers:
            ledger.journal.close()

    def _path(self, stem: str) -> Callable[[_Lacking], Path]:
        return lambda each: self.ledgers[each.target].target.modes[each.mode][stem]

    def finish(self, found: list[Any]) -> None:
        """Measure whole sets from what all processes found, then write every target's scores and summary."""
        self.sets.measure(found)
        for ledger in self.ledgers:
            ledger.finish(self.request.i2t_table)

    def _read(self, stem: str, entries: list[_Lacking], truth: Reading, made: list[Reading]) -> list[_Scored]:
        """The pairs of one ground truth that can be scored. A failure is reported and leaves its scores out."""
        path, future = truth
        report = self.request.report
        try:
            of = future.result()
        except ImageProblem as error:
            report.fail(stem, f"ground truth {error}")
            return []
        report.converted(path.name, of.note)
        found: list[_Scored] = []
        for each, (path, future) in zip(entries, made, strict=True):
            ledger = self.ledgers[each.target]
            where = f"{ledger.target.folder.name}/{each.mode}"
            try:
                picture = future.result()
                report.converted(f"{where}/{path.name}", picture.note)
                same_size(path, picture, of)
            except ImageProblem as error:
                report.fail(f"{where}/{stem}", f"{where}/{error}")
                continue
            row = self._row(ledger, stem, each, of, picture)
            pair = Pair(of.picture, picture.picture, ledger.caption(row))
            found.append(_Scored(where, ledger, row, pair, each.metrics))
        return found

    def _row(self, ledger: ScoreLedger, stem: str, each: _Lacking, truth: Read, made: Read) -> ScoreRow:
        """The row of a reconstruction that was read; a process other than 0 knows no more of it than that."""
        row = ledger.rows.get((stem, each.mode))
        if row is None:
            return ScoreRow(self.request.truth[stem].name, each.mode, truth.seen, made.seen)
        ledger.identify(row, truth.seen, made.seen)
        return row

    def score(self, scored: list[_Scored], at_once: int | None) -> None:
        """Enter the scores of pairs of one size."""
        made: dict[tuple[int, ...], Pairs] = {}  # those of metrics that lack the same pairs are on the device once
        for metric in self.readiness.metrics:
            lacking = [each for each in scored if metric.name in each.metrics]
            key = tuple(map(id, lacking))
            if lacking:
                made.setdefault(key, Pairs([each.pair for each in lacking], at_once))
                self._metric(metric, made[key], lacking)

    def _metric(self, metric: Metric, pairs: Pairs, scored: list[_Scored]) -> None:
        """Enter a metric's scores. Where they fail together, each is tried by itself."""
        try:
            scores = metric.score_pairs(pairs)
            values = [checked(value, metric) for _, value in zip(scored, scores, strict=True)]
        except (ImageProblem, LeftOut) as error:
            if len(scored) > 1:
                for each in scored:
                    self._metric(metric, Pairs([each.pair], pairs.at_once), [each])
                return
            where, name = scored[0].where, scored[0].row.name
            if isinstance(error, LeftOut):
                note = f"note: {metric.name} leaves {name} out: {error}; the same holds for every such picture."
                self.request.report.once(f"{metric.name} left out", note)
                return
            self.request.report.fail(f"{metric.name}/{where}/{name}", f"{where}/{name}: {error}")
            return
        for each, value in zip(scored, values, strict=True):
            each.ledger.enter(each.row, metric, value)


class _Waiting:
    """Pairs that are read and not scored yet, by size: a device takes several ground truths' at once."""

    def __init__(self, work: _Scoring) -> None:
        self.work = work
        self.by_size: dict[tuple[int, int], list[_Scored]] = {}

    def add(self, scored: list[_Scored]) -> None:
        """Add the pairs of one ground truth; score what is enough for the device."""
        if not scored:
            return
        size = scored[0].pair.truth.image.size
        at_once = self.work.readiness.at_once(size)
        here = self.by_size.setdefault(size, [])
        here += scored
        while at_once is not None and len(here) >= at_once:
            self.work.score(here[:at_once], at_once)
            del here[:at_once]
        if at_once is None or sum(map(len, self.by_size.values())) > MOST_WAITING:
            self.end()

    def end(self) -> None:
        """Score what is left."""
        for size, here in self.by_size.items():
            if here:
                self.work.score(here, self.work.readiness.at_once(size))
        self.by_size.clear()
