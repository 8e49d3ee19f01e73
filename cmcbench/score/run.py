"""Scoring: the reconstructions of one or more targets against one ground truth, cached by content, resumable.

The work goes image by image through all modes and targets, so that a ground truth is read and encoded once and only one
image's pictures are in memory.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..dataset import read_rgb
from ..errors import ImageProblem
from ..options import resolve_device
from ..ranks import Ranks
from ..report import Report, progress
from ..store import only_writer, sweep
from .ledger import Ledger, digests
from .metrics import Metric, checked
from .table import Row, Table
from .target import Target


@dataclass
class Request:
    """truth: stem -> path of the whole ground truth. chosen: the stems to score. modes: target name -> modes to score."""

    targets: list[Target]
    truth: dict[str, Path]
    chosen: list[str]
    modes: dict[str, list[str]]
    metrics: list[Metric]
    device: str
    overwrite: bool
    i2t_table: bool
    ranks: Ranks = Ranks()
    report: Report = field(default_factory=Report)


def score(request: Request) -> list[Table]:
    """Score what is not in the targets' scores.csv yet; write scores.csv and summary.json. Returns each target's table.

    With several processes each scores its share of the images, and process 0 joins them; the others return [].
    """
    ranks = request.ranks
    with ExitStack() as locks:
        if ranks.first:
            for target in request.targets:
                locks.enter_context(only_writer(target.folder / ".scores.lock", f"scores of {target.folder}"))
                for file in ("scores.csv", "summary.json", ".scores.part"):
                    sweep(target.folder, file)
        work = _Work(request)
        if ranks.first:
            work.settle(request.overwrite)
        ranks.meet()
        if not ranks.first:
            work.settle(False)  # process 0 has taken away what is made anew
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
        return [ledger.rows for ledger in work.ledgers] if ranks.first else []


class _Work:
    def __init__(self, request: Request) -> None:
        self.request = request
        seen = digests(request.truth)
        self.ledgers = [
            Ledger(target, request.truth, seen, request.metrics, request.ranks) for target in request.targets
        ]

    def finish(self) -> None:
        for ledger in self.ledgers:
            if self.request.ranks.size > 1:
                ledger.join_parts()
            ledger.finish(self.request.i2t_table)

    def _keys(self, ledger: Ledger) -> list[tuple[str, str]]:
        """(stem, mode) of what this run was asked to score of a target."""
        modes = self.request.modes[ledger.target.name]
        paired = ledger.target.modes
        return [(stem, mode) for stem in self.request.chosen for mode in modes if stem in paired[mode]]

    def settle(self, anew: bool) -> None:
        for ledger in self.ledgers:
            ledger.settle(self._keys(ledger) if anew else ())

    def save(self) -> None:
        for ledger in self.ledgers:
            ledger.save()

    def run(self) -> None:
        total, missing = 0, {}  # stem -> the rows that lack a score, with where their pictures are
        for ledger in self.ledgers:
            for stem, mode in self._keys(ledger):
                total += 1
                if any(metric.name not in ledger.rows[stem, mode].scores for metric in self.request.metrics):
                    missing.setdefault(stem, []).append((ledger, ledger.rows[stem, mode]))
        stems = self.request.ranks.share(sorted(missing))
        if not stems:
            return
        self._load([row for entries in missing.values() for _, row in entries])
        done = total - sum(len(entries) for entries in missing.values())
        if self.request.ranks.size > 1:
            total, done = sum(len(missing[stem]) for stem in stems), 0
        with progress(total, done, "scores") as bar:
            for stem in stems:
                self._image(stem, missing[stem])
                bar.update(len(missing[stem]))
                for ledger in self.ledgers:
                    ledger.save_now_and_then()

    def _load(self, rows: list[Row]) -> None:
        """Make ready the metrics that a row lacks."""
        device = self.request.ranks.device(resolve_device(self.request.device))
        for metric in self.request.metrics:
            if any(metric.name not in row.scores for row in rows):
                metric.load(device)
                for ledger in self.ledgers:
                    ledger.describe(metric)

    def _image(self, stem: str, entries: list[tuple[Ledger, Row]]) -> None:
        """Score the reconstructions of one ground truth. A failure is reported and leaves its scores out."""
        path = self.request.truth[stem]
        try:
            truth, note = read_rgb(path)
        except ImageProblem as error:
            self.request.report.fail(stem, f"ground truth {error}")
            return
        self.request.report.converted(path.name, note)
        pictures: list[tuple[str, Row, Any]] = []
        for ledger, row in entries:
            where = f"{ledger.target.folder.name}/{row.mode}"
            try:
                pictures.append((where, row, self._picture(ledger.target.modes[row.mode][stem], where, truth)))
            except ImageProblem as error:
                self.request.report.fail(f"{where}/{stem}", f"{where}/{error}")
        for metric in self.request.metrics:
            self._metric(metric, truth, [each for each in pictures if metric.name not in each[1].scores])

    def _picture(self, path: Path, where: str, truth: Any) -> Any:
        picture, note = read_rgb(path)
        self.request.report.converted(f"{where}/{path.name}", note)
        if picture.size != truth.size:
            raise ImageProblem(
                f"{path.name}: is {picture.width}x{picture.height} and its ground truth {truth.width}x{truth.height}"
            )
        return picture

    def _metric(self, metric: Metric, truth: Any, pictures: list[tuple[str, Row, Any]]) -> None:
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
