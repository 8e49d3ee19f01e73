"""Scoring: every reconstruction of a target against its ground truth, cached by content, resumable."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ..dataset import image_size, read_rgb
from ..errors import BadInput, ImageProblem
from ..options import resolve_device
from ..rate import bpp
from ..report import Report, progress, say
from ..store import digest, only_writer, read_json, sweep, write_json
from . import table
from .metrics import Metric, checked
from .summary import summarise
from .table import Row
from .target import Target

SAVE_EVERY = 1.0  # seconds: what a killed run can lose


@dataclass
class Request:
    """truth: stem -> path of the whole ground truth. chosen: the stems to score. modes: those of the target to score."""

    target: Target
    truth: dict[str, Path]
    chosen: list[str]
    modes: list[str]
    metrics: list[Metric]
    device: str
    overwrite: bool
    i2t_table: bool = False
    report: Report = field(default_factory=Report)


def score(request: Request) -> table.Table:
    """Score what is not in the target's scores.csv yet, and write scores.csv and summary.json. Returns the whole table."""
    folder = request.target.folder
    with only_writer(folder / ".scores.lock", f"scores of {folder}"):
        sweep(folder, "scores.csv")
        sweep(folder, "summary.json")
        work = _Work(request)
        work.settle()
        try:
            work.run()
        except BaseException:
            work.save()  # a killed or interrupted run goes on from here
            raise
        work.finish()
        return work.rows


