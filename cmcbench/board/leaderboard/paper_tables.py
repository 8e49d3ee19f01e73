"""The benchmark's two tables, decoders and encoders, as published: a row a model, the published ones beside the
user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...protocol import OVERALL_METRICS
from ...published import tables as published
from ..labels import LABELS, OVERALL, OVERALL_I2T
from ..markup import half_width, latex_table, latex_text, markdown_table, markdown_text, number, place
from .entries import Entry
from .long_tables import Marks

TITLES = {
    published.T2I: "Decoders (T2I): Overall is 2/3 of the mean FR + 1/3 of the mean NR over the modes present",
    published.I2T: "Encoders (I2T): Overall is the mean of the six columns",
}
MODES = {published.T2I: ("full", "image", "pixel", "text"), published.I2T: ("full", "pixel", "text")}
LATEX = (r"\textbf{{{}}}".format, r"{} {{\tiny $\pm${}}}".format)  # of the best, and of a mean with its interval
CAPTION = r"$\pm$: half the 95\,\% interval over images; bold: the best own result."
NOTES = """
Rows marked *published* are those of arXiv 2406.09356; the place of the others is among themselves, with its 95 % \
interval in
brackets. Published and own rows can be compared only where Weight/ holds the published TOPIQ weights and GT/ the \
published
1,000 images: the files' digests were never published, so that this program cannot tell. Where the ground truth has the
published images' names, the last column says where a row would stand among the published ones.
"""


@dataclass(frozen=True)
class PaperRow:
    """A row of a table: the overall row, and the rows of its modes by their names."""

    entry: Entry
    modes: dict[str, Entry]


def paper_rows(entries: Iterable[Entry], table: str) -> list[PaperRow]:
    """The rows of a table, by Overall, own and published together, then those that take no place; [] where there is no
    own one.

    Published rows are kept out of the own ones' places: whether the two can be compared is not known here.
    """
    entries = [entry for entry in entries if not entry.published or entry.table == table]
    mode = OVERALL if table == published.T2I else OVERALL_I2T
    modes: dict[object, dict[str, Entry]] = {}
    for entry in entries:
        modes.setdefault(_owner(entry), {})[entry.mode] = entry
    found = [
        PaperRow(entry, modes[_owner(entry)]) for entry in entries if entry.mode == mode and entry.overall is not None
    ]
    if all(row.entry.published for row in found):
        return []
    return sorted(
        found,
        key=lambda row: (bool(row.entry.unranked), -row.entry.overall, row.entry.published, row.entry.target),
    )


def _owner(entry: Entry) -> object:
    return entry.target if entry.published else entry.folder


def markdown(entries: Sequence[Entry]) -> str:
    """The tables that have an own row, with their notes; "" where there is none."""
    tables = []
    for table, title in TITLES.items():
        found = paper_rows(entries, table)
        if found:
            marks = Marks([row.entry for row in found], OVERALL_METRICS)
            text = markdown_table(_head(table), [_row(row, table, marks, markdown_text) for row in found])
            legend = markdown_text(marks.legend())
            tables.append(f"## {title}\n\n{text}" + (f"\n{legend}\n" if legend else ""))
    return "\n".join(tables) + NOTES if tables else ""


def latex(entries: Sequence[Entry]) -> str:
    """The same for a paper, with booktabs; the best own figure of each column is bold."""
    tables = []
    for table, title in TITLES.items():
        found = paper_rows(entries, table)
        if found:
            marks = Marks([row.entry for row in found], OVERALL_METRICS)
            rows = [_row(row, table, marks, latex_text, *LATEX) for row in found]
            head = [latex_text(cell) for cell in _head(table)]
            columns = f"llll{'r' * (len(head) - 5)}l"
            caption = f"{latex_text(title)}. {CAPTION} {latex_text(marks.legend())}".strip()
            tables.append(latex_table(caption, f"tab:cmcbench-{table}", columns, head, [rows]))
    return "\n".join(tables)


def _head(table: str) -> list[str]:
    sides = ["decoder", "encoder"] if table == published.T2I else ["encoder", "decoder"]
    scores = [f"{mode.capitalize()}-{label}" for mode in MODES[table] for label in LABELS.values()]
    return ["place", "target", *sides, *scores, "Overall", "note"]


def _row(
    row: PaperRow,
    table: str,
    marks: Marks,
    escape: Callable[[str], str],
    bold: Callable[[str], str] = str,
    half: Callable[[str, str], str] = "{} ±{}".format,
) -> list[str]:
    entry = row.entry
    sides = [entry.decoder, entry.encoder] if table == published.T2I else [entry.encoder, entry.decoder]
    scores = [_score(row.modes.get(mode), metric, bold) for mode in MODES[table] for metric in OVERALL_METRICS]
    overall = number(entry.overall, 4)
    overall = bold(overall) if entry.ranks.get(OVERALL) == 1 else overall
    width = half_width(entry.low.get(OVERALL), entry.high.get(OVERALL))
    where = "published" if entry.published else place(entry.ranks.get(OVERALL), entry.places.get(OVERALL))
    name = "" if entry.published else entry.target
    overall = half(overall, width) if width else overall
    return [where, escape(name), *(escape(side) for side in sides), *scores, overall, escape(_note(entry, marks))]


def _score(entry: Entry | None, metric: str, bold: Callable[[str], str]) -> str:
    if entry is None or metric not in entry.cells:
        return "-"
    cell = number(entry.cells[metric], 4)
    return bold(cell) if entry.ranks.get(metric) == 1 else cell


def _note(entry: Entry, marks: Marks) -> str:
    notes = [f"set {marks.of(entry)}"] if marks.of(entry) else []
    if entry.unranked:
        notes.append(entry.unranked)
    if entry.baseline:
        notes.append(f"baseline {entry.baseline}")
    if entry.among_published:
        notes.append("would be {} of {}".format(*entry.among_published))
    return ", ".join(notes)
