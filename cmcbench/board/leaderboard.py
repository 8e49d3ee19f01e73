"""The leaderboard of a results folder, made anew from every target's summary.json: leaderboard.csv and leaderboard.md."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ..errors import BadInput
from ..protocol import MODES
from ..report import say
from ..store import only_writer, read_json, write_bytes

OVERALL, OVERALL_I2T = "overall", "overall-i2t"
ORDER = [*MODES, "images", OVERALL, OVERALL_I2T]
PAIR = ("topiq_fr", "topiq_nr")
LABELS = dict(zip(PAIR, ("FR", "NR")))
NOTES = """
{arrows}In brackets: the place among whole results of the same mode, metric, weights and ground truth. `n`: images that
have every score, of those in the ground truth; a *partial* result has fewer and is not ranked, nor is the overall row of a
*single mode* (a submission needs two). `overall` holds the means over the modes; `Overall` is the benchmark's formula,
2/3 FR + 1/3 NR over the modes present, or the mean of six columns in an `overall-i2t` row. Baselines (no generative
model) are the floor that every system must beat.
"""


@dataclass
class Line:
    """One row of the leaderboard: a target in a mode, or one of its overall rows.

    n: images that have every score of the row; of: images of the ground truth. status: whole, partial or single mode.
    cells: metric -> mean. peers: metric (and "overall") -> what must be equal for two rows to be ranked together.
    ranks: metric (and "overall") -> place.
    """

    target: str
    baseline: str
    mode: str
    n: int
    of: int
    status: str
    bpp: Optional[float]
    cells: dict[str, float]
    peers: dict[str, tuple[str, ...]]
    overall: Optional[float] = None
    ranks: dict[str, int] = field(default_factory=dict)

    def value(self, column: str) -> Optional[float]:
        return self.overall if column == OVERALL else self.cells.get(column)


def update(folder: Path) -> str:
    """Write leaderboard.csv and leaderboard.md into `folder` from all summaries below it. Returns the Markdown table."""
    with only_writer(folder / ".leaderboard.lock", str(folder / "leaderboard.csv"), wait=60):
        lines, metrics = _read(folder)
        for column in (*metrics, OVERALL):
            _rank(lines, column, metrics.get(column, False))
        names = sorted(metrics, key=lambda name: (name not in PAIR, metrics[name], name))
        places = {line.target: _place(line, names) for line in lines if line.mode == OVERALL}
        lines.sort(key=lambda line: (places[line.target], line.target, ORDER.index(line.mode)))
        markdown = _markdown(lines, names, metrics)
        write_bytes(folder / "leaderboard.csv", _csv(lines, names).encode())
        write_bytes(folder / "leaderboard.md", markdown.encode())
    return markdown


def _read(folder: Path) -> tuple[list[Line], dict[str, bool]]:
    """The lines of all summaries, and metric -> whether lower is better. A summary that is none of ours is left out, aloud."""
    lines: list[Line] = []
    metrics: dict[str, bool] = {}
    for file in sorted(folder.glob("*/summary.json")):
        try:
            summary = read_json(file)
            if summary is None or summary.get("unfinished"):
                continue
            lines.extend(_lines(summary))
            metrics.update({str(name): bool(each["lower_is_better"]) for name, each in summary["metrics"].items()})
        except (BadInput, KeyError, TypeError, ValueError, AttributeError) as error:
            say(f"note: {file} is left out of the leaderboard: it is no summary of this program ({error}).")
    return lines, metrics


def _lines(summary: dict[str, Any]) -> list[Line]:
    """One line a mode, then the overall line, then that of the I2T table where it was asked for."""
    of, truth = int(summary["ground_truth"]["images"]), str(summary["ground_truth"]["digest"])
    peers = {name: (truth, str(each["identity"])) for name, each in summary["metrics"].items()}
    target, baseline = str(summary["target"]), _baseline(summary["made_by"])
    modes = [mode for mode in ORDER if mode in summary["modes"].keys()]
    lines = []
    for mode in modes:
        found = summary["modes"][mode]
        cells = {name: _finite(each["mean"]) for name, each in found["metrics"].items()}
        n = min((int(each["n"]) for each in found["metrics"].values()), default=0)
        bpp = _finite(found["bpp"]["mean"]) if found["bpp"] else None
        lines.append(Line(target, baseline, mode, n, of, "whole" if n == of else "partial", bpp, cells, peers))
    n = min((line.n for line in lines), default=0)
    status = "partial" if n < of else "whole" if len(modes) > 1 else "single mode"
    cells = {name: _finite(mean) for name, mean in summary["over_modes"].items() if mean is not None}
    both = {name: None if value is None else _finite(value) for name, value in summary["overall"].items()}
    if both["t2i"] is not None:
        peers = {**peers, OVERALL: (*peers[PAIR[0]], *peers[PAIR[1]])}
    lines.append(Line(target, baseline, OVERALL, n, of, status, None, cells, peers, both["t2i"]))
    if summary.get("i2t_table") and both["i2t"] is not None:
        lines.append(Line(target, baseline, OVERALL_I2T, n, of, status, None, {}, peers, both["i2t"]))
    return lines


def _baseline(made_by: dict[str, Any]) -> str:
    captions = made_by.get("captions") or {}
    parts = ["decoder"] if made_by.get("baseline") else []
    return " and ".join(parts + (["captions"] if captions.get("baseline") else []))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no score")
    return number


def _rank(lines: list[Line], column: str, lower_is_better: bool) -> None:
    """Give each whole line its place in a column among its peers: 1 for the best, equal values share a place."""
    for line in lines:
        rivals = [
            rival.value(column) for rival in lines
            if rival.status == "whole" and rival.mode == line.mode and rival.value(column) is not None
            and rival.peers.get(column) == line.peers.get(column)
        ]  # fmt: skip
        mine = line.value(column)
        if line.status == "whole" and mine is not None:
            line.ranks[column] = 1 + sum(value < mine if lower_is_better else value > mine for value in rivals)


def _place(line: Line, names: list[str]) -> tuple[bool, int]:
    """Where a target's rows stand: by Overall, else by the first metric; those without a rank come last."""
    ranks = [line.ranks[column] for column in (OVERALL, *names) if column in line.ranks]
    return not ranks, ranks[0] if ranks else 0


