"""The comparisons as text: a table for each pair, or of many targets a matrix and a summary; and all rows as CSV."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from ...statistics import RESAMPLES
from ..labels import LABELS, OVERALL, OVERALL_I2T, arrow
from ..markup import csv_text, markdown_table
from .comparing import ALPHA, MOST_TABLES, Comparison, resamples_for

SHOWN = {**LABELS, OVERALL: "Overall", OVERALL_I2T: "Overall (I2T table)"}
MOST_MATRICES = 4
LEADERS = 4  # names of a summary's cell
BETTER, WORSE, EQUAL, FEW = "+", "-", ".", "?"
NOTES = """
Significant differences: {significant} of {rows}. A difference is first less second, of images that both targets \
have, with
its 95 % interval. p: two-sided, by the studentised paired bootstrap over images ({resamples:,} resamples); p \
(Holm): adjusted
for all rows shown, significant at {alpha:g} or below. "no significant difference" does not say that there is none.
"""
MATRIX_NOTES = """
{better} the row's target is significantly better than the column's, {worse} worse, {equal} no significant difference \
(which does not
say that there is none), {few} too few images for an interval. Paired bootstrap over images ({resamples:,} resamples), \
p adjusted
by Holm for all pairs of a table, significant at {alpha:g} or below. All {rows:,} rows with their figures: --output \
FILE.csv
"""
SEEDS_NOTE = """
A system with several seeds is compared by each image's mean over them, and seeds are drawn as well as images.
"""

Escape = Callable[[str], str]


def markdown(found: Sequence[Comparison], escape: Escape) -> str:
    """A table for each pair, and what the figures mean; of more than MOST_TABLES targets `matrices`."""
    if len({name for each in found for name in (each.first, each.second)}) > MOST_TABLES:
        return matrices(found, escape)
    tables = []
    for (first, second, seeds), rows in itertools.groupby(
        found, key=lambda each: (each.first, each.second, each.seeds)
    ):
        cells = [_cells(each, escape) for each in rows]
        head = ["mode", "images", "metric", "n", "first", "second", "difference", "95 % interval", "p", "p (Holm)"]
        head.append("result")
        if all(row[1] == "all" for row in cells):
            head, cells = head[:1] + head[2:], [row[:1] + row[2:] for row in cells]
        title = " and ".join(
            f"{escape(name)} ({place}{f', {count} seeds' if count > 1 else ''})"
            for name, place, count in zip((first, second), ("first", "second"), seeds)
        )
        tables.append(f"## {title}\n\n{markdown_table(head, cells)}")
    significant = sum(bool(each.better) for each in found)
    notes = NOTES.format(significant=significant, resamples=RESAMPLES, rows=len(found), alpha=ALPHA)
    return "\n".join(tables) + notes + _of_seeds(found)


def _of_seeds(found: Sequence[Comparison]) -> str:
    return SEEDS_NOTE if any(max(each.seeds) > 1 for each in found) else ""


def _cells(each: Comparison, escape: Escape) -> list[str]:
    found = each.difference
    interval = f"[{found.low:+.4f}, {found.high:+.4f}]" if each.bounded else ""
    means = [f"{mean:.4f}" for mean in each.means]
    figures = [str(found.n), *means, f"{found.mean:+.4f}", interval, _p(found.p), _p(each.holm)]
    return [escape(each.mode), each.content or "all", escape(_label(each.metric)), *figures, escape(each.verdict)]


def _p(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _label(metric: str) -> str:
    return SHOWN.get(metric, metric)


def matrices(found: Sequence[Comparison], escape: Escape) -> str:
    """Which of many targets are better than which: a matrix of Overall, or of what was chosen, and a line for every
    mode and metric.
    """
    columns: dict[tuple[str, str, str], list[Comparison]] = {}
    for each in found:
        columns.setdefault(each.column, []).append(each)
    parts = [_matrix(key, columns[key], escape) for key in _headline(columns)]
    if len(columns) > len(parts):
        head = ["mode", "images", "metric", "pairs", "significant", "not beaten by any"]
        lines = [_line(*one, escape) for one in columns.items()]
        parts.append(f"## Every mode and metric\n\n{markdown_table(head, lines)}")
    most = max(map(len, columns.values()))
    signs = {"better": BETTER, "worse": WORSE, "equal": EQUAL, "few": FEW}
    notes = MATRIX_NOTES.format(**signs, resamples=resamples_for(most), alpha=ALPHA, rows=len(found))
    return "\n".join(parts) + notes + _of_seeds(found)


def _headline(columns: dict[tuple[str, str, str], list[Comparison]]) -> list[tuple[str, str, str]]:
    """What is shown as a matrix: everything where that is little, else Overall, else each mode's first metric."""
    if len(columns) <= MOST_MATRICES:
        return list(columns)
    overall = [key for key in columns if not key[0] and not key[2]]
    first: dict[str, tuple[str, str, str]] = {}
    for key in columns:
        if not key[2]:
            first.setdefault(key[0], key)
    return (overall or list(first.values()))[:MOST_MATRICES]


