"""The rows of the leaderboard, read from the targets' summaries, which may be strangers'."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...files.rates import NOMINAL
from ...protocol import MODES, OVERALL_METRICS, SOURCES, overall_i2t, overall_t2i
from ...published import tables
from ..labels import OVERALL, OVERALL_I2T

WHOLE, PARTIAL, SINGLE, PUBLISHED = "whole", "partial", "single mode", "published"
KINDS = {  # view -> what images are told apart by
    "types": sorted([*SOURCES, "other"]),
    "sources": sorted(f"{kind}_{source}" for kind, sources in SOURCES.items() for source in sources),
}
LONGEST_NAME, MOST_METRICS = 200, 64  # what a table can still be read with


@dataclass
class Entry:
    """One row of the leaderboard: a target in a mode, or one of its overall rows; of all images, or of one kind of
    them.

    target, encoder, decoder: names from files of strangers; escape them. baseline: which parts are no generative model.
    folder: where scores.csv is; None of a published row. truth: digest of the ground truth. mode: of ORDER.
    table: "i2t" for the published rows of that table, else "t2i".
    content: "" for all images, else a content type ("NSI") or source ("NSI_pgc"). modes: what an overall row is made
    of.
    n: images that have every score of the row; of: images of the ground truth.
    status: WHOLE, PARTIAL, SINGLE (one mode, while a submission has two) or PUBLISHED.
    cells: metric -> mean. overall: Overall, of overall rows. low, high: metric, or OVERALL -> end of the 95 % interval;
    what has none (a measure of the whole set, as FID; a single image) is not in it.
    bpp: mean bits per pixel; nominal: at the protocol's rate, since no bitstream is there; ratio: 24 / bpp;
    bpp_deflate: with the captions deflated. encode_seconds, decode_seconds: means an image; peak_memory: bytes. None:
    not known.
    peers: metric (and OVERALL) -> what must be equal for two rows to be compared: ground truth and weights.
    ranks: metric (and OVERALL) -> place among the whole rows that can be compared; places: its 95 % interval (best,
    worst).
    among_published: (place, of how many) were the row in the published table; only where the ground truth looks like
    it.
    """

    target: str
    baseline: str
    mode: str
    n: int
    of: int
    status: str
    bpp: float | None
    cells: dict[str, float]
    peers: dict[str, tuple[str, ...]]
    overall: float | None = None
    folder: Path | None = None
    truth: str = ""
    table: str = tables.T2I
    content: str = ""
    modes: tuple[str, ...] = ()
    encoder: str = ""
    decoder: str = ""
    nominal: bool = False
    ratio: float | None = None
    bpp_deflate: float | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    peak_memory: float | None = None
    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    among_published: tuple[int, int] | None = None

    def value(self, column: str) -> float | None:
        return self.overall if column == OVERALL else self.cells.get(column)

    @property
    def published(self) -> bool:
        return self.status == PUBLISHED


def read_entries(summary: dict[str, Any], folder: Path, view: str = "", i2t: bool = False) -> list[Entry]:
    """The rows of one summary: one a mode, then the overall row, then that of the I2T table where it is asked for.

    view: "types" or "sources" for a row of each kind of image instead of one of all. i2t: the I2T row in any case.
    Raises KeyError, TypeError, ValueError or AttributeError for what is no summary of this program.
    """
    reader = _Reader(summary, folder, i2t)
    if not view:
        return list(reader.lines())
    kinds = [kind for kind in KINDS[view] if any(kind in summary["modes"][mode].get(view, {}) for mode in reader.modes)]
    return [line for kind in kinds for line in reader.kind(view, kind)]


class _Reader:
    def __init__(self, summary: dict[str, Any], folder: Path, i2t: bool) -> None:
        self.summary = summary
        self.modes = [mode for mode in (*MODES, "images") if mode in summary["modes"].keys()]
        self.of, truth = int(summary["ground_truth"]["images"]), _name(summary["ground_truth"]["digest"])
        if len(summary["metrics"]) > MOST_METRICS:
            raise ValueError(f"it has {len(summary['metrics'])} metrics")
        self.peers = {_name(name): (truth, _name(each["identity"])) for name, each in summary["metrics"].items()}
        if set(OVERALL_METRICS) <= self.peers.keys():
            self.peers[OVERALL] = (*self.peers[OVERALL_METRICS[0]], *self.peers[OVERALL_METRICS[1]])
        made_by = summary["made_by"]
        captions = made_by.get("captions") or {}
        self.about = {
            "folder": folder,
            "truth": truth,
            "encoder": Path(_name(captions.get("file") or "")).stem,
            "decoder": _name(made_by.get("t2i") or ""),
        }
        self.target, self.baseline = _name(summary["target"]), _baseline(made_by, captions)
        self.i2t = i2t or bool(summary.get("i2t_table"))

    def lines(self) -> Iterator[Entry]:
        lines = [self._mode(mode) for mode in self.modes]
        yield from lines
        low, high = _ends(self.summary.get("over_modes_interval") or {})
        cells = {str(name): _finite(mean) for name, mean in self.summary["over_modes"].items() if mean is not None}
        both = {name: None if value is None else _finite(value) for name, value in self.summary["overall"].items()}
        line = self._overall(lines, cells, both["t2i"])
        line.low, line.high = low, high
        self._interval(line, "t2i")
        line.among_published = self._among_published(line)
        yield line
        if self.i2t and both["i2t"] is not None:
            line = _encoders_row(line, both["i2t"])
            self._interval(line, "i2t")
            line.among_published = self._among_published(line)
            yield line

    def kind(self, view: str, kind: str) -> Iterator[Entry]:
        """The rows of one content type or source. Overall is made of their means by the same formulas."""
        lines = [
            self._mode(mode, view, kind) for mode in self.modes if self.summary["modes"][mode].get(view, {}).get(kind)
        ]
        yield from lines
        metrics = dict.fromkeys(name for line in lines for name in line.cells)
        by_metric = {name: {line.mode: line.cells[name] for line in lines if name in line.cells} for name in metrics}
        cells = {name: math.fsum(means.values()) / len(means) for name, means in by_metric.items()}
        fr, nr = (by_metric.get(name, {}) for name in OVERALL_METRICS)
        line = self._overall(lines, cells, overall_t2i(fr, nr))
        line.content = kind
        yield line
        total = overall_i2t(fr, nr)
        if self.i2t and total is not None:
            yield _encoders_row(line, total)

    def _mode(self, mode: str, view: str = "", kind: str = "") -> Entry:
        found = self.summary["modes"][mode]
        means = found[view][kind] if view else found["metrics"]
        cells = {str(name): _finite(each["mean"]) for name, each in means.items()}
        low, high = _ends({name: (each.get("low"), each.get("high")) for name, each in means.items()})
        n = min((int(each["n"]) for each in means.values()), default=0)
        everything = min((int(each["n"]) for each in found["metrics"].values()), default=0)
        status = WHOLE if everything == self.of else PARTIAL
        bpp = _finite(found["bpp"]["mean"]) if found["bpp"] else None
        line = Entry(
            self.target,
            self.baseline,
            mode,
            n,
            self.of,
            status,
            bpp,
            cells,
            self.peers,
            modes=(mode,),
            content=kind,
            low=low,
            high=high,
            **self.about,
        )
        self._costs(line, found)
        if view:  # costs are those of all images
            line.bpp = line.ratio = line.bpp_deflate = line.encode_seconds = line.decode_seconds = line.peak_memory = (
                None
            )
            line.nominal = False
        return line

    def _costs(self, line: Entry, found: dict[str, Any]) -> None:
        rate, cost = found.get("rate") or {}, found.get("cost") or {}
        line.nominal, line.ratio = rate.get("kind") == NOMINAL, _maybe(rate.get("ratio"))
        caption, deflate = _maybe(rate.get("caption")), _maybe(rate.get("deflate"))
        if line.bpp is not None and caption is not None and deflate is not None:
            line.bpp_deflate = line.bpp - caption + deflate
        line.encode_seconds, line.decode_seconds = (
            _maybe(cost.get("encode_seconds")),
            _maybe(cost.get("decode_seconds")),
        )
        line.peak_memory = _maybe(cost.get("peak_memory"))

    def _overall(self, lines: list[Entry], cells: dict[str, float], overall: float | None) -> Entry:
        n = min((line.n for line in lines), default=0)
        if overall is not None and any(metric not in line.cells for line in lines for metric in OVERALL_METRICS):
            n = 0  # a mode lacks a score that Overall is made of: it would stand among those of more modes
        whole = n > 0 and all(line.status == WHOLE for line in lines)
        status = PARTIAL if not whole else WHOLE if len(self.modes) > 1 else SINGLE
        if overall is not None and OVERALL not in self.peers:
            raise ValueError("an Overall without TOPIQ's metrics")
        return Entry(
            self.target,
            self.baseline,
            OVERALL,
            n,
            self.of,
            status,
            None,
            cells,
            self.peers,
            overall,
            modes=tuple(self.modes),
            **self.about,
        )

    def _interval(self, line: Entry, formula: str) -> None:
        low, high = _ends({OVERALL: (self.summary.get("overall_interval") or {}).get(formula)})
        line.low, line.high = {**line.low, **low}, {**line.high, **high}

    def _among_published(self, line: Entry) -> tuple[int, int] | None:
        """Where Overall would stand among the published ones, if the ground truth is the published one by its names."""
        sources = (self.summary["modes"][mode].get("sources", {}) for mode in self.modes)
        same = all(
            {name: each.get(OVERALL_METRICS[0], {}).get("n") for name, each in found.items()} == tables.IMAGES
            for found in sources
        )
        if line.status != WHOLE or line.overall is None or self.of != sum(tables.IMAGES.values()) or not same:
            return None
        rivals = tables.rows(tables.I2T if line.mode == OVERALL_I2T else tables.T2I)
        return 1 + sum(row.overall > line.overall for row in rivals), len(rivals) + 1


def _encoders_row(line: Entry, overall: float) -> Entry:
    """The row of the I2T table beside that of the T2I table."""
    return replace(
        line, mode=OVERALL_I2T, overall=overall, cells={}, low={}, high={}, ranks={}, places={}, among_published=None
    )


def published_entries(table: str) -> Iterator[Entry]:
    """The published rows of a table: those of the modes and the overall row of each model."""
    images = sum(tables.IMAGES.values())
    partner = tables.PARTNERS[table]
    for row in tables.rows(table):
        encoder, decoder = (partner, row.model) if table == tables.T2I else (row.model, partner)
        about = {"table": table, "encoder": encoder, "decoder": decoder}
        for mode in row.fr:
            cells = {OVERALL_METRICS[0]: row.fr[mode], OVERALL_METRICS[1]: row.nr[mode]}
            yield Entry(row.model, "", mode, images, images, PUBLISHED, None, cells, {}, modes=(mode,), **about)
        means = {
            OVERALL_METRICS[0]: sum(row.fr.values()) / len(row.fr),
            OVERALL_METRICS[1]: sum(row.nr.values()) / len(row.nr),
        }
        mode, cells = (OVERALL, means) if table == tables.T2I else (OVERALL_I2T, {})
        yield Entry(
            row.model, "", mode, images, images, PUBLISHED, None, cells, {}, row.overall, modes=tuple(row.fr), **about
        )


def _baseline(made_by: dict[str, Any], captions: dict[str, Any]) -> str:
    parts = ["decoder"] if made_by.get("baseline") else []
    return " and ".join(parts + (["captions"] if captions.get("baseline") else []))


def _ends(found: dict[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """low and high of what has both."""
    pairs = {str(name): pair for name, pair in found.items() if pair is not None and None not in tuple(pair)}
    low, high = ({name: _finite(pair[end]) for name, pair in pairs.items()} for end in (0, 1))
    return low, high


def _name(value: Any) -> str:
    if len(str(value)) > LONGEST_NAME:
        raise ValueError(f"a name has {len(str(value))} characters")
    return str(value)


def _maybe(value: Any) -> float | None:
    return None if value is None else _finite(value)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no score")
    return number
