"""A target's ledger: which of its images have which scores, taken over from the last run as far as they still hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..bitstream.bits import bpp
from ..errors import BadInput, ImageProblem
from ..files import scores
from ..files.images import image_size, picture_bytes
from ..files.scores import ScoreRow
from ..files.store import digest, read_json, sweep, write_json
from ..files.target import Target
from ..runtime.messages import say
from ..runtime.pace import Pace
from ..runtime.ranks import Ranks
from .metrics.base import Metric, SetMetric
from .summary import summarise


class ScoreLedger:
    """The rows of one target, and scores.csv and summary.json in its folder. One process at a time may hold it."""

    def __init__(
        self,
        target: Target,
        truth: dict[str, Path],
        truth_digests: dict[str, str],
        metrics: list[Metric],
        ranks: Ranks,
        measures: Sequence[SetMetric] = (),
        targets: int = 1,
    ) -> None:
        """targets: how many are scored side by side, each with a ledger of its own."""
        self.target, self.truth, self.truth_digests = target, truth, truth_digests
        self.metrics, self.ranks, self.measures = metrics, ranks, list(measures)
        self.file, self.summary_file = target.folder / "scores.csv", target.folder / "summary.json"
        self.rows: scores.Table = {}
        self.sets: dict[
            str, dict[str, dict[str, Any]]
        ] = {}  # mode -> measure of its whole set -> its entry in the summary
        self.known: dict[str, dict[str, Any]] = {}  # metric -> what the summary says of it
        self._pace = Pace(files=targets)

    def settle(self) -> None:
        """Take over the rows of images that are still the same."""
        before = self._before()
        self._pair(before)
        wanted = {metric.name: metric.identity for metric in (*self.metrics, *self.measures)}
        for held in (*(row.scores for row in self.rows.values()), *self.sets.values()):
            for metric in list(held):
                known = self.known.get(metric, {}).get("identity")
                if known is None or wanted.get(metric, known) != known:
                    del held[metric]  # other weights, or a column that nothing tells of
        self._drop_other_sets()
        self.join_parts()  # what other processes of a killed run had done
        if self.ranks.first and self.rows != before:
            self.save()

    def forget(self, keys: Iterable[tuple[str, str]], metrics: Iterable[str]) -> None:
        """Take away what metrics gave rows ((stem, mode) pairs), and the sets of these modes: it is made anew."""
        names = list(metrics)
        for stem, mode in keys:
            for name in names:
                self.rows[stem, mode].scores.pop(name, None)
                self.sets.get(mode, {}).pop(name, None)
        self.save()

    def _before(self) -> scores.Table:
        try:
            summary = read_json(self.summary_file) or {}
            rows = scores.read(self.file)
            self.known = {name: dict(each) for name, each in summary.get("metrics", {}).items()}
            self.sets = {mode: _sets(found) for mode, found in summary.get("modes", {}).items()}
            return rows
        except (BadInput, ValueError, AttributeError, TypeError, KeyError) as error:
            say(f"note: {self.file} or its summary.json is not usable ({error}); everything is scored anew.")
            self.known, self.sets = {}, {}
            return {}

    def _pair(self, before: scores.Table) -> None:
        """Rows of all reconstructions that have a ground truth, with the scores of those that have not changed."""
        for mode, images in self.target.modes.items():
            alien = sorted(set(images) - set(self.truth))
            if alien:
                first = images[alien[0]].name
                say(f"note: {mode}: {len(alien)} image(s) have no ground truth and are not scored (first: {first}).")
            paired = {stem: path for stem, path in images.items() if stem in self.truth}
            for stem, seen in digests(paired).items():
                row = ScoreRow(self.truth[stem].name, mode, self.truth_digests[stem], seen)
                old = before.get((stem, mode))
                if old and (old.ground_truth, old.reconstruction) == (row.ground_truth, row.reconstruction):
                    row.scores = dict(old.scores)
                row.spent = self.target.spent(row.name, mode, seen)
                row.bpp = self._bpp(row.spent.bits if row.spent else None, stem)
                self.rows[stem, mode] = row

    def _bpp(self, bits: int | None, stem: str) -> float | None:
        try:
            # As it stands in the file, so that a row read back equals the row that was written
            return None if bits is None else round(bpp(bits, *image_size(self.truth[stem])), 6)
        except ImageProblem:
            return None  # scoring this image will say why

    def _drop_other_sets(self) -> None:
        """Keep the measures of sets that have not changed."""
        for mode in list(self.sets):
            here = self.set_digest(mode) if mode in self.target.modes else ""
            self.sets[mode] = {name: each for name, each in self.sets[mode].items() if each["digest"] == here}
            if not self.sets[mode]:
                del self.sets[mode]

    def set_digest(self, mode: str) -> str:
        """One digest of all pairs of a mode, by name: what a measure of the set is the measure of."""
        pairs = sorted(
            (stem, row.ground_truth, row.reconstruction) for (stem, where), row in self.rows.items() if where == mode
        )
        return digest("".join("\0".join(pair) + "\n" for pair in pairs).encode())

    def enter(self, mode: str, metric: SetMetric, value: float, images: int) -> None:
        """Enter the measure of a mode's whole set, made of that many images."""
        self.describe(metric)
        self.sets.setdefault(mode, {})[metric.name] = {
            "mean": value,
            "n": images,
            "set": True,
            "digest": self.set_digest(mode),
        }

    def describe(self, metric: Metric | SetMetric) -> None:
        """Note what a metric is whose scores are about to be entered. Measures of sets stand among those of
        perception.
        """
        self.known[metric.name] = {
            "kind": "FR" if isinstance(metric, Metric) and metric.needs_truth else "NR",
            "lower_is_better": metric.lower_is_better,
            "identity": metric.identity,
        }

    def _metrics(self) -> dict[str, dict[str, Any]]:
        present = {name for held in (*(row.scores for row in self.rows.values()), *self.sets.values()) for name in held}
        return {name: self.known[name] for name in sorted(present)}

    def save(self) -> None:
        """Write the scores so far. The summary goes first and says that it is none yet, but what the columns are."""
        with self._pace.saving():
            if self.ranks.first:
                sets = {mode: {"metrics": measures} for mode, measures in self.sets.items()}
                write_json(self.summary_file, {"unfinished": True, "metrics": self._metrics(), "modes": sets})
                scores.write(self.file, self.rows)
            else:
                names = {metric.name for metric in self.metrics}
                mine = {key: row for key, row in self.rows.items() if names & set(row.scores)}
                scores.write(self._part(self.ranks.number), mine)

    def _part(self, number: object) -> Path:
        """The file of another process. Its name holds what was scored with, so that other weights' scores never
        join.
        """
        identity = "".join(sorted(f"{metric.name} {metric.identity};" for metric in self.metrics))
        return self.target.folder / f".scores.part-{digest(identity.encode())}-{number}.csv"

    def join_parts(self) -> None:
        """Enter the scores that other processes wrote. Process 0 then takes their files away, once its own is
        written.
        """
        parts = sorted(self.target.folder.glob(self._part("*").name))
        for part in parts:
            try:
                found = scores.read(part)
            except (OSError, ValueError) as error:
                say(f"note: {part} is not usable ({error}); its scores are made anew.")
                continue
            for key, theirs in found.items():
                mine = self.rows.get(key)
                if mine and (mine.ground_truth, mine.reconstruction) == (theirs.ground_truth, theirs.reconstruction):
                    names = [metric.name for metric in self.metrics if metric.name in theirs.scores]
                    mine.scores.update({name: theirs.scores[name] for name in names})
        if self.ranks.first and parts:
            for metric in self.metrics:
                self.describe(metric)
            self.save()
            sweep(self.target.folder, "scores.csv")
            for part in self.target.folder.glob(".scores.part-*.csv"):
                part.unlink(missing_ok=True)

    def save_if_due(self) -> None:
        """Save, unless it was done a moment ago: all targets' savings together stay a small part of the run."""
        if self._pace.due:
            self.save()

    def finish(self, i2t_table: bool) -> None:
        """Write scores and summary. i2t_table: whether the leaderboard shows the overall row of the encoders' table
        too.
        """
        scores.write(self.file, self.rows)
        summary = summarise(self.target, self.truth_digests, self.rows, self._metrics(), self.sets)
        write_json(self.summary_file, {**summary, "i2t_table": i2t_table})


def _sets(mode: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The measures of a whole set in a mode of a summary. Raises what a broken one raises, TypeError or ValueError
    among it.
    """
    found = {name: each for name, each in mode.get("metrics", {}).items() if each.get("set") is True}
    for name, each in found.items():
        if not math.isfinite(each["mean"]) or not isinstance(each["n"], int) or not isinstance(each["digest"], str):
            raise ValueError(f"{name} is no measure of a set")
    return found


def digests(images: dict[str, Path]) -> dict[str, str]:
    """stem -> digest of each file, "" of one that cannot be read; several at once, since hashing waits for the disk."""

    def one(path: Path) -> str:
        try:
            return digest(picture_bytes(path))
        except ImageProblem:
            return ""  # reading it as a picture will say why

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(images, pool.map(one, images.values())))