def _matrix(key: tuple[str, str, str], rows: Sequence[Comparison], escape: Escape) -> str:
    mode, metric, content = key
    signs: dict[tuple[str, str], str] = {}
    means: dict[str, float] = {}
    for each in rows:
        sign = FEW if not each.bounded else EQUAL if not each.better else BETTER if each.better == each.first else WORSE
        signs[each.first, each.second] = sign
        signs[each.second, each.first] = {BETTER: WORSE, WORSE: BETTER}.get(sign, sign)
        for name, mean in zip((each.first, each.second), each.means):
            means.setdefault(name, mean)
    lower = rows[0].lower_is_better
    counts = {
        name: tuple(sum(signs.get((name, other)) == sign for other in means) for sign in (BETTER, WORSE))
        for name in means
    }
    modes, n = {each.mode for each in rows}, sorted({each.difference.n for each in rows})
    same = len(modes) == len(n) == 1  # else each pair has means of its own, and what it won tells the order
    if same:
        order = sorted(means, key=lambda name: (means[name] if lower else -means[name], name))
    else:
        order = sorted(means, key=lambda name: (counts[name][1] - counts[name][0], name))
    cells = [
        [str(place), escape(name), *([f"{means[name]:.4f}"] if same else []), *map(str, counts[name])]
        + [signs.get((name, other), "") for other in order]
        for place, name in enumerate(order, 1)
    ]
    mean = [f"mean {arrow(lower)}"] if same else []
    head = ["", "target", *mean, "better than", "worse than", *map(str, range(1, len(order) + 1))]
    over = mode or (f"over {modes.pop()}" if len(modes) == 1 else "over the modes that two have")
    images = f"{n[0]} images" if len(n) == 1 else f"{n[0]} to {n[-1]} images"
    title = ", ".join(part for part in (_label(metric), over, content, images) if part)
    return f"## {escape(title)}\n\n{markdown_table(head, cells)}"


def _line(key: tuple[str, str, str], rows: Sequence[Comparison], escape: Escape) -> list[str]:
    mode, metric, content = key
    names = list(dict.fromkeys(name for each in rows for name in (each.first, each.second)))
    beaten = {name for each in rows if each.better for name in (each.first, each.second) if name != each.better}
    leaders = [name for name in names if name not in beaten]
    more = f" and {len(leaders) - LEADERS} more" if len(leaders) > LEADERS else ""
    figures = [str(len(rows)), str(sum(bool(each.better) for each in rows))]
    named = f"all {len(names)}" if len(leaders) == len(names) else escape(", ".join(leaders[:LEADERS])) + more
    return [escape(mode or "over modes"), content or "all", escape(_label(metric)), *figures, named]


def rows_csv(found: Sequence[Comparison]) -> str:
    """Every row with every figure; empty where there is none. How many seeds a side has is told where one has
    several.
    """
    figures = ["mean_first", "mean_second", "difference", "low", "high", "p", "p_holm"]
    several = bool(_of_seeds(found))
    head = ["first", "second", "mode", "content", "metric", "n", *figures, "result"]
    rows: list[list[object]] = [[*head, *(["seeds_first", "seeds_second"] if several else [])]]
    for each in found:
        d = each.difference
        values = [
            f"{value:.6f}" if math.isfinite(value) else ""
            for value in (*each.means, d.mean, d.low, d.high, d.p, each.holm)
        ]
        row = [each.first, each.second, each.mode, each.content, each.metric, d.n, *values, each.verdict]
        rows.append([*row, *(each.seeds if several else ())])
    return csv_text(rows)
