"""Scoring: the reconstructions of one or more targets against one ground truth, cached by content, resumable.

The work goes image by image through all modes and targets, so that a ground truth is read and encoded once and only one
image's pictures are in memory.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageProblem
from ..files.images import read_rgb
from ..files.scores import ScoreRow
from ..files.store import only_writer, sweep
from ..runtime.messages import progress
from . import journal
from .ledger import ScoreLedger, digests
from .metrics.base import Metric, SetMetric, checked
from .readiness import Readiness
from .request import ScoreRequest, ScoreResult
from .set_scores import measure

if TYPE_CHECKING:
    from PIL import Image


def score(request: ScoreRequest) -> tuple[list[ScoreResult], list[Metric | SetMetric]]:
    """Score what is not in the targets' scores.csv yet; write scores.csv and summary.json when all is done.

    Returns each target's result, and the metrics that could be made ready; the others are reported by name. With
    several processes each scores its share of the images, and process 0 joins them; the others return ([], []).
    Raises BadInput or RunFailed where no metric can be made ready. However a run ends early, the files of the last one
    stay as they were, and the scores made so far are in the targets' journals.
    """
    ranks = request.ranks
    with ExitStack() as locks:
        if ranks.first:
            for target in request.targets:
                locks.enter_context(only_writer(target.folder / ".scores.lock", f"scores of {target.folder}"))
                for file in ("scores.csv", "summary.json"):
                    sweep(target.folder, file)
        work = _Scoring(request)
        if ranks.first:
            work.prepare()
        ranks.meet()
        if not ranks.first:
            work.prepare()  # process 0 has downloaded what has to be, and removed the journals with --overwrite
        work.run()
        for failures in ranks.collect(request.report.failures):
            request.report.failures.update(failures)
        if ranks.first:
            work.finish()
        ranks.meet()  # torchrun ends the others when one has ended with an error
        return (
            ([ScoreResult(ledger.rows, ledger.sets) for ledger in work.ledgers], work.readiness.ready)
            if ranks.first
            else ([], [])
        )


@dataclass(frozen=True)
class _Picture:
    """A reconstruction to score. where: TARGET/MODE, for messages."""

    where: str
    ledger: ScoreLedger
    row: ScoreRow
    picture: Image.Image


class _Scoring:
    """One process's share of a request, image by image."""

    def __init__(self, request: ScoreRequest) -> None:
        self.request = request
        seen = digests(request.truth)
        self.ledgers = [
            ScoreLedger(target, request.truth, seen, request.metrics, request.ranks, request.overwrite)
            for target in request.targets
        ]
        self.readiness = Readiness(request, self.ledgers)

    def prepare(self) -> None:
        """Take over what still holds, then load metrics. Only when that went well is anything removed."""
        for ledger in self.ledgers:
            ledger.settle()
        self.readiness.load()
        if self.request.overwrite and self.request.ranks.first:
            for ledger in self.ledgers:
                journal.replace(ledger.target.folder, [])

    def run(self) -> None:
        """Score this process's share of the images that lack a score."""
        total = 0
        lacking: dict[str, list[tuple[ScoreLedger, ScoreRow]]] = {}  # stem -> the rows that lack a score
        for ledger in self.ledgers:
            for stem, mode in self.readiness.keys(ledger):
                total += 1
                row = ledger.rows[stem, mode]
                if any(ledger.lacks(row, metric) for metric in self.readiness.metrics):
                    lacking.setdefault(stem, []).append((ledger, row))
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
            ledger.journal.close()

    def finish(self) -> None:
        """Measure whole sets, then write every target's scores and summary."""
        measure(self.readiness.sets, self.request.truth, self.request.report)
        for ledger in self.ledgers:
            ledger.finish(self.request.i2t_table)

    def _image(self, stem: str, entries: list[tuple[ScoreLedger, ScoreRow]]) -> None:
        """Score the reconstructions of one ground truth. A failure is reported and leaves its scores out."""
        path = self.request.truth[stem]
        try:
            truth, note = read_rgb(path)
        except ImageProblem as error:
            self.request.report.fail(stem, f"ground truth {error}")
            return
        self.request.report.converted(path.name, note)
        pictures: list[_Picture] = []
        for ledger, row in entries:
            where = f"{ledger.target.folder.name}/{row.mode}"
            try:
                picture = self._picture(ledger.target.modes[row.mode][stem], where, truth)
                pictures.append(_Picture(where, ledger, row, picture))
            except ImageProblem as error:
                self.request.report.fail(f"{where}/{stem}", f"{where}/{error}")
        for metric in self.readiness.metrics:
            self._metric(metric, truth, [each for each in pictures if each.ledger.lacks(each.row, metric)])

    def _picture(self, path: Path, where: str, truth: Image.Image) -> Image.Image:
        picture, note = read_rgb(path)
        self.request.report.converted(f"{where}/{path.name}", note)
        if picture.size != truth.size:
            raise ImageProblem(
                f"{path.name}: is {picture.width}x{picture.height} and its ground truth {truth.width}x{truth.height}"
            )
        return picture

    def _metric(self, metric: Metric, truth: Image.Image, pictures: list[_Picture]) -> None:
        """Enter a metric's scores of one ground truth's pictures. Where they fail together, each is tried by itself."""
        if not pictures:
            return
        try:
            scores = metric.score(truth, [each.picture for each in pictures])
            values = [checked(value, metric) for _, value in zip(pictures, scores, strict=True)]
        except ImageProblem as error:
            if len(pictures) > 1:
                for each in pictures:
                    self._metric(metric, truth, [each])
                return
            where, name = pictures[0].where, pictures[0].row.name
            self.request.report.fail(f"{metric.name}/{where}/{name}", f"{where}/{name}: {error}")
            return
        for each, value in zip(pictures, values, strict=True):
            each.ledger.enter(each.row, metric, value)
