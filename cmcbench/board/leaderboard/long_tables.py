"""The leaderboard's rows as tables: one long table, or one for each mode, content type or source."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence

from ...files.rates import ESTIMATED, MEASURED, NOMINAL
from ...protocol import OVERALL_METRICS
from ..labels import LABELS, ORDER, OVERALL, arrow
from ..markup import csv_text, half_width, markdown_table, markdown_text, number
from .entries import PUBLISHED, SINGLE, WHOLE, Entry

ENDS = ("low", "high", "rank", "rank_best", "rank_worst")
NOTES = """
↑ higher is better, ↓ lower is better. ±: half the 95 % interval of a mean, by the bootstrap over images. In \
brackets: the
place among whole results of the same mode, metric, weights and ground truth, then the 95 % interval of the place \
where it
is wider; `python -m cmcbench compare` tells which differences are significant. `n`: images that have every score (of
TOPIQ, where there is TOPIQ), of those in the ground truth. Not ranked are a *partial* result, which has fewer, a score
of fewer images, which has their number beside it, the overall row of a *single mode* (a submission needs two), and an
*other rate*: references above the protocol's 0.02 bpp, which buy a better score (`python -m cmcbench curves` compares
across rates). `overall` holds the means over the modes; `Overall` is the benchmark's formula, 2/3 FR + 1/3 NR over the
modes present, or the mean of six columns in an `overall-i2t` row. Baselines (no generative model) are the floor that
every system must beat.
"""
FEW = 30  # images; docs/statistics.md has the coverage below it
FEW_NOTE = f"Of fewer than {FEW} images the interval of a mean is somewhat too narrow.\n"
RATE_SIGNS = {MEASURED: ("", ""), ESTIMATED: ("†", r"$^\dagger$"), NOMINAL: ("\\*", "$^*$")}  # Markdown, LaTeX
RATE_NOTES = {
    NOMINAL: "\\* nominal: the protocol's rate, since the references have no bitstream; other rates were counted.\n",
    ESTIMATED: "† estimated: computed from probabilities, and no stream backs it; other rates were counted.\n",
}


class Marks:
    """Letters for rows that cannot be compared, where there are such: other ground truths, or other weights of a
    metric.
    """

    def __init__(self, entries: Iterable[Entry], columns: Iterable[str]) -> None:
        entries = [entry for entry in entries if not entry.published]
        peers = {
            column: {entry.peers.get(column) for entry in entries if entry.value(column) is not None}
            for column in columns
        }
        self.columns = [column for column, keys in peers.items() if len(keys) > 1 and column != OVERALL]
        sets = sorted({found for found in map(self._set, entries) if found})
        self.letters = {found: _letter(place) for place, found in enumerate(sets)} if len(sets) > 1 else {}

    def _set(self, entry: Entry) -> tuple[str, ...]:
        """What a row's scores were made with, as far as others' were made with something else."""
        found = [f"{LABELS.get(name, name)} {entry.peers[name][1]}" for name in self.columns if name in entry.peers]
        return (f"{entry.truth} ({entry.data})" if entry.data else entry.truth, *found) if found else ()

    def of(self, entry: Entry) -> str:
        return "" if entry.published else self.letters.get(self._set(entry), "")

    def legend(self) -> str:
        """A sentence for the notes that says what the letters stand for; "" where there are none."""
        listed = [f"{letter}: ground truth {', '.join(found)}" for found, letter in self.letters.items()]
        return f"Only rows of the same set can be compared. {'; '.join(listed)}." if listed else ""


def _letter(number: int) -> str:
    letters = string.ascii_lowercase
    return letters[number] if number < len(letters) else f"z{number}"


def long_csv(entries: Sequence[Entry], names: Sequence[str]) -> str:
    """Every row with every figure; empty where not known."""
    scores = [f"{name}{end}" for name in (*names, OVERALL) for end in ("", *(f"_{end}" for end in ENDS))]
    fewer = [name for name in names if any(entry.count(name) != entry.n for entry in entries)]
    stated = ["data"] if any(entry.data for entry in entries) else []
    head = [
        "target",
        "encoder",
        "decoder",
        "baseline",
        "mode",
        "content",
        "n",
        "of",
        "status",
        "bpp",
        "rate",
        "ratio",
        "bpp_deflate",
        "encode_seconds",
        "decode_seconds",
        "peak_memory",
        *scores,
        "among_published",
        "table",
        "ground_truth",
        "identities",
        *(f"{name}_n" for name in fewer),
        *stated,
    ]
    counts = ([entry.count(name) if name in entry.cells else None for name in fewer] for entry in entries)
    data = ([entry.data] if stated else [] for entry in entries)
    rows = zip(entries, counts, data)
    return csv_text([head, *([*_csv_row(entry, names), *each, *of] for entry, each, of in rows)])


def _csv_row(entry: Entry, names: Sequence[str]) -> list[object]:
    scores = [cell for name in (*names, OVERALL) for cell in _csv_score(entry, name)]
    rate = "" if entry.bpp is None else entry.rate_kind
    costs = [number(value, 3) for value in (entry.encode_seconds, entry.decode_seconds)]
    identities = "; ".join(
        f"{name}: {entry.peers[name][1]}" for name in names if name in entry.peers and name in entry.cells
    )
    return [
        entry.target,
        entry.encoder,
        entry.decoder,
        entry.baseline,
        entry.mode,
        entry.content,
        entry.n,
        entry.of,
        entry.status,
        number(entry.bpp, 6),
        rate,
        number(entry.ratio, 1),
        number(entry.bpp_deflate, 6),
        *costs,
        number(entry.peak_memory, 0),
        *scores,
        "{}/{}".format(*entry.among_published) if entry.among_published else "",
        entry.table,
        entry.truth,
        identities,
    ]


def _csv_score(entry: Entry, column: str) -> list[object]:
    ends = (entry.low.get(column), entry.high.get(column))
    best, worst = entry.places.get(column, (None, None))
    return [number(value, 6) for value in (entry.value(column), *ends)] + [entry.ranks.get(column), best, worst]


def long_markdown(entries: Sequence[Entry], names: Sequence[str], metrics: Mapping[str, bool]) -> str:
    """The table without its notes. Published rows are not in it: they have a table of their own with the user's.

    Nor is the overall row of a single mode that has no Overall, which would only repeat the mode's.
    """
    entries = [entry for entry in entries if not entry.published]
    entries = [
        entry for entry in entries if not (entry.mode == OVERALL and entry.status == SINGLE and entry.overall is None)
    ]
    columns = [*names, *([OVERALL] if any(entry.overall is not None for entry in entries) else [])]
    marks = Marks(entries, columns)
    has_rate = any(entry.bpp is not None for entry in entries) or not any(entry.content for entry in entries)
    rows = []
    for entry in entries:
        cells = [score_cell(entry, column) for column in columns]
        extra = [*([marks.of(entry)] if marks.letters else []), *([_bpp(entry)] if has_rate else [])]
        rows.append([name_cell(entry), entry.mode, _count(entry), *extra, *cells])
    extra = [*(["set"] if marks.letters else []), *(["bpp"] if has_rate else [])]
    heads = [" ".join((markdown_text(label), sign)) for label, sign in (heading(name, metrics) for name in columns)]
    return markdown_table(["target", "mode", "n", *extra, *heads], rows)


def notes(entries: Sequence[Entry], names: Sequence[str]) -> str:
    """What the tables' signs mean."""
    legend = Marks(entries, (*names, OVERALL)).legend()
    kinds = {entry.rate_kind for entry in entries}
    rates = "".join(note for kind, note in RATE_NOTES.items() if kind in kinds)
    few = FEW_NOTE if any(entry.n < FEW for entry in entries if not entry.published) else ""
    told = [line for line in (data_note(entries), legend) if line]
    return NOTES + few + rates + "".join(f"{markdown_text(line)}\n" for line in told)


