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
from ..files.manifest import Prepared, read_prepared
from ..files.scores import ScoreRow
from ..files.store import Foreign, digest, write_bytes, write_json
from ..files.target import Target
from ..runtime.messages import say
from ..runtime.ranks import Ranks
from . import journal
from .journal import Made, ScoreJournal
from .metrics.base import Metric, SetMetric
from .summary import summarise

Sets = dict[str, dict[str, dict[str, Any]]]  # mode -> measure of its whole set -> its entry in the summary


class ScoreLedger:
    """The rows of one target. Nothing in its folder changes before `finish`, but for the journals of scores made.

    rows: (stem, mode) -> row. stale: metrics whose scores here were made with other weights; they stay until the new
    weights are loaded (`renew`). One process at a time may hold the ledger of a target.
    """

    def __init__(
        self,
        target: Target,
        truth: dict[str, Path],
        truth_digests: dict[str, str],
        metrics: Sequence[Metric | SetMetric],
        ranks: Ranks,
        overwrite: bool = False,
    ) -> None:
        self.target, self.truth, self.truth_digests = target, truth, dict(truth_digests)
        self.ranks, self.overwrite = ranks, overwrite
        self.asked = list(metrics)
        self.wanted = {metric.name: metric.identity for metric in metrics}
        self.file, self.summary_file = target.folder / "scores.csv", target.folder / "summary.json"
        self.rows: scores.Table = {}
        self.sets: Sets = {}
        self.known: dict[str, dict[str, Any]] = {}  # metric -> what the summary says of it
        self.stale: set[str] = set()
        self.invalid: list[Path] = []  # files of ours that cannot be used; they are kept under another name
        self.others: list[Made] = []  # of journals: what this run has no use for, and a later one may have
        self.journal = ScoreJournal(target.folder, ranks.number)
        self.prepared: Prepared | None = None  # the test set that the ground truth is, where `prepare` made it

    def settle(self) -> None:
        """Take over the rows of images that are still the same, and what killed runs had scored.

        Raises BadInput for files that are not of this program, or cannot be read at the moment, and for a prepared
        ground truth whose pictures have changed.
        """
        self.prepared = read_prepared(next(iter(self.truth.values())).parent, self.truth_digests)
        before = self._before()
        self._pair(before)
        for held in self._held():
            for metric in [name for name in held if name not in self.known]:
                del held[metric]  # a column that the summary does not describe
        self.stale = {
            name
            for name, identity in self.wanted.items()
            if self.known.get(name, {}).get("identity", identity) != identity
        }
        self._drop_other_sets()
        if not self.overwrite:
            self.join_journals()

    def _before(self) -> scores.Table:
        """The rows of the last run; `known` and `sets` from its summary."""
        summary, rows = None, {}
        for file in (self.summary_file, self.file):
            try:
                if file == self.file:
                    rows = scores.read(file)
                else:
                    summary = scores.read_summary(file)
                    found = summary or {}
                    self.known = {name: dict(each) for name, each in found.get("metrics", {}).items()}
                    self.sets = {mode: _sets(each) for mode, each in found.get("modes", {}).items()}
            except OSError as error:
                raise BadInput(
                    f"{file} cannot be read at the moment ({error.strerror}). Nothing was changed; run the same command"
                    " when it can be read."
                ) from None
            except Foreign as error:
                if not self.overwrite:
                    raise BadInput(
                        f"{file} is not a file of this program ({error}). Move it away, or replace it with --overwrite."
                    ) from None
                self.invalid.append(file)
            except (ValueError, AttributeError, TypeError, KeyError) as error:
                say(f"note: {file} is invalid ({error}) and kept as {file.name}.invalid; everything is scored again.")
                self.invalid.append(file)
        if self.invalid or (rows and summary is None):
            self.known, self.sets, rows = {}, {}, {}
        return rows

    def _pair(self, before: scores.Table) -> None:
        """Rows of all reconstructions that have a ground truth, with the scores of those that have not changed."""
        for mode, images in self.target.modes.items():
            paired = {stem: path for stem, path in images.items() if stem in self.truth}
            for stem, seen in digests(paired).items():
                row = ScoreRow(self.truth[stem].name, mode, self.truth_digests[stem], seen)
                old = before.get((stem, mode))
                if old and (old.ground_truth, old.reconstruction) == (row.ground_truth, row.reconstruction):
                    row.scores = dict(old.scores)
                row.spent = self.target.spent(row.name, mode, seen)
                row.bpp = self._bpp(row.spent.bits if row.spent else None, stem)
                self.rows[stem, mode] = row
            alien = {stem: path for stem, path in images.items() if stem not in self.truth}
            kept = self._keep(mode, alien, before)
            unscored = sorted(set(alien) - kept)
            if unscored and self.ranks.first:
                first = images[unscored[0]].name
                say(f"note: {mode}: {len(unscored)} image(s) have no ground truth and are not scored (first: {first}).")

    def _keep(self, mode: str, images: dict[str, Path], before: scores.Table) -> set[str]:
        """Keep the rows of unchanged reconstructions whose ground truth is not in --gt_path this time."""
        if self.overwrite:
            return set()
        rows = {stem: before[stem, mode] for stem in images if (stem, mode) in before}
        seen = digests({stem: images[stem] for stem in rows})
        kept = {stem: row for stem, row in rows.items() if row.scores and row.reconstruction == seen[stem]}
        for stem, row in kept.items():
            self.rows[stem, mode] = row
            self.truth_digests.setdefault(stem, row.ground_truth)
        if kept and self.ranks.first:
            say(
                f"note: {self.target.folder.name}/{mode}: {len(kept)} image(s) of the last run are not in --gt_path "
                f"(first: {images[min(kept)].name}). Their scores are kept; --overwrite leaves them out."
            )
        return set(kept)

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

    def _held(self) -> list[dict[str, Any]]:
        """What has values by metric: every row's scores, and every mode's measures."""
        return [row.scores for row in self.rows.values()] + list(self.sets.values())

    def lacks(self, row: ScoreRow, metric: Metric) -> bool:
        """Whether a row has no score of a metric, or one of other weights."""
        return metric.name not in row.scores or metric.name in self.stale

    def renew(self, metrics: Iterable[Metric | SetMetric], keys: Iterable[tuple[str, str]]) -> None:
        """The metrics are loaded: drop their scores of other weights and, with --overwrite, those of `keys`."""
        names = {metric.name for metric in metrics}
        for row in self.rows.values():
            for name in self.stale & names:
                row.scores.pop(name, None)
        for measures in self.sets.values():
            for name in self.stale & names:
                measures.pop(name, None)
        for key in keys if self.overwrite else ():
            for name in names:
                self.rows[key].scores.pop(name, None)
                self.sets.get(key[1], {}).pop(name, None)
        self.stale -= names

    def enter(self, row: ScoreRow, metric: Metric, value: float) -> None:
        """Enter a score of a reconstruction, which outlives this process from now on."""
        row.scores[metric.name] = value
        self.journal.add(Made(row.name, row.mode, metric.name, metric.identity, _made_of(row), value))

    def enter_set(self, mode: str, metric: SetMetric, value: float, images: int) -> None:
        """Enter the measure of a mode's whole set, made of that many images."""
        self.describe(metric)
        made_of = self.set_digest(mode)
        self._put_set(mode, metric.name, value, images, made_of)
        self.journal.add(Made("", mode, metric.name, metric.identity, made_of, value, images))

    def _put_set(self, mode: str, name: str, value: float, images: int, made_of: str) -> None:
        self.sets.setdefault(mode, {})[name] = {"mean": value, "n": images, "set": True, "digest": made_of}

    def describe(self, metric: Metric | SetMetric) -> None:
        """Note what a metric is whose scores are about to be entered. Measures of sets count as perception."""
        self.known[metric.name] = {
            "kind": "FR" if isinstance(metric, Metric) and metric.needs_truth else "NR",
            "lower_is_better": metric.lower_is_better,
            "identity": metric.identity,
        }

    def join_journals(self) -> None:
        """Enter the scores of the journals: those of other processes, and of runs that were killed."""
        by_name = {(row.name, row.mode): row for row in self.rows.values()}
        self.others = []
        for made in journal.read(self.target.folder):
            row = by_name.get((made.name, made.mode))
            here = self.set_digest(made.mode) if not made.name else row and _made_of(row)
            if made.made_of != here:
                continue  # of pictures that have changed since
            if self.wanted.get(made.metric) != made.identity:
                self.others.append(made)
            elif made.metric in self.stale:
                self.others.append(made)
            elif row is None:
                self._put_set(made.mode, made.metric, made.value, made.n, made.made_of)
            else:
                row.scores.setdefault(made.metric, made.value)

    def finish(self, i2t_table: bool) -> None:
        """Write scores and summary, and take the journals away.

        i2t_table: whether the leaderboard shows the overall row of the encoders' table too.
        """
        self.journal.close()
        self.join_journals()
        for metric in self.asked:  # also those that cannot be loaded today, of which a killed run had made scores
            if metric.name not in self.stale:
                self.describe(metric)
        for file in self.invalid:
            write_bytes(file.with_name(f"{file.name}.invalid"), file.read_bytes())
        present = {name for held in self._held() for name in held}
        described = {name: self.known[name] for name in sorted(present)}
        summary = summarise(self.target, self.truth_digests, self.rows, described, self.sets, self.prepared)
        scores.write(self.file, self.rows)
        write_json(self.summary_file, {**summary, "i2t_table": i2t_table})
        journal.replace(self.target.folder, self.others)


def _made_of(row: ScoreRow) -> str:
    return f"{row.ground_truth} {row.reconstruction}"


def _sets(mode: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The measures of a whole set in a mode of a summary. Raises TypeError or ValueError for a broken one."""
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