def _csv(lines: list[Line], names: list[str]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    scores = [column for name in names for column in (name, f"{name}_rank")]
    writer.writerow(["target", "baseline", "mode", "n", "of", "status", "bpp", *scores, "overall", "overall_rank"])
    for line in lines:
        cells = [cell for name in names for cell in (_number(line.cells.get(name), 6), line.ranks.get(name, ""))]
        bpp, total = _number(line.bpp, 6), _number(line.overall, 6)
        total_rank = line.ranks.get(OVERALL, "")
        writer.writerow([line.target, line.baseline, line.mode, line.n, line.of, line.status, bpp, *cells, total, total_rank])
    return buffer.getvalue()


def _markdown(lines: list[Line], names: list[str], metrics: dict[str, bool]) -> str:
    heads = [f"{LABELS.get(name, _escape(name))} {'↓' if metrics[name] else '↑'}" for name in names]
    rows = [["target", "mode", "n", "bpp", *heads, "Overall ↑"]]
    for line in lines:
        name = f"**{_escape(line.target)}**" if line.mode == OVERALL else _escape(line.target)
        if line.baseline:
            name += f" (baseline {line.baseline})"
        n = f"{line.n}/{line.of}" + ("" if line.status == "whole" else f" *{line.status}*")
        cells = [_ranked(line, name) for name in (*names, OVERALL)]
        rows.append([name, line.mode, n, _number(line.bpp, 4), *cells])
    if not any(line.overall is not None for line in lines):
        rows = [row[:-1] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = [[cell.ljust(width) for cell, width in zip(row, widths)] for row in rows]
    text.insert(1, ["-" * width for width in widths])
    arrows = "↑ higher is better, ↓ lower is better. "
    return "\n".join("| " + " | ".join(row) + " |" for row in text) + "\n" + NOTES.format(arrows=arrows)


def _ranked(line: Line, column: str) -> str:
    value = _number(line.value(column), 4)
    return f"{value} ({line.ranks[column]})" if column in line.ranks else value


def _number(value: Optional[float], digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _escape(text: str) -> str:
    """Text from a file for a Markdown table, where a renderer may also take HTML."""
    for mark, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("[", "&#91;"), ("`", "&#96;")):
        text = text.replace(mark, safe)
    return "".join(character if character.isprintable() else " " for character in text)
