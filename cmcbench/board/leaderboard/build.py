"""The leaderboard of a results folder, made anew from every target's summary.json: tables as CSV, Markdown and
LaTeX.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import BadInput
from ...files.store import only_writer, read_json, write_bytes
from ...protocol import OVERALL_METRICS
from ...published import tables as published
from ...runtime.cli import parser
from ...runtime.messages import say
from ..labels import ORDER, OVERALL, OVERALL_I2T
from ..markup import half_width, latex_table, latex_text, number
from . import model_grid, paper_tables
from .entries import Entry, published_entries, read_entries
from .long_tables import by_content, by_mode, heading, long_csv, long_markdown, notes, section_markdown

LARGEST_SUMMARY = 16 << 20  # bytes; a whole one has about 100 KiB
BAD = (BadInput, KeyError, TypeError, ValueError, AttributeError, ArithmeticError)
VIEWS = {"types": "By content type", "sources": "By source"}


def main(argv: list[str]) -> int:
    """python -m cmcbench leaderboard."""
    options = parser("Make the leaderboard of a results folder anew, and print it.", "leaderboard")
    options.add_argument("--results", metavar="FOLDER", default="Result", help="folder of the targets")
    options.add_argument(
        "--i2t", action="store_true", help="with the encoders' table, of all targets that have full, pixel and text"
    )
    chosen = options.parse_args(argv)
    folder = Path(chosen.results)
    if not any(folder.glob("*/summary.json")):
        raise BadInput(
            f"--results {folder} holds no scored target. Score one with: python script-evaluate.py --target NAME"
        )
    print(update(folder, chosen.i2t), end="")
    return 0


def collect(folder: Path, view: str = "", i2t: bool = False) -> tuple[list[Entry], dict[str, bool]]:
    """All rows of a results folder, ranked, the best target first, and metric -> whether lower is better, in order of
    columns.

    view: "" for rows over all images, "types" or "sources" for a row of each content type or source. i2t: the row of
    the
    I2T table of every target that has one, not only where scoring asked for it. The published rows come last, and only
    where some target has scores of the published metrics. A summary that is none of ours is left out, aloud.
    """
    from .ranking import add_places, rank  # numpy, which --help need not wait for

    lines, metrics = _read(folder, view, i2t)
    rank(lines, metrics)
    add_places(lines, metrics, quiet=bool(view))
    names = sorted(metrics, key=lambda name: (name not in OVERALL_METRICS, metrics[name], name))
    places = {line.folder: _place(line, names) for line in lines if line.mode == OVERALL}
    lines.sort(key=lambda line: (places[line.folder], line.target, line.content, ORDER.index(line.mode)))
    if not view:
        tables = [published.T2I] * any(line.overall is not None for line in lines)
        tables += [published.I2T] * any(line.mode == OVERALL_I2T for line in lines)
        lines += [line for table in tables for line in published_entries(table)]
    return lines, {name: metrics[name] for name in names}


def update(folder: Path, i2t: bool = False) -> str:
    """Write leaderboard.csv, .md and .tex into `folder`, and its views by mode, content type, source and pair of
    models.

    i2t: as of `collect`. Returns leaderboard.md. A view that has nothing to show has no file.
    """
    with only_writer(folder / ".leaderboard.lock", str(folder / "leaderboard.csv"), wait=60):
        lines, metrics = collect(folder, i2t=i2t)
        names = list(metrics)
        markdown = _markdown(lines, names, metrics)
        modes = by_mode(lines)
        _write(folder, "leaderboard.csv", long_csv(lines, names))
        _write(folder, "leaderboard.md", markdown)
        _write(folder, "leaderboard.tex", _latex(lines, names, metrics))
        _write(folder, "leaderboard-modes.md", section_markdown("By mode", modes, names, metrics))
        _write(folder, "leaderboard-modes.csv", long_csv([line for found in modes.values() for line in found], names))
        for view, title in VIEWS.items():
            sections = by_content(collect(folder, view, i2t)[0])
            _write(
                folder, f"leaderboard-{view}.md", section_markdown(title, sections, names, metrics) if sections else ""
            )
            found = [line for each in sections.values() for line in each]
            _write(folder, f"leaderboard-{view}.csv", long_csv(found, names) if found else "")
        for ending, text in zip(("md", "csv"), model_grid.files(lines)):
            _write(folder, f"leaderboard-grid.{ending}", text)
    return markdown


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file, or take away what an earlier run left of one that has nothing to say now."""
    if text:
        write_bytes(folder / name, text.encode("utf-8", "replace"))
    else:
        (folder / name).unlink(missing_ok=True)


