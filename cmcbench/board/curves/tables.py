"""The tables beside the curves: points.csv, bd.csv and bd.md, cost.md."""

from __future__ import annotations

from typing import Any

from ...files.rates import MEASURED
from ..labels import arrow
from ..markup import csv_text, markdown_table, markdown_text, number
from .bjontegaard import CurveDelta, Delta, Span
from .points import Curve, CurvePoint

LEAST_OVERLAP = 0.5  # below it a delta is of a small part of the curves, which the table marks
RANGE = (
    "BD-metric is over {0:g} to {1:g} bpp for all curves, BD-rate over the qualities that the anchor has at these"
    " rates.\n"
)
USUAL_POINTS = 4  # of Bjontegaard's proposal; fewer are marked


def points_csv(curves: list[Curve]) -> str:
    """One row a point: where it stands, its rate, every metric's mean, what it costs, the means' intervals."""
    metrics = list(curves[0].measures) if curves else []
    stated = [str(curve.data) for curve in curves[:1] if curve.data]
    head = [
        "curve",
        "target",
        "mode",
        "n",
        "of",
        "kind",
        "bpp",
        "ratio",
        *metrics,
        "encode_seconds",
        "decode_seconds",
        "peak_memory",
        "downscaled",
        "over_budget",
        *(["data"] if stated else []),
        *(f"{metric}_{end}" for metric in metrics for end in ("low", "high")),
    ]
    rows: list[list[Any]] = [head]
    for curve in curves:
        for point in curve.points:
            values = [_digits(point.values.get(metric), 6) for metric in metrics]
            seconds = [_digits(value, 4) for value in (point.encode_seconds, point.decode_seconds)]
            rows.append(
                [
                    curve.label,
                    point.target,
                    point.mode,
                    point.n,
                    point.of,
                    point.kind,
                    f"{point.bpp:.6f}",
                    _digits(point.ratio if point.bpp else None, 1),
                    *values,
                    *seconds,
                    point.peak_memory,
                    point.downscaled,
                    point.over_budget,
                    *stated,
                    *(_digits(end, 6) for metric in metrics for end in point.ends.get(metric, (None, None))),
                ]
            )
    return csv_text(rows)


def cost_markdown(curves: list[Curve]) -> str:
    """What each point takes: rate, seconds an image, peak memory."""
    head = ["curve", "target", "mode", "bpp", "ratio", "encode s/image", "decode s/image", "peak memory"]
    rows = []
    for curve in curves:
        for point in curve.points:
            names = [markdown_text(name) for name in (curve.label, point.target, point.mode)]
            bpp = f"{point.bpp:.4f}" + ("" if point.kind == MEASURED else f" *{point.kind}*")
            seconds = [_seconds(value) for value in (point.encode_seconds, point.decode_seconds)]
            rows.append(
                [*names, bpp, number(point.ratio if point.bpp else None, 0), *seconds, _memory(point.peak_memory)]
            )
    return (
        "# Cost\n\n"
        + markdown_table(head, rows)
        + "\nWall-clock seconds are means over the images that tell, on the machine that made them: compare them only"
        f" where the machine is the same. Peak memory is the largest of an image.\n{_images(curves)}"
    )


def bd_csv(comparisons: list[CurveDelta], span: Span = None) -> str:
    """One row a curve and metric, BD-rate and BD-metric with interval, overlap, resamples without one, and reasons; the
    range of rates where one was asked for.
    """
    parts = ("", "_low", "_high", "_overlap", "_failed", "_note")
    head = ["curve", "anchor", "metric", "lower_is_better", "n", "points", "anchor_points"]
    head += [f"{name}{part}" for name in ("bd_rate", "bd_metric") for part in parts]
    rows: list[list[Any]] = [head + (["range_low", "range_high"] if span else [])]
    for each in comparisons:
        anchor_points, points = each.points
        row = [each.curve, each.anchor, each.metric, str(each.lower_is_better), each.n, points, anchor_points]
        for delta in (each.rate, each.quality):
            ends = [_digits(value, 6) for value in (delta.value, delta.low, delta.high)]
            row += [*ends, f"{delta.overlap:.4f}", delta.failed, delta.refused or delta.doubt]
        rows.append(row + list(span or ()))
    return csv_text(rows)


