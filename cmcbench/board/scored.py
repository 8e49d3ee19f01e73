"""A scored target, its summary.json and scores.csv read once and strictly: what everything on the board is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput
from ..files import untrusted
from ..files.names import OUTPUTS, matching, plain_name, stem
from ..files.untrusted import LARGEST_FILE, LARGEST_RATE, LARGEST_SCORE, LARGEST_SUMMARY, Unusable, shown
from ..runtime.messages import did_you_mean, printable, say
from . import summaries
from .summaries import ScoredImage, Summary

if TYPE_CHECKING:
    from .image_scores import ImageScores

NEEDED = ("name", "mode", "bpp", "kind", "ground_truth", "reconstruction")  # columns of scores.csv


Rows = dict[tuple[str, str], ScoredImage]  # (stem, mode) -> row


@dataclass(frozen=True)
class ScoredTarget:
    """rows: of scores.csv. fault: why there are none, "" where it could be read; missing: whether it is not there.

    name: the folder's, everywhere on the board. What a summary calls itself may be what another one does.
    """

    folder: Path
    summary: Summary
    rows: Rows = field(repr=False)
    fault: str = ""
    missing: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def images(self) -> ImageScores:
        """The scores as arrays."""
        from .image_scores import ImageScores  # numpy, which --help need not wait for

        return ImageScores.of(self.rows.values())


def read(folder: Path) -> ScoredTarget:
    """The target in a folder. Raises Unusable where its summary.json is missing or invalid, or its run has not ended;
    an invalid scores.csv is the target's `fault`.
    """
    document = untrusted.json_object(untrusted.read_bytes(folder / "summary.json", LARGEST_SUMMARY))
    if document.get("unfinished"):
        raise Unusable("is of a run that has not ended")
    summary = summaries.parse(document)
    path = folder / "scores.csv"
    try:
        return ScoredTarget(folder, summary, _rows(untrusted.read_bytes(path, LARGEST_FILE), summary))
    except Unusable as error:
        return ScoredTarget(folder, summary, {}, str(error), not path.exists())


def _rows(data: bytes, summary: Summary) -> Rows:
    columns, table = untrusted.table(data)
    lacking = [name for name in NEEDED if name not in columns]
    if lacking:
        raise Unusable(f"has no column {', '.join(lacking)}")
    metrics = [name for name in summary.metrics if name in columns]
    rows: Rows = {}
    truths: dict[str, str] = {}
    for line, cells in enumerate(table, 2):
        try:
            row = _row(cells, metrics, summary)
            if truths.setdefault(row.name, row.ground_truth) != row.ground_truth:
                raise Unusable(f"{shown(row.name)} has two ground truths")
            if rows.setdefault((stem(row.name), row.mode), row) is not row:
                raise Unusable(f"{shown(row.name)} is there a second time in mode {row.mode}")
        except Unusable as error:
            raise Unusable(f"line {line}: {error}") from None
    return rows


def _row(cells: dict[str, str], metrics: list[str], summary: Summary) -> ScoredImage:
    if not plain_name(cells["name"]):
        raise Unusable(f"{shown(cells['name'])} is not a file name")
    if cells["mode"] not in summary.modes:
        raise Unusable(f"summary.json has no mode {shown(cells['mode'])}")
    scores = {name: untrusted.number(cells[name]) for name in metrics if cells[name]}
    if any(abs(score) > LARGEST_SCORE for score in scores.values()):
        raise Unusable(f"holds a score above {LARGEST_SCORE:g}")
    bpp = untrusted.number(cells["bpp"]) if cells["bpp"] else None
    if bpp is not None and not 0 <= bpp <= LARGEST_RATE:
        raise Unusable(f"holds {bpp:g} bits per pixel, expected 0 to {LARGEST_RATE:g}")
    seconds = (
        untrusted.number(cells[name]) if cells.get(name) else None for name in ("encode_seconds", "decode_seconds")
    )
    bits, memory = (untrusted.whole(cells[name]) if cells.get(name) else None for name in ("bits", "peak_memory"))
    digests = cells["ground_truth"], cells["reconstruction"]
    return ScoredImage(cells["name"], cells["mode"], scores, *digests, bits, bpp, cells["kind"], *seconds, memory)


def again(folder: Path) -> str:
    """The command that mends a target's scores."""
    return f"Score it again with: python script-evaluate.py --target {folder.name}"


def folders(results: Path) -> list[Path]:
    """The folders of a results folder that hold a summary.json, by name; none of figures or pages, none hidden."""
    there = {file.parent for file in results.glob("*/summary.json")}
    return sorted(folder for folder in there if not folder.name.startswith(".") and folder.name not in OUTPUTS)


def named(results: Path, asked: Iterable[str], flag: str = "", group: bool = False) -> list[Path]:
    """The scored targets in `results` that names or patterns such as 'real*' mean, each once, sorted.

    group: whether a name also means the targets that begin with it and `@` (vvc: vvc@0.02). Raises BadInput for a name
    that means none.
    """
    there = {folder.name: folder for folder in folders(results)}
    chosen: set[str] = set()
    for each in asked:
        found = {*matching(each, there), *(name for name in there if group and name.partition("@")[0] == each)}
        if not found:
            listed = ", ".join(map(printable, there)) or "none"
            raise BadInput(
                f"{flag}{' ' if flag else ''}{ascii(each)}: {results} has no scored target of that name. It has:"
                f" {listed}.{did_you_mean(each, there)} Score one with: python script-evaluate.py --target NAME"
            )
        chosen |= found
    return [there[name] for name in sorted(chosen)]


def read_all(found: Iterable[Path], what: str) -> list[ScoredTarget]:
    """The targets in these folders. One that cannot be used is named on stderr and left out of `what`, as is one that
    says of a metric that lower is better where most others say the opposite: it would turn all places round.
    """
    targets = []
    for folder in found:
        try:
            targets.append(read(folder))
        except Unusable as error:
            say(f"note: {folder / 'summary.json'} {error}; the target is left out of {what}. {again(folder)}")
    votes: dict[str, Counter[bool]] = {}
    for each in (metric for target in targets for metric in target.summary.metrics.values()):
        votes.setdefault(each.name, Counter())[each.lower_is_better] += 1
    most = {name: counted.most_common(1)[0][0] for name, counted in votes.items()}
    kept = []
    for target in targets:
        turned = [each for each in target.summary.metrics.values() if each.lower_is_better != most[each.name]]
        if turned:
            better = "lower" if turned[0].lower_is_better else "higher"
            say(
                f"note: {target.folder / 'summary.json'} says of {turned[0].name} that {better} is better, others say"
                f" the opposite; the target is left out of {what}."
            )
        else:
            kept.append(target)
    return kept