def _read(folder: Path, view: str, i2t: bool) -> tuple[list[Entry], dict[str, bool]]:
    lines: list[Entry] = []
    metrics: dict[str, bool] = {}
    for file in sorted(folder.glob("*/summary.json")):
        try:
            if file.stat().st_size > LARGEST_SUMMARY:
                raise ValueError(f"it has {file.stat().st_size >> 20} MiB")
            summary = read_json(file)
            if summary is None or summary.get("unfinished"):
                continue
            found = read_entries(summary, file.parent, view, i2t)
            known = {str(name): bool(each["lower_is_better"]) for name, each in summary["metrics"].items()}
            _agree(known, metrics)
        except BAD as error:
            if not view:  # said once, not for every view
                say(f"note: {file} is left out of the leaderboard: it is no summary of this program ({error}).")
            continue
        lines.extend(found)
        metrics.update(known)
    if view:
        _count(lines)
    return lines, metrics


def _count(lines: list[Entry]) -> None:
    """Enter how many images of each kind the ground truth has: what the target has that has most of them."""
    most: dict[tuple[str, str], int] = {}
    for line in lines:
        most[line.truth, line.content] = max(line.n, most.get((line.truth, line.content), 0))
    for line in lines:
        line.of = most[line.truth, line.content]


def _agree(known: dict[str, bool], metrics: dict[str, bool]) -> None:
    """Raise ValueError where a summary turns a metric round that others have, which would turn all places round."""
    for name, lower_is_better in known.items():
        if metrics.get(name, lower_is_better) != lower_is_better:
            better = "lower" if lower_is_better else "higher"
            raise ValueError(f"it says of {ascii(name)} that {better} is better, others say the opposite")


def _place(line: Entry, names: Sequence[str]) -> tuple[bool, int]:
    """Where a target's rows stand: by Overall, else by the first metric; those without a rank come last."""
    ranks = [line.ranks[column] for column in (OVERALL, *names) if column in line.ranks]
    return not ranks, ranks[0] if ranks else 0


def _markdown(lines: list[Entry], names: Sequence[str], metrics: dict[str, bool]) -> str:
    tables = paper_tables.markdown(lines)
    long = long_markdown(lines, names, metrics)
    return (f"{tables}\n## All rows\n\n{long}" if tables else long) + notes(lines, names)


def _latex(lines: list[Entry], names: Sequence[str], metrics: dict[str, bool]) -> str:
    r"""What to put between \begin{document} and \end{document}; it needs \usepackage{booktabs}."""
    own = [line for line in lines if not line.published]
    columns = [
        name for name in names if name not in OVERALL_METRICS or not any(line.overall is not None for line in own)
    ]
    tables = ["% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n", paper_tables.latex(lines)]
    if columns:
        arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
        heads = [latex_text(heading(name, metrics)[:-1]) + arrows[heading(name, metrics)[-1]] for name in columns]
        groups: dict[object, list[list[str]]] = {}
        for line in (line for line in own if any(name in line.cells for name in columns)):
            cells = [_latex_score(line, name) for name in columns]
            status = "" if line.status == "whole" else f" ({line.status})"
            name = latex_text(line.target + status + (f" (baseline {line.baseline})" if line.baseline else ""))
            rate = number(line.bpp, 4) + ("$^*$" if line.nominal and line.bpp is not None else "")
            groups.setdefault(line.folder, []).append([name, line.mode, rate, *cells])
        caption = (
            r"$\pm$: half the 95\,\% interval over images; bold: the best of a mode among what can be compared."
            + (r" $^*$: nominal rate." if any(line.nominal for line in own) else "")
        )
        head = ["target", "mode", "bpp", *heads]
        tables.append(latex_table(caption, "tab:cmcbench-all", f"llr{'r' * len(columns)}", head, list(groups.values())))
    return "\n".join(table for table in tables if table)


def _latex_score(line: Entry, name: str) -> str:
    value = number(line.cells.get(name), 4)
    half = half_width(line.low.get(name), line.high.get(name))
    value = rf"\textbf{{{value}}}" if line.ranks.get(name) == 1 else value
    return rf"{value} {{\tiny $\pm${half}}}" if half else value