def bd_markdown(
    comparisons: list[CurveDelta], curves: list[Curve], anchor: str, resamples: int, span: Span = None
) -> str:
    """A table of BD-rates and one of BD-metrics: a row a curve, a column a metric, and why where there is none."""
    notes: list[str] = []
    over = RANGE.format(*span) if span else ""
    parts = [
        f"# Bjontegaard deltas against {markdown_text(anchor)}\n",
        "## BD-rate, percent\n\nLess than 0: fewer bits for the same quality.\n",
        _table(comparisons, notes, lambda each: each.rate, 1),
        (
            "## BD-metric, in the metric's unit\n\nThe mean difference at the same rate; ↑ above 0 is better, ↓ below 0"
            " is better.\n"
        ),
        _table(comparisons, notes, lambda each: each.quality, 4),
        "".join(f"[{place}] {note}.  \n" for place, note in enumerate(notes, 1)),
        (
            f"In brackets: 95 % bootstrap interval over images, {resamples:,} resamples, the same images drawn for both"
            f" curves. Interpolated by PCHIP over log10(rate).\n{over}{_images(curves)}"
        ),
    ]
    return "\n".join(part for part in parts if part)


def _table(comparisons: list[CurveDelta], notes: list[str], which: Any, digits: int) -> str:
    metrics = {each.metric: each.lower_is_better for each in comparisons}
    curves = list(dict.fromkeys(each.curve for each in comparisons))
    cells = {(each.curve, each.metric): _cell(each, which(each), notes, digits) for each in comparisons}
    head = ["curve", *(f"{markdown_text(name)} {arrow(lower)}" for name, lower in metrics.items())]
    return markdown_table(
        head, [[markdown_text(curve), *(cells[curve, metric] for metric in metrics)] for curve in curves]
    )


def _cell(each: CurveDelta, delta: Delta, notes: list[str], digits: int) -> str:
    if delta.value is None:
        return "– " + _noted(notes, delta.refused)
    text = f"{delta.value:+.{digits}f}"
    if delta.low is not None:
        text += f" ({delta.low:+.{digits}f} to {delta.high:+.{digits}f})"
    doubts = [delta.doubt] if delta.doubt else []
    if delta.failed and not delta.doubt:
        doubts.append(f"{delta.failed:,} resamples, in which the curves have no delta, are left out of the interval")
    if delta.overlap < LEAST_OVERLAP:
        doubts.append(f"the curves overlap on {delta.overlap:.0%} of their range only")
    if min(each.points) < USUAL_POINTS:
        doubts.append(
            f"made of curves of {each.points[0]} (anchor) and {each.points[1]} points, where {USUAL_POINTS} are usual"
        )
    return " ".join([text, *(_noted(notes, doubt) for doubt in doubts)])


def _noted(notes: list[str], note: str) -> str:
    """The mark of a note below the tables, the same for the same note."""
    note = markdown_text(note)
    if note not in notes:
        notes.append(note)
    return f"[{notes.index(note) + 1}]"


def _images(curves: list[Curve]) -> str:
    points: list[CurvePoint] = [point for curve in curves for point in curve.points]
    n, of = points[0].n, max(point.of for point in points)
    lacking = "" if n == of else " Some points lack a score or the rate of the others."
    truth = f"{of} in {markdown_text(str(curves[0].data))}" if curves[0].data else f"{of} in the ground truth"
    return f"All figures are of the same {n} images, of {truth}.{lacking}\n"


def _digits(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _memory(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:,.0f} MB"
