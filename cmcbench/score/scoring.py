"""Scoring: the reconstructions of one or more targets against one ground truth, cached by content, resumable.

The work goes image by image through all modes and targets, so that a ground truth is read and encoded once and only one
image's pictures are in memory.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..errors import BadInput, ImageProblem, RunFailed
from ..files.images import read_rgb
from ..files.scores import ScoreRow
from ..files.store import only_writer, sweep
from ..runtime.devices import resolve_device
from ..runtime.messages import progress
from .ledger import ScoreLedger, digests
from .metrics.base import Metric, SetMetric, checked
from .request import ScoreRequest, ScoreResult
from .set_scores import Missing, measure, missing, refused


def score(request: ScoreRequest) -> tuple[list[ScoreResult], list[Metric | SetMetric]]:
    """Score what is not in the targets' scores.csv yet; write scores.csv and summary.json.

    Returns each target's result, and the metrics that could be made ready; the others are reported by name. With
    several processes each scores its share of the images, and process 0 joins them; the others return ([], []).
    Raises BadInput or RunFailed where no metric can be made ready.
    """
    ranks = request.ranks
    with ExitStack() as locks:
        if ranks.first:
            for target in request.targets:
                locks.enter_context(only_writer(target.folder / ".scores.lock", f"scores of {target.folder}"))
                for file in ("scores.csv", "summary.json", ".scores.part"):
                    sweep(target.folder, file)
        work = _Scoring(request)
        if ranks.first:
            work.prepare(request.overwrite)
        ranks.meet()
        if not ranks.first:
            work.prepare(False)  # process 0 has taken away what is made anew, and downloaded what has to be
        try:
            work.run()
        except BaseException:
            work.save()  # an interrupted run goes on from here
            raise
        if not ranks.first:
            work.save()
        for failures in ranks.collect(request.report.failures):
            request.report.failures.update(failures)
        if ranks.first:
            work.finish()
        ranks.meet()  # torchrun ends the others when one has ended with an error
        return (
            ([ScoreResult(ledger.rows, ledger.sets) for ledger in work.ledgers], work.ready)
            if ranks.first
            else ([], [])
        )


class _Scoring:
    def __init__(self, request: ScoreRequest) -> None:
        self.request = request
        seen = digests(request.truth)
        self.metrics = [metric for metric in request.metrics if isinstance(metric, Metric)]
        self.measures = [metric for metric in request.metrics if isinstance(metric, SetMetric)]
        self.ledgers = [
            ScoreLedger(target, request.truth, seen, self.metrics, request.ranks, self.measures)
            for target in request.targets
        ]
        self.sets: list[Missing] = []  # what is to be measured of whole sets, by process 0

    @property
    def ready(self) -> list[Metric | SetMetric]:
        """The metrics that can be used, in the order asked for."""
        return [metric for metric in self.request.metrics if metric in self.metrics or metric in self.measures]

    def finish(self) -> None:
        for ledger in self.ledgers:
            if self.request.ranks.size > 1:
                ledger.join_parts()
        try:
            measure(self.sets, self.request.truth, self.request.report)
        except BaseException:
            self.save()
            raise
        for ledger in self.ledgers:
            ledger.finish(self.request.i2t_table)

    def _keys(self, ledger: ScoreLedger) -> list[tuple[str, str]]:
        """(stem, mode) of what this run was asked to score of a target."""
        modes = self.request.modes[ledger.target.name]
        paired = ledger.target.modes
        return [(stem, mode) for stem in self.request.chosen for mode in modes if stem in paired[mode]]

    def prepare(self, anew: bool) -> None:
        """Take over what still holds, load metrics, then take away what is made anew: nothing of a metric that is not
        here.
        """
        for ledger in self.ledgers:
            ledger.settle()
        self.make_ready(anew)
        if anew:
            for ledger in self.ledgers:
                ledger.forget(self._keys(ledger), [metric.name for metric in self.ready])

    def save(self) -> None:
        for ledger in self.ledgers:
            ledger.save()

    def run(self) -> None:
        total, lacking = 0, {}  # stem -> the rows that lack a score, with where their pictures are
        for ledger in self.ledgers:
            for stem, mode in self._keys(ledger):
                total += 1
                if self._lacking(ledger.rows[stem, mode]):
                    lacking.setdefault(stem, []).append((ledger, ledger.rows[stem, mode]))
        stems = self.request.ranks.share(sorted(lacking))
        if not stems:
            return
        done = total - sum(len(entries) for entries in lacking.values())
        if self.request.ranks.size > 1:
            total, done = sum(len(lacking[stem]) for stem in stems), 0
        with progress(total, done, "scores") as bar:
            for stem in stems:
                self._image(stem, lacking[stem])
                bar.update(len(lacking[stem]))
                for ledger in self.ledgers:
                    ledger.save_now_and_then()

    def _lacking(self, row: ScoreRow) -> list[Metric]:
        return [metric for metric in self.metrics if metric.name not in row.scores]

    def make_ready(self, anew: bool) -> None:
        """Load the metrics that something lacks, or all where they are made anew.

        What this machine cannot run is reported by name and left out. Raises RunFailed where nothing is left, BadInput
        for a file that is there and damaged, which its user would want to mend before hours of scoring.
        """
        rows = [ledger.rows[key] for ledger in self.ledgers for key in self._keys(ledger)]
        needed: list[Metric | SetMetric] = []
        needed += [metric for metric in self.metrics if anew or any(metric in self._lacking(row) for row in rows)]
        problems: dict[str, BadInput | RunFailed] = {}
        if self.request.ranks.first:
            problems.update(self._choose_sets(anew))
            needed += [metric for metric in self.measures if any(work.metric is metric for work in self.sets)]
        device = self.request.ranks.device(resolve_device(self.request.device)) if needed else ""
        for metric in needed:
            try:
                metric.load(device)
            except RunFailed as error:
                problems[metric.name] = error
        self._leave_out(problems)
        for metric in self.metrics:
            for ledger in self.ledgers:
                if metric in needed:
                    ledger.describe(metric)

    def _choose_sets(self, anew: bool) -> dict[str, BadInput]:
        """Note what is to be measured of whole sets. Returns why, of a measure that makes no sense for any of them."""
        problems: dict[str, BadInput] = {}
        wanted = missing(self.ledgers, self.measures, self.request.modes, anew)
        reasons = {id(work): refused(work, set(self.request.chosen)) for work in wanted}
        self.sets = [work for work in wanted if not reasons[id(work)]]
        for work in wanted:
            name, reason = work.metric.name, reasons[id(work)]
            if reason and (any(each.metric is work.metric for each in self.sets) or self._has_sets(name)):
                self.request.report.fail(f"{name}/{work.where}", reason)
            elif reason:
                problems.setdefault(name, BadInput(f"{reason}."))
        return problems

    def _has_sets(self, name: str) -> bool:
        """Whether some mode has the measure already."""
        return any(name in measures for ledger in self.ledgers for measures in ledger.sets.values())

    def _leave_out(self, problems: dict[str, BadInput | RunFailed]) -> None:
        self.metrics = [metric for metric in self.metrics if metric.name not in problems]
        self.measures = [metric for metric in self.measures if metric.name not in problems]
        self.sets = [work for work in self.sets if work.metric.name not in problems]
        if problems and not self.ready:
            raise next(iter(problems.values()))
        for name, error in problems.items():
            if self.request.ranks.first:
                self.request.report.fail(f"metric {name}", f"{str(error).rstrip('.')}. It is left out.")
            else:
                self.request.report.fail_all([(f"metric {name}", str(error))])

    def _image(self, stem: str, entries: list[tuple[ScoreLedger, ScoreRow]]) -> None:
        """Score the reconstructions of one ground truth. A failure is reported and leaves its scores out."""
        path = self.request.truth[stem]
        try:
            truth, note = read_rgb(path)
        except ImageProblem as error:
            self.request.report.fail(stem, f"ground truth {error}")
            return
        self.request.report.converted(path.name, note)
        pictures: list[tuple[str, ScoreRow, Any]] = []
        for ledger, row in entries:
            where = f"{ledger.target.folder.name}/{row.mode}"
            try:
                pictures.append((where, row, self._picture(ledger.target.modes[row.mode][stem], where, truth)))
            except ImageProblem as error:
                self.request.report.fail(f"{where}/{stem}", f"{where}/{error}")
        for metric in self.metrics:
            self._metric(metric, truth, [each for each in pictures if metric.name not in each[1].scores])

    def _picture(self, path: Path, where: str, truth: Any) -> Any:
        picture, note = read_rgb(path)
        self.request.report.converted(f"{where}/{path.name}", note)
        if picture.size != truth.size:
            raise ImageProblem(
                f"{path.name}: is {picture.width}x{picture.height} and its ground truth {truth.width}x{truth.height}"
            )
        return picture

    def _metric(self, metric: Metric, truth: Any, pictures: list[tuple[str, ScoreRow, Any]]) -> None:
        """Enter a metric's scores of one ground truth's pictures. Where they fail together, each is tried by itself."""
        if not pictures:
            return
        try:
            scores = metric.score(truth, [picture for *_, picture in pictures])
            for (*_, row, _), value in zip(pictures, scores):
                row.scores[metric.name] = checked(value, metric)
        except ImageProblem as error:
            for _, row, _ in pictures:
                row.scores.pop(metric.name, None)
            if len(pictures) > 1:
                for each in pictures:
                    self._metric(metric, truth, [each])
                return
            where, row, _ = pictures[0]
            self.request.report.fail(f"{metric.name}/{where}/{row.name}", f"{where}/{row.name}: {error}")
