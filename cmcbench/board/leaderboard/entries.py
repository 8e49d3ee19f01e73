"""The rows of the leaderboard, made of the targets' summaries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...files.rates import MEASURED, NOMINAL
from ...protocol import ALMOST, MODES, NOMINAL_IMAGE_BPP, OVERALL_METRICS, SOURCES, overall_i2t, overall_t2i
from ...published import tables
from ..labels import OVERALL, OVERALL_I2T
from ..scored import ScoredTarget
from ..summaries import Means, ModeSummary, Summary

WHOLE, PARTIAL, SINGLE, RATE, PUBLISHED = "whole", "partial", "single mode", "other rate", "published"
KINDS = {  # view -> what images are told apart by
    "types": sorted([*SOURCES, "other"]),
    "sources": sorted(f"{kind}_{source}" for kind, sources in SOURCES.items() for source in sources),
}


@dataclass(frozen=True)
class Entry:
    """One row of the leaderboard: a target in a mode, or one of its overall rows; of all images, or of one kind of
    them.

    target: the folder's name; encoder, decoder: names from files of strangers. Escape all three.
    baseline: which parts are no generative model.
    folder: where scores.csv is; None of a published row. truth: digest of the ground truth; data: the test set that it
    is, "" where that is not stated. mode: of ORDER.
    table: "i2t" for the published rows of that table, else "t2i".
    content: "" for all images, else a content type ("NSI") or source ("NSI_pgc"). modes: what an overall row is of.
    n: images that have the scores which decide the row (TOPIQ's where it has them, else the metric's that has most);
    of: images of the ground truth. counts: metric -> images that have it.
    status: WHOLE, PARTIAL, SINGLE (one mode, while a submission has two), RATE or PUBLISHED.
    other_rate: bits per pixel of its references where these are more than the protocol's, else None: such a row is
    better for its bits and takes no place among those at the protocol's rate.
    complete: the metrics (and OVERALL) that all images have, by which the row can be ranked.
    cells: metric -> mean. overall: Overall, of overall rows. low, high: metric, or OVERALL -> end of the 95 % interval;
    what has none (a measure of the whole set, as FID; a single image) is not in it.
    bpp: mean bits per pixel; rate_kind: of rates.KINDS; ratio: 24 / bpp;
    bpp_deflate: with the captions deflated. encode_seconds, decode_seconds: means an image; peak_memory: bytes. None:
    not known.
    peers: metric (and OVERALL) -> what must be equal for two rows to be compared: ground truth and weights.
    ranks: metric (and OVERALL) -> place among the complete rows that can be compared; places: its 95 % interval (best,
    worst).
    among_published: (place, of how many) were the row in the published table; only where the ground truth looks like
    it.
    """

    target: str
    mode: str = ""
    n: int = 0
    of: int = 0
    status: str = PARTIAL
    cells: dict[str, float] = field(default_factory=dict)
    overall: float | None = None
    baseline: str = ""
    folder: Path | None = None
    truth: str = ""
    data: str = ""
    table: str = tables.T2I
    content: str = ""
    modes: tuple[str, ...] = ()
    encoder: str = ""
    decoder: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    other_rate: float | None = None
    bpp: float | None = None
    rate_kind: str = MEASURED
    ratio: float | None = None
    bpp_deflate: float | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    peak_memory: float | None = None
    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    peers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    among_published: tuple[int, int] | None = None

    @property
    def nominal(self) -> bool:
        """Whether its rate is the protocol's, since no bitstream is there."""
        return self.rate_kind == NOMINAL

    def value(self, column: str) -> float | None:
        return self.overall if column == OVERALL else self.cells.get(column)

    def count(self, column: str) -> int:
        """How many images have the column's score."""
        return self.counts.get(column, self.n)

    @property
    def published(self) -> bool:
        return self.status == PUBLISHED

    @property
    def unranked(self) -> str:
        """Why a row takes no place, "" where it takes one."""
        if self.status == PARTIAL:
            return f"not ranked: partial {self.n}/{self.of}" if self.n else "not ranked: a mode lacks FR or NR"
        if self.status == SINGLE:
            return f"not ranked: single mode ({self.modes[0]}), a submission has two"
        if self.status == RATE:
            return f"not ranked: references of {self.other_rate:.4f} bpp, the protocol's have {NOMINAL_IMAGE_BPP:g}"
        return ""