class _Work:
    def __init__(self, request: Request) -> None:
        self.request, self.target = request, request.target
        self.file = self.target.folder / "scores.csv"
        self.rows: table.Table = {}
        self.truth_digests: dict[str, str] = {}
        self.known: dict[str, dict[str, Any]] = {}  # metric -> its description in the last summary
        self.saved = time.monotonic()

    def settle(self) -> None:
        """Take over the rows of images that are still the same, and tell what is only in one of the two folders."""
        before = self._before()
        self.truth_digests = _digests(self.request.truth)
        wanted = {metric.name: metric.identity for metric in self.request.metrics}
        self._pairs(before)
        for row in self.rows.values():
            for metric in list(row.scores):
                known = self.known.get(metric, {}).get("identity")
                if known is None or wanted.get(metric, known) != known:
                    del row.scores[metric]  # other weights, or a column that nothing tells of
        if self.request.overwrite:
            for stem, mode in self._keys():
                for metric in wanted:
                    self.rows[stem, mode].scores.pop(metric, None)
        if self.rows != before:
            self.save()

    def _before(self) -> table.Table:
        try:
            summary = read_json(self.target.folder / "summary.json") or {}
            rows = table.read(self.file)
            self.known = {name: dict(each) for name, each in summary.get("metrics", {}).items()}
            return rows
        except (BadInput, ValueError, AttributeError, TypeError) as error:
            say(f"note: {self.file} or its summary.json is not usable ({error}); everything is scored anew.")
            return {}

    def _pairs(self, before: table.Table) -> None:
        """Rows of all reconstructions that have a ground truth, with the scores of those that have not changed."""
        for mode, images in self.target.modes.items():
            alien = sorted(set(images) - set(self.request.truth))
            if alien:
                say(f"note: {mode}: {len(alien)} image(s) have no ground truth and are not scored (first: {images[alien[0]].name}).")
            paired = {stem: path for stem, path in images.items() if stem in self.request.truth}
            for stem, seen in _digests(paired).items():
                row = Row(self.request.truth[stem].name, mode, self.truth_digests[stem], seen)
                old = before.get((stem, mode))
                if old and (old.ground_truth, old.reconstruction) == (row.ground_truth, row.reconstruction):
                    row.scores = dict(old.scores)
                row.bits = self.target.bits(mode, stem)
                row.bpp = self._bpp(row.bits, stem)
                self.rows[stem, mode] = row

    def _bpp(self, bits: Optional[int], stem: str) -> Optional[float]:
        try:
            # As it stands in the file, so that a row read back equals the row that was written
            return None if bits is None else round(bpp(bits, *image_size(self.request.truth[stem])), 6)
        except ImageProblem:
            return None  # scoring this image will say why

    def _keys(self) -> list[tuple[str, str]]:
        """(stem, mode) of what this run was asked to score, image by image so that its modes share the ground truth."""
        return [(stem, mode) for stem in self.request.chosen for mode in self.request.modes if (stem, mode) in self.rows]

    def run(self) -> None:
        keys = self._keys()
        missing: dict[str, list[str]] = {}
        for stem, mode in keys:
            row = self.rows[stem, mode]
            if any(metric.name not in row.scores for metric in self.request.metrics):
                missing.setdefault(stem, []).append(mode)
        if not missing:
            return
        device = resolve_device(self.request.device)
        for metric in self.request.metrics:
            if any(metric.name not in self.rows[stem, mode].scores for stem, modes in missing.items() for mode in modes):
                metric.load(device)
                self.known[metric.name] = _describe(metric)
        done = len(keys) - sum(len(modes) for modes in missing.values())
        with progress(len(keys), done, "scores") as bar:
            for stem, modes in missing.items():
                self._image(stem, modes)
                bar.update(len(modes))
                if time.monotonic() - self.saved > SAVE_EVERY:
                    self.save()

    def _image(self, stem: str, modes: list[str]) -> None:
        """Score one image in several modes. A failure is reported and leaves its scores out."""
        path = self.request.truth[stem]
        try:
            truth, note = read_rgb(path)
        except ImageProblem as error:
            self.request.report.fail(stem, f"ground truth {error}")
            return
        self.request.report.converted(path.name, note)
        pictures = {}
        for mode in modes:
            try:
                pictures[mode] = self._picture(stem, mode, truth)
            except ImageProblem as error:
                self.request.report.fail(f"{mode}/{stem}", f"{mode}/{error}")
        for metric in self.request.metrics:
            self._metric(metric, stem, truth, pictures)

    def _picture(self, stem: str, mode: str, truth: Any) -> Any:
        path = self.target.modes[mode][stem]
        picture, note = read_rgb(path)
        self.request.report.converted(f"{mode}/{path.name}", note)
        if picture.size != truth.size:
            raise ImageProblem(
                f"{path.name}: is {picture.width}x{picture.height} and its ground truth {truth.width}x{truth.height}"
            )
        return picture

    def _metric(self, metric: Metric, stem: str, truth: Any, pictures: dict[str, Any]) -> None:
        modes = [mode for mode in pictures if metric.name not in self.rows[stem, mode].scores]
        if not modes:
            return
        try:
            scores = metric.score(truth, [pictures[mode] for mode in modes])
        except ImageProblem as error:
            if len(modes) > 1:  # find the mode at fault
                for mode in modes:
                    self._metric(metric, stem, truth, {mode: pictures[mode]})
            else:
                self.request.report.fail(f"{metric.name}/{modes[0]}/{stem}", f"{modes[0]}/{stem}: {error}")
            return
        for mode, value in zip(modes, scores):
            try:
                self.rows[stem, mode].scores[metric.name] = checked(value, metric)
            except ImageProblem as error:
                self.request.report.fail(f"{metric.name}/{mode}/{stem}", f"{mode}/{stem}: {error}")

    def descriptions(self) -> dict[str, dict[str, Any]]:
        """What the summary says of each metric that has scores."""
        present = {name for row in self.rows.values() for name in row.scores}
        return {name: self.known[name] for name in sorted(present)}

    def save(self) -> None:
        """Write the scores so far. The summary goes first and says that it is none yet, but what the columns are."""
        write_json(self.target.folder / "summary.json", {"unfinished": True, "metrics": self.descriptions()})
        table.write(self.file, self.rows)
        self.saved = time.monotonic()

    def finish(self) -> None:
        table.write(self.file, self.rows)
        summary = summarise(self.target, self.truth_digests, self.rows, self.descriptions())
        summary["i2t_table"] = self.request.i2t_table  # whether the leaderboard shows that row too
        write_json(self.target.folder / "summary.json", summary)


def _describe(metric: Metric) -> dict[str, Any]:
    return {
        "kind": "FR" if metric.needs_truth else "NR",
        "lower_is_better": metric.lower_is_better,
        "identity": metric.identity,
    }


def _digests(images: dict[str, Path]) -> dict[str, str]:
    """stem -> digest of each file, "" of one that cannot be read; several at once, since hashing waits for the disk."""

    def one(path: Path) -> str:
        try:
            return digest(path.read_bytes())
        except OSError:
            return ""  # reading it as a picture will say why

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(images, pool.map(one, images.values())))
