"""A target's ledger: which of its images have which scores, taken over from the last run as far as they still hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bitstream.bits import bpp
from ..errors import ImageProblem
from ..files import scores
from ..files.images import image_size
from ..files.manifest import Prepared, read_prepared
from ..files.names import stem as stem_of
from ..files.scores import ScoreRow
from ..files.store import digest, write_bytes, write_json
from ..files.target import Target
from ..runtime.messages import say
from ..runtime.ranks import Ranks
from . import journal
from .digests import Digests
from .journal import Made, ScoreJournal
from .last_run import last_run
from .metrics.base import Measured, Metric, SetMetric
from .set_entries import Sets, set_entry
from .summary import summarise


class ScoreLedger:
    """The rows of one target. Nothing in its folder changes before `finish`, but for the journals of scores made.

    rows: (stem, mode) -> row. stale: metrics whose scores here were made with other weights; they stay until the new
    weights are loaded (`renew`). captions: (stem, mode) -> the caption that was sent, as far as known. One process at a
    time may hold the ledger of a target.
    """

    def __init__(
        self,
        target: Target,
        truth: Digests,
        metrics: Sequence[Metric | SetMetric],
        ranks: Ranks,
        overwrite: bool = False,
        captions: Mapping[tuple[str, str], str] = {},
    ) -> None:
        self.target, self.truth, self.captions = target, truth, captions
        self.seen = {mode: Digests(images) for mode, images in target.modes.items()}
        self.ranks, self.overwrite = ranks, overwrite
        self.asked = list(metrics)
        self.wanted = {metric.name: metric.identity for metric in metrics}
        self.file, self.summary_file = target.folder / "scores.csv", target.folder / "summary.json"
        self.rows: scores.Table = {}
        self.sets: Sets = {}
        self.alien: dict[str, str] = {}  # ground truths of kept rows that are not in --gt_path: stem -> digest
        self.known: dict[str, dict[str, Any]] = {}  # metric -> what the summary says of it
        self.stale: set[str] = set()
        self.invalid: list[Path] = []  # files of ours that cannot be used; they are kept under another name
        self.others: list[Made] = []  # of journals: what this run has no use for, and a later one may have
        self.journal = ScoreJournal(target.folder, ranks.number)
        self.prepared: Prepared | None = None  # the test set that the ground truth is

    def settle(self) -> None:
        """Take over the rows of images that are still the same, and what killed runs had scored.

        Raises BadInput for files that are not of this program, or cannot be read at the moment, and for a prepared
        ground truth whose pictures have changed.
        """
        folder = next(iter(self.truth.images.values())).parent
        if read_prepared(folder):  # else the pictures are read as they are scored
            self.prepared = read_prepared(folder, self.truth.need(self.truth.images))
        last = last_run(self.summary_file, self.file, self.overwrite)
        self.known, self.sets, self.invalid = last.known, last.sets, last.invalid
        self._pair(last.rows, [] if self.overwrite else journal.read(self.target.folder))
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

    def _pair(self, before: scores.Table, journaled: list[Made]) -> None:
        """Rows of all reconstructions that have a ground truth, with the scores of those that have not changed.

        Only where there are scores is it looked whether the pictures are the same; the others are known when they are
        read (`identify`).
        """
        known = {(stem_of(made.name), made.mode) for made in journaled if made.name} | before.keys()
        whole = {made.mode for made in journaled if not made.name} | self.sets.keys()
        for mode, images in self.target.modes.items():
            paired = [stem for stem in images if stem in self.truth.images]
            for stem in paired:
                self.rows[stem, mode] = ScoreRow(self.truth.images[stem].name, mode, "", "")
            self._settle_rows(mode, paired if mode in whole else [stem for stem in paired if (stem, mode) in known])
            for stem in paired:
                row, old = self.rows[stem, mode], before.get((stem, mode))
                if old and _made_of(old) == _made_of(row) and row.reconstruction:
                    row.scores = dict(old.scores)
            alien = {stem: path for stem, path in images.items() if stem not in self.truth.images}
            kept = self._keep(mode, alien, before)
            unscored = sorted(set(alien) - kept)
            if unscored and self.ranks.first:
                first = images[unscored[0]].name
                say(f"note: {mode}: {len(unscored)} image(s) have no ground truth and are not scored (first: {first}).")

    def _settle_rows(self, mode: str, stems: list[str]) -> None:
        """Find out what the pictures of these rows are, as far as it is not known yet."""
        unknown = [stem for stem in stems if not self.rows[stem, mode].reconstruction]
        seen, truth = self.seen[mode].need(unknown), self.truth.need(unknown)
        for stem in unknown:
            self.identify(self.rows[stem, mode], truth[stem], seen[stem])

    def identify(self, row: ScoreRow, truth: str, reconstruction: str) -> None:
        """Enter what a row is of: the digests of its two files. A row that was of others loses its scores."""
        if (row.ground_truth, row.reconstruction) == (truth, reconstruction):
            return
        stem = stem_of(row.name)
        row.scores = {}
        row.ground_truth, row.reconstruction = truth, reconstruction
        self.truth[stem], self.seen[row.mode][stem] = truth, reconstruction
        row.spent = self.target.spent(row.name, row.mode, reconstruction)
        row.bpp = self._bpp(row.spent.bits if row.spent else None, stem)

    def _keep(self, mode: str, images: dict[str, Path], before: scores.Table) -> set[str]:
        """Keep the rows of unchanged reconstructions whose ground truth is not in --gt_path this time."""
        if self.overwrite:
            return set()
        rows = {stem: before[stem, mode] for stem in images if (stem, mode) in before}
        seen = self.seen[mode].need(rows)
        kept = {stem: row for stem, row in rows.items() if row.scores and row.reconstruction == seen[stem]}
        for stem, row in kept.items():
            self.rows[stem, mode] = row
            self.alien.setdefault(stem, row.ground_truth)
        if kept and self.ranks.first:
            say(
                f"note: {self.target.folder.name}/{mode}: {len(kept)} image(s) of the last run are not in --gt_path "
                f"(first: {images[min(kept)].name}). Their scores are kept; --overwrite leaves them out."
            )
        return set(kept)

    def _bpp(self, bits: int | None, stem: str) -> float | None:
        try:
            # As it stands in the file, so that a row read back equals the row that was written
            return None if bits is None else round(bpp(bits, *image_size(self.truth.images[stem])), 6)
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
        self._settle_rows(mode, self._paired(mode))
        pairs = sorted(
            (stem, row.ground_truth, row.reconstruction) for (stem, where), row in self.rows.items() if where == mode
        )
        return digest("".join("\0".join(pair) + "\n" for pair in pairs).encode())

    def _paired(self, mode: str) -> list[str]:
        """The stems of a mode's rows whose ground truth is here."""
        return [stem for stem, where in self.rows if where == mode and stem in self.truth.images]

    def _held(self) -> list[dict[str, Any]]:
        """What has values by metric: every row's scores, and every mode's measures."""
        return [row.scores for row in self.rows.values()] + list(self.sets.values())

    def lacks(self, row: ScoreRow, metric: Metric) -> bool:
        """Whether a row has no score of a metric that takes it, or one of other weights."""
        return self.takes(row, metric) and (metric.name not in row.scores or metric.name in self.stale)

    def takes(self, row: ScoreRow, metric: Metric) -> bool:
        """Whether a metric scores a row at all."""
        return metric.takes(row.name) and not (metric.needs_caption and not self.caption(row))

    def caption(self, row: ScoreRow) -> str:
        """The caption that was sent, "" where none was or it is not known."""
        return self.captions.get((stem_of(row.name), row.mode), "")

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

    def enter_set(self, mode: str, metric: SetMetric, found: Measured, images: int) -> None:
        """Enter the measure of a mode's whole set, made of that many images."""
        self.describe(metric)
        about = ("", mode, metric.name, metric.identity, self.set_digest(mode))
        made = Made(*about, found.value, images, found.low, found.high)
        self.sets.setdefault(mode, {})[metric.name] = set_entry(made)
        self.journal.add(made)

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
            if row and stem_of(row.name) not in self.seen[row.mode]:  # another process of this run has read it
                truth, _, seen = made.made_of.partition(" ")
                self.identify(row, truth, seen)
            here = self._set_here(made.mode) if not made.name else row and _made_of(row)
            if made.made_of != here:
                continue  # of pictures that have changed since
            if self.wanted.get(made.metric) != made.identity:
                self.others.append(made)
            elif made.metric in self.stale:
                self.others.append(made)
            elif row is None:
                self.sets.setdefault(made.mode, {})[made.metric] = set_entry(made)
            else:
                row.scores.setdefault(made.metric, made.value)

    def _set_here(self, mode: str) -> str | None:
        return self.set_digest(mode) if mode in self.target.modes else None

    def finish(self, i2t_table: bool) -> None:
        """Write scores and summary, and take the journals away.

        i2t_table: whether the leaderboard shows the overall row of the encoders' table too.
        """
        self.journal.close()
        self.join_journals()
        for mode in self.target.modes:
            self._settle_rows(mode, self._paired(mode))
        truth = {**self.alien, **self.truth.need(self.truth.images)}
        for metric in self.asked:  # also those that cannot be loaded today, of which a killed run had made scores
            if metric.name not in self.stale:
                self.describe(metric)
        for file in self.invalid:
            write_bytes(file.with_name(f"{file.name}.invalid"), file.read_bytes())
        present = {name for held in self._held() for name in held}
        described = {name: self.known[name] for name in sorted(present)}
        summary = summarise(self.target, truth, self.rows, described, self.sets, self.prepared)
        scores.write(self.file, self.rows)
        write_json(self.summary_file, {**summary, "i2t_table": i2t_table})
        journal.replace(self.target.folder, self.others)


def _made_of(row: ScoreRow) -> str:
    return f"{row.ground_truth} {row.reconstruction}"
