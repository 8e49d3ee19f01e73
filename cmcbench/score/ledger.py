"""A target's ledger: which of its images have which scores, taken over from the last run as far as they still hold."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterable, Optional

from ..dataset import image_size
from ..errors import BadInput, ImageProblem
from ..ranks import Ranks
from ..rate import bpp
from ..report import say
from ..store import digest, read_json, sweep, write_json
from . import table
from .metrics import Metric
from .summary import summarise
from .table import Row
from .target import Target

SAVE_EVERY = 1.0  # seconds: what a killed run can lose


class Ledger:
    """The rows of one target, and scores.csv and summary.json in its folder. One process at a time may hold it."""

    def __init__(
        self, target: Target, truth: dict[str, Path], truth_digests: dict[str, str], metrics: list[Metric], ranks: Ranks
    ) -> None:
        self.target, self.truth, self.truth_digests = target, truth, truth_digests
        self.metrics, self.ranks = metrics, ranks
        self.file, self.summary_file = target.folder / "scores.csv", target.folder / "summary.json"
        self.rows: table.Table = {}
        self.known: dict[str, dict[str, Any]] = {}  # metric -> what the summary says of it
        self.saved = time.monotonic()

    def settle(self, anew: Iterable[tuple[str, str]] = ()) -> None:
        """Take over the rows of images that are still the same, but for the scores of `anew` ((stem, mode) pairs)."""
        before = self._before()
        self._pair(before)
        wanted = {metric.name: metric.identity for metric in self.metrics}
        for row in self.rows.values():
            for metric in list(row.scores):
                known = self.known.get(metric, {}).get("identity")
                if known is None or wanted.get(metric, known) != known:
                    del row.scores[metric]  # other weights, or a column that nothing tells of
        self.join_parts()  # what other processes of a killed run had done
        for key in anew:
            for metric in wanted:
                self.rows[key].scores.pop(metric, None)
        if self.ranks.first and self.rows != before:
            self.save()

    def _before(self) -> table.Table:
        try:
            summary = read_json(self.summary_file) or {}
            rows = table.read(self.file)
            self.known = {name: dict(each) for name, each in summary.get("metrics", {}).items()}
            return rows
        except (BadInput, ValueError, AttributeError, TypeError) as error:
            say(f"note: {self.file} or its summary.json is not usable ({error}); everything is scored anew.")
            return {}

    def _pair(self, before: table.Table) -> None:
        """Rows of all reconstructions that have a ground truth, with the scores of those that have not changed."""
        for mode, images in self.target.modes.items():
            alien = sorted(set(images) - set(self.truth))
            if alien:
                first = images[alien[0]].name
                say(f"note: {mode}: {len(alien)} image(s) have no ground truth and are not scored (first: {first}).")
            paired = {stem: path for stem, path in images.items() if stem in self.truth}
            for stem, seen in digests(paired).items():
                row = Row(self.truth[stem].name, mode, self.truth_digests[stem], seen)
                old = before.get((stem, mode))
                if old and (old.ground_truth, old.reconstruction) == (row.ground_truth, row.reconstruction):
                    row.scores = dict(old.scores)
                row.spent = self.target.spent(row.name, mode, seen)
                row.bpp = self._bpp(row.spent.bits if row.spent else None, stem)
                self.rows[stem, mode] = row

    def _bpp(self, bits: Optional[int], stem: str) -> Optional[float]:
        try:
            # As it stands in the file, so that a row read back equals the row that was written
            return None if bits is None else round(bpp(bits, *image_size(self.truth[stem])), 6)
        except ImageProblem:
            return None  # scoring this image will say why

    def describe(self, metric: Metric) -> None:
        """Note what a metric is whose scores are about to be entered."""
        self.known[metric.name] = {
            "kind": "FR" if metric.needs_truth else "NR",
            "lower_is_better": metric.lower_is_better,
            "identity": metric.identity,
        }

    def _metrics(self) -> dict[str, dict[str, Any]]:
        present = {name for row in self.rows.values() for name in row.scores}
        return {name: self.known[name] for name in sorted(present)}

    def save(self) -> None:
        """Write the scores so far. The summary goes first and says that it is none yet, but what the columns are."""
        if not self.ranks.first:
            names = {metric.name for metric in self.metrics}
            table.write(self._part(self.ranks.number), {key: row for key, row in self.rows.items() if names & set(row.scores)})
            self.saved = time.monotonic()
            return
        write_json(self.summary_file, {"unfinished": True, "metrics": self._metrics()})
        table.write(self.file, self.rows)
        self.saved = time.monotonic()

    def _part(self, number: object) -> Path:
        """The file of another process. Its name holds what was scored with, so that other weights' scores never join."""
        identity = "".join(sorted(f"{metric.name} {metric.identity};" for metric in self.metrics))
        return self.target.folder / f".scores.part-{digest(identity.encode())}-{number}.csv"

    def join_parts(self) -> None:
        """Enter the scores that other processes wrote. Process 0 then takes their files away, once its own is written."""
        parts = sorted(self.target.folder.glob(self._part("*").name))
        for part in parts:
            try:
                found = table.read(part)
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

    def save_now_and_then(self) -> None:
        if time.monotonic() - self.saved > SAVE_EVERY:
            self.save()

    def finish(self, i2t_table: bool) -> None:
        """Write scores and summary. i2t_table: whether the leaderboard shows the overall row of the encoders' table too."""
        table.write(self.file, self.rows)
        summary = summarise(self.target, self.truth_digests, self.rows, self._metrics())
        write_json(self.summary_file, {**summary, "i2t_table": i2t_table})


def digests(images: dict[str, Path]) -> dict[str, str]:
    """stem -> digest of each file, "" of one that cannot be read; several at once, since hashing waits for the disk."""

    def one(path: Path) -> str:
        try:
            return digest(path.read_bytes())
        except OSError:
            return ""  # reading it as a picture will say why

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(images, pool.map(one, images.values())))
