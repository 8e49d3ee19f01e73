"""python -m cmcbench compare: two or more targets on the same images, and which of their differences are
significant.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import BadInput
from ...files.store import write_bytes
from ...protocol import MODES
from ...runtime.cli import parser
from ...runtime.messages import printable, say
from ...statistics import LEVEL, RESAMPLES, Difference, holm, paired_differences
from ..labels import LABELS
from ..markup import csv_text, markdown_table, markdown_text
from .comparable import Compared, check_pair, columns_of, common_metrics, find, told_apart, values_of

ALPHA = 1 - LEVEL
SHOWN = {**LABELS, "overall": "Overall", "overall-i2t": "Overall (I2T table)"}
NOTES = """
Significant differences: {significant} of {rows}. A difference is first less second, of images that both targets \
have, with
its 95 % interval. p: two-sided, by the studentised paired bootstrap over images ({resamples:,} resamples); p \
(Holm): adjusted
for all rows shown, significant at {alpha:g} or below. "no significant difference" does not say that there is none.
"""


@dataclass(frozen=True)
class Comparison:
    """One row: two targets in a mode and metric, or in "overall" or "overall-i2t" over the modes that both have.

    content: "" for all images. means: of the images that both have. holm: p, adjusted for all rows.
    """

    first: str
    second: str
    mode: str
    metric: str
    content: str
    lower_is_better: bool
    means: tuple[float, float]
    difference: Difference
    holm: float = float("nan")

    @property
    def verdict(self) -> str:
        if self.difference.n < 2:
            return "too few images"
        if not self.holm <= ALPHA:
            return "no significant difference"
        first = (self.difference.mean > 0) != self.lower_is_better
        return f"{self.first if first else self.second} is better"


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    if options.output and Path(options.output).suffix not in (".csv", ".md"):
        raise BadInput(
            f"--output {options.output}: its ending says what is written; name a file that ends in .csv or .md."
        )
    targets = told_apart([find(name, Path(options.results)) for name in options.targets])
    if len({target.folder.resolve() for target in targets}) < len(targets) or len(targets) < 2:
        raise BadInput("compare needs two or more different targets, e.g. python -m cmcbench compare real sdxl")
    found = compare(targets, _listed(options.metrics), _listed(options.modes), options.types, options.i2t)
    print(_markdown(found, printable), end="")
    if options.output:
        text = _csv(found) if options.output.endswith(".csv") else _markdown(found, markdown_text)
        write_bytes(Path(options.output), text.encode("utf-8", "replace"))
        say(f"The comparison is in {options.output}.")
    return 0


def compare(
    targets: Sequence[Compared],
    metrics: Sequence[str] = (),
    modes: Sequence[str] = (),
    types: bool = False,
    i2t: bool = False,
) -> list[Comparison]:
    """All pairs of targets, by mode and metric, and by Overall; p-values adjusted for all of them together.

    metrics, modes: only these (none: all that both targets of a pair have). types: also for each content type. i2t:
    Overall of the encoders' table too. Raises BadInput for targets that cannot be compared, and where they have no
    image in common.
    """
    found: list[Comparison] = []
    for first, second in itertools.combinations(targets, 2):
        check_pair(first, second, metrics)
        found += _pair(first, second, metrics, modes, types, i2t)
    adjusted = holm([each.difference.p for each in found])
    if len(found) > ALPHA * (RESAMPLES + 1):
        say(f"note: with {len(found)} rows no difference can be significant; compare fewer targets, modes or metrics.")
    return [replace(each, holm=p) for each, p in zip(found, adjusted)]


def _pair(
    first: Compared, second: Compared, metrics: Sequence[str], modes: Sequence[str], types: bool, i2t: bool
) -> list[Comparison]:
    common = common_metrics(first, second, metrics)
    shared = [mode for mode in first.modes if mode in second.modes]
    for mode in modes:
        if mode not in shared:
            both = ", ".join(shared) or "none"
            raise BadInput(f"--modes {mode}: not both of {first.name} and {second.name} have it. Both have: {both}.")
    left = sorted({*first.modes, *second.modes} - set(shared))
    shared = [mode for mode in shared if not modes or mode in modes]
    if left and not modes:
        say(
            f"note: {first.name} and {second.name} are compared in {', '.join(shared) or 'no mode'}; not both have"
            f" {', '.join(left)}."
        )
    columns = columns_of(shared, common, types, i2t, (first, second))
    if not columns:
        raise BadInput(f"{first.name} and {second.name} have no image in common that both have scores of.")
    a, b = values_of(first, columns, first, second), values_of(second, columns, first, second)
    found = []
    for column, x, y, difference in zip(columns, a.T, b.T, paired_differences(a - b)):
        both = ~(np.isnan(x) | np.isnan(y))
        lower = first.metrics[column.metric].lower_is_better if column.metric in first.metrics else False
        means = (float(x[both].mean()), float(y[both].mean()))
        found.append(
            Comparison(first.name, second.name, column.mode, column.metric, column.content, lower, means, difference)
        )
    every = len({*first.images.names, *second.images.names})
    if any(each.difference.n < every for each in found if not each.content):
        say(
            f"note: {first.name} and {second.name} do not have the same images; n says how many of {every} are"
            " compared."
        )
    return found


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _cells(each: Comparison, escape: Callable[[str], str]) -> list[str]:
    found = each.difference
    interval = f"[{found.low:+.4f}, {found.high:+.4f}]" if found.n > 1 else ""
    figures = [
        str(found.n),
        *(f"{mean:.4f}" for mean in each.means),
        f"{found.mean:+.4f}",
        interval,
        _p(found.p),
        _p(each.holm),
    ]
    return [
        escape(each.mode),
        each.content or "all",
        escape(SHOWN.get(each.metric, each.metric)),
        *figures,
        escape(each.verdict),
    ]


def _p(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _markdown(found: Sequence[Comparison], escape: Callable[[str], str]) -> str:
    """A table with a heading for each pair, then what the figures mean."""
    tables = []
    for (first, second), rows in itertools.groupby(found, key=lambda each: (each.first, each.second)):
        cells = [_cells(each, escape) for each in rows]
        head = [
            "mode",
            "images",
            "metric",
            "n",
            "first",
            "second",
            "difference",
            "95 % interval",
            "p",
            "p (Holm)",
            "result",
        ]
        if all(row[1] == "all" for row in cells):
            head, cells = head[:1] + head[2:], [row[:1] + row[2:] for row in cells]
        tables.append(f"## {escape(first)} (first) and {escape(second)} (second)\n\n{markdown_table(head, cells)}")
    significant = sum(each.holm <= ALPHA for each in found)
    return "\n".join(tables) + NOTES.format(significant=significant, resamples=RESAMPLES, rows=len(found), alpha=ALPHA)


def _csv(found: Sequence[Comparison]) -> str:
    figures = ["mean_first", "mean_second", "difference", "low", "high", "p", "p_holm"]
    rows: list[list[object]] = [["first", "second", "mode", "content", "metric", "n", *figures, "result"]]
    for each in found:
        d = each.difference
        values = [
            "" if math.isnan(value) else f"{value:.6f}"
            for value in (*each.means, d.mean, d.low, d.high, d.p, each.holm)
        ]
        rows.append([each.first, each.second, each.mode, each.content, each.metric, d.n, *values, each.verdict])
    return csv_text(rows)


def _parser() -> argparse.ArgumentParser:
    options = parser(
        "Compare targets on the same images: differences, intervals, and which are significant.", "compare"
    )
    options.add_argument(
        "targets", nargs="+", metavar="TARGET", help="two or more names in --results, or folders, that are scored"
    )
    options.add_argument("--results", metavar="FOLDER", default="Result", help="folder of the targets")
    options.add_argument(
        "--metrics", default="", help="only these, separated by commas (empty: all that both targets have)"
    )
    options.add_argument(
        "--modes", default="", help=f"only these of {', '.join(MODES)}, separated by commas (empty: all that both have)"
    )
    options.add_argument("--types", action="store_true", help="also for each content type")
    options.add_argument("--i2t", action="store_true", help="also Overall as in the table of I2T models")
    options.add_argument("--output", metavar="FILE", default="", help="also write the table to a .csv or .md file")
    return options
