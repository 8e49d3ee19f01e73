"""Rate-distortion figures in the arrangement of the paper's: consistency metrics above, perception metrics below."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

from ...files.rates import ESTIMATED, MEASURED, NOMINAL
from ...runtime.messages import printable
from ..labels import NAMES, arrow
from ..summaries import Metric
from .end_labels import label_ends
from .front import front
from .points import Curve, CurvePoint
from .published_points import PublishedCurve

COLUMNS = 4
PANEL = (3.3, 2.7)  # inches
LONGEST = 44  # characters of a name in the legend
# Of published points: told apart by readers of every colour vision (Okabe and Ito, Color universal design, 2008)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
CROSSES = ("x", "+", "1", "2", "3", "4")
MARKS = {"circle": "o", "rect": "s", "triangle": "^", "rectRot": "D"}
MOST_NAMED = 10  # curves with their names beside their ends; of more there is a legend
NAME = 24  # characters of a name beside an end
FRONT = "#555555"
LINE, FOOT = 0.18, 7  # inches that a line below the panels takes; size of the caption's letters in points
# Where a mode's name stands from its point: right and up in points, and which side of it touches
BESIDE = {
    "log": {"text": (0, 7, "center"), "pixel": (0, 7, "center"), "image": (-6, 4, "right"), "full": (6, -2, "left")},
    "linear": {"text": (7, 0, "left"), "pixel": (7, -1, "left"), "image": (-6, 4, "right"), "full": (6, -2, "left")},
}
STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "svg.hashsalt": "cmcbench",
    "text.parse_math": False,  # a target's name may hold a $
}


def draw(curves: list[Curve], scale: str, published: Sequence[PublishedCurve] = ()) -> dict[str, bytes]:
    """{"png", "svg"}: the figure as files, the same bytes for the same curves and matplotlib.

    scale: "log" or "linear", of the rate. published: what others have published, drawn dashed with crosses. At least
    one curve with one metric is needed.
    """
    import matplotlib
    from matplotlib.figure import Figure

    rows = _rows(list(curves[0].measures.values()))
    columns = max(len(row) for row in rows)
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks is drawn as a box
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        named = len(curves) <= MOST_NAMED
        room = 0.06 * max(len(_short(curve.label, NAME)) for curve in curves) if named else 0  # inches of a letter
        width = max((PANEL[0] + room) * columns, 4.4)
        legend = [] if named else [(_short(curve.label), _style(curve)) for curve in curves]
        legend += [(_short(each.source), _crosses(number)) for number, each in enumerate(published)]
        longest = max((len(name) for name, _ in legend), default=1)
        per_row = max(1, min(2 * columns, int(width / (0.6 + 0.085 * longest))))  # inches of a mark and of a letter
        caption = textwrap.wrap(_caption(curves, bool(published)), int(width * 17))
        # The legend's lines, the caption's, and some air
        foot = LINE * (-(-len(legend) // per_row) + len(caption) + 0.8)
        figure = Figure(figsize=(width, PANEL[1] * len(rows) + foot), layout="constrained")
        share = foot / figure.get_figheight()
        figure.get_layout_engine().set(rect=(0, share, 1, 1 - share), w_pad=0.08, h_pad=0.08)
        axes = figure.subplots(len(rows), columns, squeeze=False)
        for row, panels in zip(rows, axes):
            for place, panel in enumerate(panels):
                if place < len(row):
                    _panel(panel, curves, row[place], scale, published)
                else:
                    panel.set_axis_off()
        if legend:
            _legend(figure, legend, per_row, share)
        low = 0.05 / figure.get_figheight()
        figure.text(0.5, low, "\n".join(caption), fontsize=FOOT, color="#555555", ha="center", va="bottom")
        _fix_layout(figure)
        return {ending: _saved(figure, ending) for ending in ("png", "svg")}


def _fix_layout(figure: Any) -> None:
    """Lay the panels out once, and round: the solver's last digits differ from run to run, and an SVG's names are made
    of them.
    """
    figure.draw_without_rendering()
    places = [panel.get_position().bounds for panel in figure.axes]
    figure.set_layout_engine("none")
    for panel, place in zip(figure.axes, places):
        panel.set_position([round(value, 4) for value in place])


def _rows(measures: list[Metric]) -> list[list[Metric]]:
    """The panels: rows of at most four consistency metrics, then of perception metrics."""
    kinds = [[each for each in measures if (each.kind == "FR") == consistency] for consistency in (True, False)]
    return [kind[start : start + COLUMNS] for kind in kinds for start in range(0, len(kind), COLUMNS)]


def _panel(panel: Any, curves: list[Curve], measure: Metric, scale: str, published: Sequence[PublishedCurve]) -> None:
    ends = []
    for curve in curves:
        points = [point for point in curve.points if measure.name in point.values and _on(point, scale)]
        if points:
            _curve(panel, curve, points, measure.name, BESIDE[scale])
            last = points[-1]
            ends.append((last.bpp, last.values[measure.name], _short(curve.label, NAME), curve.style.colour))
    best = [point for point in front(curves, measure.name, measure.lower_is_better) if _on(point, scale)]
    if len(best) > 1:
        rates, values = [point.bpp for point in best], [point.values[measure.name] for point in best]
        panel.plot(rates, values, color=FRONT, linestyle=":", linewidth=1, drawstyle="steps-post", zorder=1.5)
    for number, each in enumerate(published):
        if measure.name in each.points:
            panel.plot(*zip(*each.points[measure.name]), **_crosses(number), zorder=1)
    name = _short(NAMES.get(measure.name, measure.name))
    panel.set_title(f"{name} {arrow(measure.lower_is_better)}", fontweight="bold")
    panel.set_xlabel("rate (bits per pixel)")
    if scale == "log":
        _log_axis(panel.xaxis)
    panel.margins(x=0.09, y=0.13)
    if scale == "linear":
        panel.set_xlim(left=0)
    if len(curves) <= MOST_NAMED:
        label_ends(panel, ends)


def _on(point: CurvePoint, scale: str) -> bool:
    return point.bpp > 0 or scale == "linear"


def _log_axis(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.axes.set_xscale("log")
    low, high = axis.axes.dataLim.intervalx
    decades = 2 if high > 300 * low else 0
    axis.set_major_locator(LogLocator(subs=(1,) if decades else (1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))


def _curve(
    panel: Any,
    curve: Curve,
    points: Sequence[CurvePoint],
    metric: str,
    beside: dict[str, tuple[int, int, str]],
) -> None:
    style = _style(curve)
    rates, values = [point.bpp for point in points], [point.values[metric] for point in points]
    _interval(panel, points, metric, style["color"])
    panel.plot(rates, values, color=style["color"], linestyle=style["linestyle"], zorder=2)
    for point, rate, value in zip(points, rates, values):
        colour = point.style.colour
        face = colour if point.kind == MEASURED else "white"
        panel.plot(
            [rate],
            [value],
            marker=style["marker"],
            color=colour,
            markerfacecolor=face,
            linestyle="none",
            zorder=3,
        )
        if curve.through_modes:
            _beside(panel, rate, value, point.mode, style["color"], *beside.get(point.mode, beside["text"]))
        if point.kind == ESTIMATED:
            _beside(panel, rate, value, "e", style["color"], 0, 4, "center")
        if point.downscaled:
            _beside(panel, rate, value, "↓", style["color"], 0, -11, "center")
        if point.over_budget:
            _beside(panel, rate, value, "▸", style["color"], 4, -3, "left")


def _interval(panel: Any, points: Sequence[CurvePoint], metric: str, colour: str) -> None:
    """The 95 % intervals of the means: a band along a curve, a bar at a single point."""
    known = [point for point in points if metric in point.ends]
    low, high = ([point.ends[metric][end] for point in known] for end in (0, 1))
    rates = [point.bpp for point in known]
    if len(known) > 1:
        panel.fill_between(rates, low, high, color=colour, alpha=0.13, linewidth=0, zorder=1)
    elif known:
        panel.plot(rates * 2, [*low, *high], color=colour, linewidth=1, alpha=0.5, zorder=1)


def _beside(panel: Any, rate: float, value: float, text: str, colour: str, right: int, up: int, side: str) -> None:
    from matplotlib.patheffects import withStroke

    panel.annotate(
        text,
        (rate, value),
        xytext=(right, up),
        textcoords="offset points",
        color=colour,
        fontsize=6.5,
        ha=side,
        zorder=4,
        path_effects=[withStroke(linewidth=1.8, foreground="white")],
    )


def _style(curve: Curve) -> dict[str, Any]:
    """How a curve is drawn: the hue and the mark of its family, dashed for a codec."""
    line = "--" if curve.codec else "-"
    return {"color": curve.style.colour, "linestyle": line, "marker": MARKS[curve.style.mark]}


def _crosses(number: int) -> dict[str, Any]:
    """How published points are drawn."""
    colour, cross = COLOURS[number % len(COLOURS)], CROSSES[number % len(CROSSES)]
    line = {"linestyle": (0, (4, 2)), "linewidth": 1.0}
    return {"color": colour, **line, "marker": cross, "markersize": 6.5, "markeredgewidth": 1.3}


def _legend(figure: Any, entries: list[tuple[str, dict[str, Any]]], per_row: int, top: float) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **style) for _, style in entries]
    # Names are set afterwards: a label that begins with _ would be left out
    legend = figure.legend(
        handles, ["-"] * len(entries), loc="upper center", bbox_to_anchor=(0.5, top), ncols=per_row, borderaxespad=0
    )
    for text, (name, _) in zip(legend.get_texts(), entries):
        text.set_text(name)


def _caption(curves: list[Curve], published: bool) -> str:
    """What the marks mean, of those that the figure has, and which images it shows."""
    points = [point for curve in curves for point in curve.points]
    truth = f" of {printable(str(curves[0].data))}" if curves[0].data else ""
    parts = [f"Means over {points[0].n} of {max(point.of for point in points)} images{truth}."]
    if published:
        parts.append("Dashed with crosses: published by the source named, not scored here.")
    if any(point.ends for point in points):
        parts.append("Shaded: 95 % interval of the mean over images.")
    if any(curve.codec for curve in curves) and not all(curve.codec for curve in curves):
        parts.append("Dashed: codecs.")
    if any(len(front(curves, name, each.lower_is_better)) > 1 for name, each in curves[0].measures.items()):
        parts.append("Dotted: the best at each rate (Pareto front of counted rates).")
    if len({point.style.tone for point in points}) > 1:
        parts.append("Lighter marks: lower rates of a family.")
    kinds = {point.kind for point in points}
    if NOMINAL in kinds:
        parts.append("Hollow: nominal rate.")
    if ESTIMATED in kinds:
        parts.append("Hollow with e: estimated rate, which no stream backs.")
    if any(point.downscaled for point in points):
        parts.append("↓ some images coded at a smaller size.")
    if any(point.over_budget for point in points):
        parts.append("▸ some images above the rate asked for.")
    return " ".join(parts)


def _short(name: str, longest: int = LONGEST) -> str:
    name = printable(name)
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _saved(figure: Any, ending: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending, dpi=160, metadata={"Date": None} if ending == "svg" else None)
    return buffer.getvalue()