def data_note(entries: Iterable[Entry]) -> str:
    """The test set that all rows are of, as a sentence; "" where it is not stated, or they are of several."""
    found = {entry.data for entry in entries if not entry.published}
    return f"Ground truth: {found.pop()}." if len(found) == 1 and "" not in found else ""


def heading(column: str, metrics: Mapping[str, bool]) -> tuple[str, str]:
    """A column's name, to be escaped, and the arrow that says which way is better."""
    return ("Overall", "↑") if column == OVERALL else (LABELS.get(column, column), arrow(metrics[column]))


def name_cell(entry: Entry) -> str:
    name = markdown_text(entry.target)
    name = f"**{name}**" if entry.mode == OVERALL else name
    return f"{name} (baseline {entry.baseline})" if entry.baseline else name


def _count(entry: Entry) -> str:
    return f"{entry.n}/{entry.of}" + ("" if entry.status in (WHOLE, PUBLISHED) else f" *{entry.status}*")


def _bpp(entry: Entry) -> str:
    return number(entry.bpp, 4) + (RATE_SIGNS[entry.rate_kind][0] if entry.bpp is not None else "")


def score_cell(entry: Entry, column: str) -> str:
    """ "2.5646 ±0.012 (1, 1-2)": mean, half its interval, place with its interval; "3/10" where some lack it."""
    cell = number(entry.value(column), 4)
    if not cell:
        return ""
    half = half_width(entry.low.get(column), entry.high.get(column))
    rank, interval = entry.ranks.get(column), entry.places.get(column)
    where = "" if interval in (None, (rank, rank)) else f", {interval[0]}-{interval[1]}"
    fewer = f" *{entry.count(column)}/{entry.of}*" if entry.count(column) != entry.n else ""
    return cell + (f" ±{half}" if half else "") + ("" if rank is None else f" ({rank}{where})") + fewer


def by_mode(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """mode -> its rows, the best first; the overall rows are the last two."""
    return _sections(entries, lambda entry: entry.mode, ORDER)


def by_content(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Content type or source -> its rows, by mode, the best first."""
    return _sections(entries, lambda entry: entry.content, sorted({entry.content for entry in entries}))


def _sections(entries: Iterable[Entry], key: Callable[[Entry], str], order: Sequence[str]) -> dict[str, list[Entry]]:
    entries = [entry for entry in entries if not entry.published]
    sections = {name: [entry for entry in entries if key(entry) == name] for name in order}
    columns = (OVERALL, *OVERALL_METRICS, *sorted({column for entry in entries for column in entry.ranks}))

    def best_first(entry: Entry) -> tuple:
        return ORDER.index(entry.mode), first_place(entry, columns), entry.target

    return {name: sorted(found, key=best_first) for name, found in sections.items() if found}


def first_place(entry: Entry, columns: Sequence[str]) -> tuple[int, int]:
    """Where a row stands: by its place in the first of the columns, then by the next that has one; without any last."""
    found = ((number, entry.ranks[column]) for number, column in enumerate(columns) if column in entry.ranks)
    return next(found, (len(columns), 0))


def section_markdown(
    title: str, sections: dict[str, list[Entry]], names: Sequence[str], metrics: Mapping[str, bool]
) -> str:
    """A heading and a table for each section, then the notes."""
    tables = [
        f"## {markdown_text(name)}\n\n{long_markdown(entries, names, metrics)}" for name, entries in sections.items()
    ]
    every = [entry for entries in sections.values() for entry in entries]
    return f"# {title}\n\n" + "\n".join(tables) + notes(every, names)
