"""python -m cmcbench curves: rate-distortion curves of scored targets, as figures and tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...errors import BadInput
from ...files.store import only_writer, put_new, sweep, write_bytes
from ...runtime.cli import bits_per_pixel, parser, positive
from ...runtime.messages import RunLog, printable, say
from ..gone import take_away
from ..labels import counted
from ..scored import folders

ANCHOR = "hevc"
SCALES = ("log", "linear")


def main(argv: list[str]) -> int:
    """Write points.csv, cost.md, bd.csv, bd.md and the figures. Returns the exit code."""
    options = _parser().parse_args(argv)
    if options.template:
        return _template(options.template)
    results = Path(options.results)
    output = Path(options.output) if options.output else results / "curves"
    span = _span(options.range)
    from . import published_points
    from .collect import Curve, collect

    metrics = [name.strip() for name in options.metrics.split(",") if name.strip()] or None
    curves: list[Curve] = collect(results, options.targets or None, metrics)
    if not any(curve.measures for curve in curves):
        gone = "" if folders(results) else take_away(results)
        raise BadInput(
            f"{results}: no target has both scores and a known rate.{gone} Make some with python -m cmcbench codec, "
            "or script-t2i.py, and score them with script-evaluate.py."
        )
    anchor = _anchor(curves, options.anchor)
    report = RunLog()
    published = published_points.read(Path(options.points), curves, report) if options.points else []
    _tell(curves)
    with only_writer(output / ".curves.lock", f"curves of {output}", wait=60):
        for name in ("points", "cost", "bd", "rate"):
            sweep(output, name)
        _write(output, curves, published, anchor, options.resamples, span)
    return report.close(
        f"The figures are rate-*.png and .svg, the tables points.csv, cost.md{' and bd.md' if anchor else ''} in"
        f" {output}."
    )


def _template(name: str) -> int:
    from .published_points import template

    if not name.endswith(".csv"):
        raise BadInput(f"--template {name}: expected the name of a .csv file.")
    put_new(Path(name), template().encode(), False)
    say(f"{name} holds the benchmark's published points. Add others, and draw them with --points {name}.")
    return 0


def _span(asked: list[float] | None) -> tuple[float, float] | None:
    """The rates that all deltas are taken over. Raises BadInput."""
    if not asked:
        return None
    low, high = asked
    if low >= high:
        raise BadInput(f"--range {low:g} {high:g}: expected the lower rate first, in bits per pixel.")
    return low, high


def _anchor(curves: list, asked: str | None) -> object | None:
    """The curve that others are held against, None where there is none. Raises BadInput for one asked for that is not
    there.
    """
    found = [curve for curve in curves if curve.label == (asked or ANCHOR)]
    if found:
        return found[0]
    labels = ", ".join(printable(curve.label) for curve in curves)
    if asked:
        raise BadInput(f"--anchor {ascii(asked)}: there is no such curve. There are: {labels}.")
    say(f"note: there is no curve {ANCHOR}, so no BD-rate is made; name another with --anchor. There are: {labels}.")
    return None


def _tell(curves: list) -> None:
    points = [point for curve in curves for point in curve.points]
    of = max(point.of for point in points)
    drawn = f"{counted(len(curves), 'curve')} with {counted(len(points), 'point')}"
    say(f"{drawn}, over the {points[0].n} of {of} images that all of them have.")


def _write(
    output: Path,
    curves: list,
    published: list,
    anchor: object | None,
    resamples: int,
    span: tuple[float, float] | None,
) -> None:
    from . import tables
    from .bjontegaard import compare
    from .figures import draw

    files = {"points.csv": tables.points_csv(curves).encode(), "cost.md": tables.cost_markdown(curves).encode()}
    if anchor is not None:
        comparisons = compare(curves, anchor, resamples, span=span)
        files["bd.csv"] = tables.bd_csv(comparisons, span).encode()
        markdown = tables.bd_markdown(comparisons, curves, anchor.label, resamples, span)
        files["bd.md"] = markdown.encode()
        print(markdown)
    for scale in SCALES:
        files.update({f"rate-{scale}.{ending}": data for ending, data in draw(curves, scale, published).items()})
    for name in ("bd.csv", "bd.md"):
        if name not in files:
            (output / name).unlink(missing_ok=True)  # of an earlier run, which these points do not belong to
    for name, data in files.items():
        write_bytes(output / name, data)


def _parser() -> argparse.ArgumentParser:
    options = parser("Rate-distortion curves, BD-rates and costs of scored targets.", "curves")
    options.add_argument(
        "targets", metavar="TARGET", nargs="*", help="names, patterns such as 'vvc@*', or groups (vvc); none: all"
    )
    options.add_argument("--results", default="./Result/", help="folder that holds the scored targets")
    options.add_argument(
        "--anchor", default=None, help=f"the curve that BD-rates are taken against (None: {ANCHOR}, where there is one)"
    )
    options.add_argument("--metrics", default="", help="only these, separated by commas (empty: all that are scored)")
    options.add_argument("--output", default="", help="folder of the figures and tables (empty: curves in --results)")
    options.add_argument(
        "--points",
        metavar="FILE.csv",
        default="",
        help="published points to draw dashed beside the curves: data,preparation,metric,variant,bpp,value,source",
    )
    options.add_argument(
        "--template",
        metavar="FILE.csv",
        default="",
        help="only write such a file, with the benchmark's own published points",
    )
    options.add_argument(
        "--range",
        nargs=2,
        metavar=("LOW", "HIGH"),
        type=bits_per_pixel,
        default=None,
        help="take all BD-metrics over these bits per pixel, all BD-rates over the anchor's qualities there"
        " (None: over all that both curves reach)",
    )
    options.add_argument("--resamples", metavar="N", type=positive, default=10_000, help="of the bootstrap over images")
    return options