def entries_of(target: ScoredTarget, view: str = "", i2t: bool = False) -> Iterator[Entry]:
    """The rows of one target: one a mode, then the overall row, then that of the I2T table where it is asked for.

    view: "types" or "sources" for a row of each kind of image instead of one of all. i2t: the I2T row in any case.
    """
    summary = target.summary
    base = _base(target)
    i2t = i2t or summary.i2t_table
    if view:
        for kind in KINDS[view]:
            yield from _of_kind(base, summary, view, kind, i2t)
        return
    entries = [_of_mode(base, summary, mode) for mode in summary.modes]
    yield from entries
    low, high = _ends(summary.over_modes_ends)
    entry = replace(_over(base, entries, summary.over_modes, summary.overall["t2i"]), low=low, high=high)
    yield _with_interval(entry, summary, "t2i")
    if i2t and summary.overall["i2t"] is not None:
        yield _with_interval(_encoders_row(entry, summary.overall["i2t"]), summary, "i2t")


def _base(target: ScoredTarget) -> Entry:
    """What all rows of a target have in common."""
    summary = target.summary
    peers = {name: (summary.digest, each.identity) for name, each in summary.metrics.items()}
    if set(OVERALL_METRICS) <= peers.keys():
        peers[OVERALL] = (*peers[OVERALL_METRICS[0]], *peers[OVERALL_METRICS[1]])
    return Entry(
        target.name,
        of=summary.images,
        baseline=" and ".join(summary.baseline),
        folder=target.folder,
        truth=summary.digest,
        data=str(summary.data or ""),
        modes=tuple(summary.modes),
        encoder=summary.encoder,
        decoder=summary.decoder,
        peers=peers,
    )


def _of_mode(base: Entry, summary: Summary, mode: str) -> Entry:
    found = summary.modes[mode]
    rate, cost, bpp = found.rate, found.cost, found.bpp
    deflate = None
    if bpp is not None and "caption" in rate and "deflate" in rate:
        deflate = bpp - rate["caption"] + rate["deflate"]
    return replace(
        _with_means(base, summary, mode, found.metrics),
        bpp=bpp,
        rate_kind=found.rate_kind or MEASURED,
        ratio=rate.get("ratio"),
        bpp_deflate=deflate,
        encode_seconds=cost.get("encode_seconds"),
        decode_seconds=cost.get("decode_seconds"),
        peak_memory=cost.get("peak_memory"),
    )


def _with_means(base: Entry, summary: Summary, mode: str, means: Means) -> Entry:
    """A mode's row with these means, which are of all images or of one kind; costs, which are of all, are left out."""
    everything = summary.modes[mode].metrics
    other_rate = _other_rate(summary.modes[mode], mode)
    complete = (name for name in means if name in everything and everything[name].n == summary.images)
    low, high = _ends({name: each.ends for name, each in means.items() if each.ends})
    whole = WHOLE if other_rate is None else RATE
    status = whole if _deciding(everything, summary) == summary.images else PARTIAL
    return replace(
        base,
        mode=mode,
        modes=(mode,),
        n=_deciding(means, summary),
        status=status,
        cells={name: each.mean for name, each in means.items()},
        counts={name: each.n for name, each in means.items()},
        complete=frozenset(complete if other_rate is None else ()),
        other_rate=other_rate,
        low=low,
        high=high,
    )


def _other_rate(found: ModeSummary, mode: str) -> float | None:
    """Bits per pixel of a mode's image references where these are more than the protocol's, else None."""
    if mode not in MODES or MODES[mode].reference != "image":
        return None
    rate = found.rate.get("image", None if MODES[mode].captioned else found.bpp)
    return rate if rate is not None and rate > NOMINAL_IMAGE_BPP * ALMOST else None


