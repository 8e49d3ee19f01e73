"""The leaderboard of a results folder, made again from every target's summary.json: tables as CSV, Markdown and
LaTeX.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import BadInput
from ...files.store import only_writer, sweep, write_bytes
from ...protocol import OVERALL_METRICS
from ...published import tables as published
from ...runtime.cli import parser
from ..gone import take_away
from ..labels import ORDER, OVERALL, OVERALL_I2T
from ..markup import half_width, latex_table, latex_text, number
from ..scored import ScoredTarget, folders, read_all
from . import model_grid, paper_tables
from .entries import Entry, entries_of
from .long_tables import (
    RATE_SIGNS,
    by_content,
    by_mode,
    data_note,
    first_place,
    heading,
    long_csv,
    long_markdown,
    notes,
    section_markdown,
)
from .published_rows import published_entries

VIEWS = {"types": "By content type", "sources": "By source"}


def main(argv: list[str]) -> int:
    """python -m cmcbench leaderboard."""
    options = parser("Make the leaderboard of a results folder again, and print it.", "leaderboard")
    options.add_argument("--results", metavar="FOLDER", default="Result", help="folder of the targets")
    options.add_argument(
        "--i2t", action="store_true", help="with the encoders' table, of all targets that have full, pixel and text"
    )
    chosen = options.parse_args(argv)
    folder = Path(chosen.results)
    if not folders(folder):
        raise BadInput(
            f"--results {folder} holds no scored target.{take_away(folder)} Score one with: python script-evaluate.py"
            " --target NAME"
        )
    print(update(folder, chosen.i2t), end="")
    return 0


def collect(results: Path, view: str = "", i2t: bool = False) -> tuple[list[Entry], dict[str, bool]]:
    """All rows of a results folder, by `ranked_entries`. A target that cannot be read is named and left out."""
    return ranked_entries(read_all(folders(results), "the leaderboard"), view, i2t)


def ranked_entries(
    targets: Sequence[ScoredTarget], view: str = "", i2t: bool = False
) -> tuple[list[Entry], dict[str, bool]]:
    """The rows of these targets, ranked, the best target first, and metric -> whether lower is better, in order of
    columns.

    view: "" for rows over all images, "types" or "sources" for a row of each content type or source. i2t: the row of
    the I2T table of every target that has one, not only where scoring asked for it. The published rows come last, and
    only where some target has scores of the published metrics.
    """
    from .ranking import ranked  # numpy, which --help need not wait for

    metrics = {name: each.lower_is_better for target in targets for name, each in target.summary.metrics.items()}
    found = [entry for target in targets for entry in entries_of(target, view, i2t)]
    found = ranked(_counted(found) if view else found, metrics, targets, quiet=bool(view))
    names = sorted(metrics, key=lambda name: (name not in OVERALL_METRICS, metrics[name], name))
    places = {entry.folder: first_place(entry, (OVERALL, *names)) for entry in found if entry.mode == OVERALL}
    found.sort(key=lambda entry: (places[entry.folder], entry.target, entry.content, ORDER.index(entry.mode)))
    if not view:
        tables = [published.T2I] * any(entry.overall is not None for entry in found)
        tables += [published.I2T] * any(entry.mode == OVERALL_I2T for entry in found)
        found += [entry for table in tables for entry in published_entries(table)]
    return found, {name: metrics[name] for name in names}


def update(folder: Path, i2t: bool = False) -> str:
    """Write leaderboard.csv, .md and .tex into `folder`, and its views by mode, content type, source, pair of models,
    and systems with several seeds.

    i2t: as of `collect`. Returns leaderboard.md. A view that has nothing to show has no file.
    """
    from . import seeds  # numpy, which --help need not wait for

    with only_writer(folder / ".leaderboard.lock", str(folder / "leaderboard.csv"), wait=60):
        sweep(folder, "leaderboard")
        targets = read_all(folders(folder), "the leaderboard")
        found, metrics = ranked_entries(targets, i2t=i2t)
        names = list(metrics)
        seeded = seeds.seed_rows(targets, names, i2t)
        markdown = _markdown(found, names, metrics) + seeds.section(seeded, metrics)
        modes = by_mode(found)
        _write(folder, "leaderboard.csv", long_csv(found, names))
        _write(folder, "leaderboard.md", markdown)
        _write(folder, "leaderboard.tex", _latex(found, names, metrics))
        _write(folder, "leaderboard-modes.md", section_markdown("By mode", modes, names, metrics))
        _write(folder, "leaderboard-modes.csv", long_csv([entry for each in modes.values() for entry in each], names))
        for view, title in VIEWS.items():
            sections = by_content(ranked_entries(targets, view, i2t)[0])
            _write(
                folder, f"leaderboard-{view}.md", section_markdown(title, sections, names, metrics) if sections else ""
            )
            listed = [entry for each in sections.values() for entry in each]
            _write(folder, f"leaderboard-{view}.csv", long_csv(listed, names) if listed else "")
        for ending, text in zip(("md", "csv"), model_grid.files(found)):
            _write(folder, f"leaderboard-grid.{ending}", text)
        for ending, text in zip(("md", "csv"), seeds.files(seeded, metrics)):
            _write(folder, f"leaderboard-seeds.{ending}", text)
    return markdown


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file, or take away what an earlier run left of one that has nothing to say now."""
    if text:
        write_bytes(folder / name, text.encode("utf-8", "replace"))
    else:
        (folder / name).unlink(missing_ok=True)


