"""Points that others have published, from a table, to be drawn beside the curves that were scored here.

A point is drawn only where it is of the same test set, preparation and variant of the metric: what differs is named.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import BadInput
from ...files import untrusted
from ...files.untrusted import LARGEST_RATE, LARGEST_SCORE, LONGEST_NAME, Unusable, shown
from ...protocol import OVERALL_METRICS
from ...published import tables
from ...published.dataset import IMAGES, is_whole
from ...published.metrics import canonical, of_pyiqa
from ...published.test_sets import BENCHMARK
from ...runtime.messages import RunLog, say
from ..labels import NAMES, VARIANTS
from ..markup import csv_text
from .points import Curve

COLUMNS = ("data", "preparation", "metric", "variant", "bpp", "value", "source")
ORIGINAL = "original"  # the preparation of pictures at their own size
MOST_SOURCES = 64
PAPER = "arXiv 2406.09356"


@dataclass(frozen=True)
class _Point:
    line: int
    data: str
    preparation: str
    metric: str
    variant: str
    bpp: float
    value: float
    source: str


@dataclass(frozen=True)
class PublishedCurve:
    """What one source has published. points: metric -> (bits per pixel, value) in the order of their rates."""

    source: str
    points: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)


def read(file: Path, curves: Sequence[Curve], report: RunLog) -> list[PublishedCurve]:
    """The points of a table that stand beside these curves, by source. Those of another preparation or variant are
    failures of the report; those of other test sets, and of metrics that are not drawn, are counted.

    Raises BadInput for a table that cannot be used, and where none of its points can be drawn.
    """
    known = _known_metrics(curves)
    try:
        points = list(_rows(untrusted.read_bytes(file), known))
    except Unusable as error:
        raise BadInput(f"--points {file} {error}.") from None
    _check_metrics(file, points, known)
    drawn: dict[str, dict[str, list[tuple[float, float]]]] = {}
    elsewhere: dict[str, list[int]] = {}
    refused: dict[str, list[int]] = {}
    for point in points:
        if reason := _elsewhere(point, curves[0]):
            elsewhere.setdefault(reason, []).append(point.line)
        elif reason := _differs(point, curves[0]):
            refused.setdefault(reason, []).append(point.line)
        else:
            drawn.setdefault(point.source, {}).setdefault(point.metric, []).append((point.bpp, point.value))
    if not drawn:
        raise BadInput(f"--points {file}: no point can be drawn: {_first(refused or elsewhere)}.")
    for reason, lines in elsewhere.items():
        say(f"note: {file}: {_first({reason: lines})}; left out.")
    for reason, lines in refused.items():
        report.fail(f"{file} {reason}", f"{file}: {_first({reason: lines})}; left out")
    return [
        PublishedCurve(source, {metric: tuple(sorted(found)) for metric, found in metrics.items()})
        for source, metrics in drawn.items()
    ]


def template() -> str:
    """A table with the benchmark's own published points: the means of its two tables, at its modes' rates."""
    rows: list[Sequence[object]] = [COLUMNS]
    encoder, decoder = (tables.PARTNERS[table] for table in (tables.T2I, tables.I2T))
    pairs = [(f"{encoder}+{row.model}", row) for row in tables.rows(tables.T2I)]
    # The pair of the two partners stands in both tables
    pairs += [(f"{row.model}+{decoder}", row) for row in tables.rows(tables.I2T) if row.model != encoder]
    for name, row in pairs:
        for metric, means in zip(OVERALL_METRICS, (row.fr, row.nr)):
            about = BENCHMARK, ORIGINAL, metric, VARIANTS[metric]
            rows += [
                (*about, f"{tables.RATES[mode]:.3f}", f"{mean:.4f}", f"{name}, {PAPER}") for mode, mean in means.items()
            ]
    return csv_text(rows)


def _known_metrics(curves: Sequence[Curve]) -> set[str]:
    """The metrics that can be scored here, and those of the curves."""
    known = {*NAMES, *VARIANTS, *curves[0].measures}
    with contextlib.suppress(BadInput):  # a board needs no pyiqa
        known.update(of_pyiqa())
    return known


def _rows(data: bytes, known: Collection[str]) -> Iterator[_Point]:
    columns, rows = untrusted.table(data, bom=True)
    lacking = [name for name in COLUMNS if name not in columns]
    if lacking:
        raise Unusable(f"has no column {', '.join(lacking)}; expected are {', '.join(COLUMNS)}")
    if not rows:
        raise Unusable("has no points")
    for line, cells in enumerate(rows, 2):
        try:
            yield _point(line, {name: cells[name].strip() for name in COLUMNS}, known)
        except Unusable as error:
            raise Unusable(f"line {line}: {error}") from None


def _point(line: int, cells: dict[str, str], known: Collection[str]) -> _Point:
    for name in ("data", "preparation", "metric", "source"):
        if not cells[name]:
            raise Unusable(f"{name} is empty")
    for name in ("data", "preparation", "metric", "variant", "source"):
        if len(cells[name]) > LONGEST_NAME or not cells[name].isprintable():
            raise Unusable(f"{name} is longer than {LONGEST_NAME} characters, or holds control characters")
    bpp, value = untrusted.number(cells["bpp"]), untrusted.number(cells["value"])
    if not 0 < bpp <= LARGEST_RATE:
        raise Unusable(f"bpp is {shown(cells['bpp'])}, expected a rate in bits per pixel above 0")
    if abs(value) > LARGEST_SCORE:
        raise Unusable(f"value is {shown(cells['value'])}, which is no score")
    texts = {name: cells[name] for name in ("data", "preparation", "variant", "source")}
    return _Point(line=line, metric=canonical(cells["metric"], known), bpp=bpp, value=value, **texts)


def _check_metrics(file: Path, points: Sequence[_Point], known: Collection[str]) -> None:
    """Raise BadInput for a metric that is not known here, and for too many sources."""
    for point in points:
        if point.metric not in known:
            near = difflib.get_close_matches(point.metric, known, n=3, cutoff=0.6)
            hint = f" Near: {', '.join(near)}." if near else ""
            raise BadInput(f"--points {file} line {point.line}: there is no metric {shown(point.metric)}.{hint}")
    sources = len({point.source for point in points})
    if sources > MOST_SOURCES:
        raise BadInput(f"--points {file} has {sources} sources; at most {MOST_SOURCES} can be told apart in a figure.")


def _elsewhere(point: _Point, curve: Curve) -> str:
    """Why a point has no place in these figures, as a phrase, though nothing is wrong with it; "" where it has one."""
    if point.metric not in curve.measures:
        return f"{point.metric} is not among the metrics of the curves"
    here = curve.data.name if curve.data else BENCHMARK
    if point.data != here and not here.startswith(f"{point.data} "):
        return f"is of the test set {point.data}, the curves of {curve.data or 'none that is stated'}"
    return ""


def _differs(point: _Point, curve: Curve) -> str:
    """In what a point cannot be compared with the curves, as a phrase; "" where it can."""
    if curve.data is None:
        if point.preparation != ORIGINAL:
            return f"is of {BENCHMARK} {point.preparation}, whose pictures were scored as they are ({ORIGINAL})"
        if not is_whole(curve.images):
            return f"is of the benchmark's {IMAGES:,} images, the curves of {len(curve.images):,} images"
    elif f"{point.data} {point.preparation}" != curve.data.name:
        return f"is of {point.data} {point.preparation}, the curves of {curve.data}"
    wanted = VARIANTS.get(point.metric, "")
    if point.variant != wanted and point.variant != curve.measures[point.metric].identity:
        asked = f"is of variant {point.variant}" if point.variant else "has no variant"
        return f"{point.metric} {asked}, the curves' is {wanted or curve.measures[point.metric].identity}"
    return ""


def _first(reasons: dict[str, list[int]]) -> str:
    """The first reason, and which points it is of."""
    reason, lines = next(iter(reasons.items()))
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"line {lines[0]}{more}: {reason}"