def _deciding(means: Means, summary: Summary) -> int:
    """How many images count: those with TOPIQ's scores where the row has them, so that a further metric of some images
    takes nothing away; else those with the metric that most have.
    """
    topiq = [means[name].n for name in OVERALL_METRICS if name in means]
    single = [each.n for name, each in means.items() if not summary.metrics[name].of_set]
    return min(topiq) if topiq else max(single or [each.n for each in means.values()], default=0)


def _over(base: Entry, entries: list[Entry], cells: Mapping[str, float], overall: float | None) -> Entry:
    """The row over the modes of these rows."""
    n = min((entry.n for entry in entries), default=0)
    if overall is not None and any(metric not in entry.cells for entry in entries for metric in OVERALL_METRICS):
        n = 0  # a mode lacks a score that Overall is made of: it would stand among those of more modes
    whole = n > 0 and all(entry.status in (WHOLE, RATE) for entry in entries)
    other_rate = max((entry.other_rate for entry in entries if entry.other_rate is not None), default=None)
    single = len(base.modes) < 2
    counts = {name: min((entry.counts.get(name, 0) for entry in entries), default=0) for name in cells}
    complete = {name for name in cells if not single and all(name in entry.complete for entry in entries)}
    return replace(
        base,
        mode=OVERALL,
        n=n,
        status=PARTIAL if not whole else SINGLE if single else WHOLE if other_rate is None else RATE,
        cells=dict(cells),
        counts=counts,
        complete=frozenset(complete | ({OVERALL} if whole and not single and other_rate is None else set())),
        other_rate=other_rate,
        overall=overall,
    )


def _encoders_row(entry: Entry, overall: float) -> Entry:
    """The row of the I2T table beside that of the T2I table."""
    return replace(
        entry,
        mode=OVERALL_I2T,
        overall=overall,
        cells={},
        counts={},
        complete=entry.complete & {OVERALL},
        low={},
        high={},
    )


def _of_kind(base: Entry, summary: Summary, view: str, kind: str, i2t: bool) -> Iterator[Entry]:
    """The rows of one content type or source. Overall is made of their means by the same formulas."""
    base = replace(base, content=kind)
    found = {mode: each.groups[view].get(kind) for mode, each in summary.modes.items()}
    entries = [_with_means(base, summary, mode, means) for mode, means in found.items() if means]
    if not entries:
        return
    yield from entries
    by_metric: dict[str, dict[str, float]] = {}
    for entry in entries:
        for name, mean in entry.cells.items():
            by_metric.setdefault(name, {})[entry.mode] = mean
    cells = {name: math.fsum(means.values()) / len(means) for name, means in by_metric.items()}
    fr, nr = (by_metric.get(name, {}) for name in OVERALL_METRICS)
    entry = _over(base, entries, cells, overall_t2i(fr, nr))
    yield entry
    total = overall_i2t(fr, nr)
    if i2t and total is not None:
        yield _encoders_row(entry, total)


def _with_interval(entry: Entry, summary: Summary, formula: str) -> Entry:
    """An overall row with the interval of its Overall, and where it would stand among the published ones."""
    ends = summary.overall_ends.get(formula)
    low, high = ({**side, **({OVERALL: ends[end]} if ends else {})} for end, side in enumerate((entry.low, entry.high)))
    return replace(entry, low=low, high=high, among_published=_among_published(entry, summary))


def _among_published(entry: Entry, summary: Summary) -> tuple[int, int] | None:
    """Where Overall would stand among the published ones, if the ground truth is the published one by its names."""
    counts = [
        {
            name: means[OVERALL_METRICS[0]].n
            for name, means in mode.groups["sources"].items()
            if OVERALL_METRICS[0] in means
        }
        for mode in summary.modes.values()
    ]
    if entry.status != WHOLE or entry.overall is None or summary.images != sum(tables.IMAGES.values()):
        return None
    if any(found != tables.IMAGES for found in counts):
        return None
    rivals = tables.rows(tables.I2T if entry.mode == OVERALL_I2T else tables.T2I)
    return 1 + sum(row.overall > entry.overall for row in rivals), len(rivals) + 1


def _ends(found: Mapping[str, tuple[float, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Intervals as their lower and their upper ends."""
    low, high = ({name: pair[end] for name, pair in found.items()} for end in (0, 1))
    return low, high