def _counted(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with how many images of each kind the ground truth has: what the target has that has most of them."""
    most: dict[tuple[str, str], int] = {}
    for entry in entries:
        most[entry.truth, entry.content] = max(entry.n, most.get((entry.truth, entry.content), 0))
    return [replace(entry, of=most[entry.truth, entry.content]) for entry in entries]


def _markdown(entries: Sequence[Entry], names: Sequence[str], metrics: Mapping[str, bool]) -> str:
    tables = paper_tables.markdown(entries)
    long = long_markdown(entries, names, metrics)
    return (f"{tables}\n## All rows\n\n{long}" if tables else long) + notes(entries, names)


def _latex(entries: Sequence[Entry], names: Sequence[str], metrics: Mapping[str, bool]) -> str:
    r"""What to put between \begin{document} and \end{document}; it needs \usepackage{booktabs}."""
    own = [entry for entry in entries if not entry.published]
    columns = [
        name for name in names if name not in OVERALL_METRICS or not any(entry.overall is not None for entry in own)
    ]
    tables = ["% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n", paper_tables.latex(entries)]
    if columns:
        arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
        headings = [heading(name, metrics) for name in columns]
        heads = [f"{latex_text(label)} {arrows[arrow]}" for label, arrow in headings]
        groups: dict[object, list[list[str]]] = {}
        several = len({entry.data for entry in own}) > 1
        for entry in (entry for entry in own if any(name in entry.cells for name in columns)):
            cells = [_latex_score(entry, name) for name in columns]
            status = "" if entry.status == "whole" else f" ({entry.status})"
            on = f" on {entry.data}" if several and entry.data else ""
            name = latex_text(entry.target + on + status + (f" (baseline {entry.baseline})" if entry.baseline else ""))
            rate = number(entry.bpp, 4) + (RATE_SIGNS[entry.rate_kind][1] if entry.bpp is not None else "")
            groups.setdefault(entry.folder, []).append([name, entry.mode, rate, *cells])
        caption = (
            r"$\pm$: half the 95\,\% interval over images; bold: the best of a mode among what can be compared."
            + "".join(
                f" {sign}: {kind} rate."
                for kind, (_, sign) in RATE_SIGNS.items()
                if sign and any(entry.rate_kind == kind for entry in own)
            )
            + latex_text(f" {data_note(own)}".rstrip())
        )
        head = ["target", "mode", "bpp", *heads]
        tables.append(latex_table(caption, "tab:cmcbench-all", f"llr{'r' * len(columns)}", head, list(groups.values())))
    return "\n".join(table for table in tables if table)


def _latex_score(entry: Entry, name: str) -> str:
    value = number(entry.cells.get(name), 4)
    half = half_width(entry.low.get(name), entry.high.get(name))
    value = rf"\textbf{{{value}}}" if entry.ranks.get(name) == 1 else value
    return rf"{value} {{\tiny $\pm${half}}}" if half else value
