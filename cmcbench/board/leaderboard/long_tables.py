"""The leaderboard's rows as tables: one long table, or one for each mode, content type or source."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence

from ...files.rates import MEASURED, NOMINAL
from ...protocol import OVERALL_METRICS
from ..labels import LABELS, ORDER, OVERALL
from ..markup import csv_text, half_width, markdown_table, markdown_text, number
from .entries import PUBLISHED, SINGLE, WHOLE, Entry

ENDS = ("low", "high", "rank", "rank_best", "rank_worst")
NOTES = """
↑ higher is better, ↓ lower is better. ±: half the 95 % interval of a mean, by the bootstrap over images. In \
brackets: the
place among whole results of the same mode, metric, weights and ground truth, then the 95 % interval of the place \
where it
is wider; `python -m cmcbench compare` tells which differences are significant. `n`: images that have every score, \
of those
in the ground truth; a *partial* result has fewer and is not ranked, nor is the overall row of a *single mode* (a \
submission
needs two). `overall` holds the means over the modes; `Overall` is the benchmark's formula, 2/3 FR + 1/3 NR over the \
modes
present, or the mean of six columns in an `overall-i2t` row. Baselines (no generative model) are the floor that every
system must beat.
"""
FEW = 30  # images; docs/statistics.md has the coverage below it
FEW_NOTE = f"Of fewer than {FEW} images the interval of a mean is somewhat too narrow.\n"
NOMINAL_NOTE = "\\* nominal: the protocol's rate, since the references have no bitstream; other rates were counted.\n"


class Marks:
    """Letters for rows that cannot be compared, where there are such: other ground truths, or other weights of a
    metric.
    """

    def __init__(self, lines: Iterable[Entry], columns: Iterable[str]) -> None:
        lines = [line for line in lines if not line.published]
        peers = {
            column: {line.peers.get(column) for line in lines if line.value(column) is not None} for column in columns
        }
        self.columns = [column for column, keys in peers.items() if len(keys) > 1 and column != OVERALL]
        sets = sorted({found for found in map(self._set, lines) if found})
        self.letters = {found: _letter(place) for place, found in enumerate(sets)} if len(sets) > 1 else {}

    def _set(self, line: Entry) -> tuple[str, ...]:
        """What a row's scores were made with, as far as others' were made with something else."""
        found = [f"{LABELS.get(name, name)} {line.peers[name][1]}" for name in self.columns if name in line.peers]
        return (line.truth, *found) if found else ()

    def of(self, line: Entry) -> str:
        return "" if line.published else self.letters.get(self._set(line), "")

    def legend(self) -> str:
        """A sentence for the notes that says what the letters stand for; "" where there are none."""
        listed = [f"{letter}: ground truth {', '.join(found)}" for found, letter in self.letters.items()]
        return f"Only rows of the same set can be compared. {'; '.join(listed)}." if listed else ""


def _letter(number: int) -> str:
    letters = string.ascii_lowercase
    return letters[number] if number < len(letters) else f"z{number}"


def long_csv(lines: Sequence[Entry], names: Sequence[str]) -> str:
    """Every row with every figure; empty where not known."""
    scores = [f"{name}{end}" for name in (*names, OVERALL) for end in ("", *(f"_{end}" for end in ENDS))]
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
    ]
    return csv_text([head, *(_csv_row(line, names) for line in lines)])


def _csv_row(line: Entry, names: Sequence[str]) -> list[object]:
    scores = [cell for name in (*names, OVERALL) for cell in _csv_score(line, name)]
    rate = "" if line.bpp is None else NOMINAL if line.nominal else MEASURED
    costs = [number(value, 3) for value in (line.encode_seconds, line.decode_seconds)]
    identities = "; ".join(
        f"{name}: {line.peers[name][1]}" for name in names if name in line.peers and name in line.cells
    )
    return [
        line.target,
        line.encoder,
        line.decoder,
        line.baseline,
        line.mode,
        line.content,
        line.n,
        line.of,
        line.status,
        number(line.bpp, 6),
        rate,
        number(line.ratio, 1),
        number(line.bpp_deflate, 6),
        *costs,
        number(line.peak_memory, 0),
        *scores,
        "{}/{}".format(*line.among_published) if line.among_published else "",
        line.table,
        line.truth,
        identities,
    ]


def _csv_score(line: Entry, column: str) -> list[object]:
    ends = (line.low.get(column), line.high.get(column))
    best, worst = line.places.get(column, (None, None))
    return [number(value, 6) for value in (line.value(column), *ends)] + [line.ranks.get(column), best, worst]


def long_markdown(lines: Sequence[Entry], names: Sequence[str], metrics: dict[str, bool]) -> str:
    """The table without its notes. Published rows are not in it: they have a table of their own with the user's.

    Nor is the overall row of a single mode that has no Overall, which would only repeat the mode's.
    """
    lines = [line for line in lines if not line.published]
    lines = [line for line in lines if not (line.mode == OVERALL and line.status == SINGLE and line.overall is None)]
    columns = [*names, *([OVERALL] if any(line.overall is not None for line in lines) else [])]
    marks = Marks(lines, columns)
    has_rate = any(line.bpp is not None for line in lines) or not any(line.content for line in lines)
    rows = []
    for line in lines:
        cells = [score_cell(line, column) for column in columns]
        extra = [*([marks.of(line)] if marks.letters else []), *([_bpp(line)] if has_rate else [])]
        rows.append([name_cell(line), line.mode, _count(line), *extra, *cells])
    extra = [*(["set"] if marks.letters else []), *(["bpp"] if has_rate else [])]
    return markdown_table(["target", "mode", "n", *extra, *(heading(name, metrics) for name in columns)], rows)


def notes(lines: Sequence[Entry], names: Sequence[str]) -> str:
    """What the tables' signs mean."""
    legend = Marks(lines, (*names, OVERALL)).legend()
    nominal = NOMINAL_NOTE if any(line.nominal for line in lines) else ""
    few = FEW_NOTE if any(line.n < FEW for line in lines if not line.published) else ""
    return NOTES + few + nominal + (markdown_text(legend) + "\n" if legend else "")


def heading(column: str, metrics: dict[str, bool]) -> str:
    if column == OVERALL:
        return "Overall ↑"
    return f"{LABELS.get(column, markdown_text(column))} {'↓' if metrics[column] else '↑'}"


def name_cell(line: Entry) -> str:
    name = markdown_text(line.target)
    name = f"**{name}**" if line.mode == OVERALL else name
    return f"{name} (baseline {line.baseline})" if line.baseline else name


def _count(line: Entry) -> str:
    return f"{line.n}/{line.of}" + ("" if line.status in (WHOLE, PUBLISHED) else f" *{line.status}*")


def _bpp(line: Entry) -> str:
    return number(line.bpp, 4) + ("\\*" if line.nominal and line.bpp is not None else "")


def score_cell(line: Entry, column: str) -> str:
    """ "2.5646 ±0.012 (1, 1-2)": mean, half its interval, place with its interval."""
    cell = number(line.value(column), 4)
    if not cell:
        return ""
    half = half_width(line.low.get(column), line.high.get(column))
    rank, interval = line.ranks.get(column), line.places.get(column)
    where = "" if interval in (None, (rank, rank)) else f", {interval[0]}-{interval[1]}"
    return cell + (f" ±{half}" if half else "") + ("" if rank is None else f" ({rank}{where})")


def by_mode(lines: Iterable[Entry]) -> dict[str, list[Entry]]:
    """mode -> its rows, the best first; the overall rows are the last two."""
    return _sections(lines, lambda line: line.mode, ORDER)


def by_content(lines: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Content type or source -> its rows, by mode, the best first."""
    return _sections(lines, lambda line: line.content, sorted({line.content for line in lines}))


def _sections(lines: Iterable[Entry], key: Callable[[Entry], str], order: Sequence[str]) -> dict[str, list[Entry]]:
    lines = [line for line in lines if not line.published]
    sections = {name: [line for line in lines if key(line) == name] for name in order}
    return {name: sorted(found, key=_best_first) for name, found in sections.items() if found}


def _best_first(line: Entry) -> tuple[int, bool, int, str]:
    ranks = [line.ranks[column] for column in (OVERALL, *OVERALL_METRICS, *sorted(line.ranks)) if column in line.ranks]
    return ORDER.index(line.mode), not ranks, ranks[0] if ranks else 0, line.target


def section_markdown(
    title: str, sections: dict[str, list[Entry]], names: Sequence[str], metrics: dict[str, bool]
) -> str:
    """A heading and a table for each section, then the notes."""
    tables = [f"## {markdown_text(name)}\n\n{long_markdown(lines, names, metrics)}" for name, lines in sections.items()]
    every = [line for lines in sections.values() for line in lines]
    return f"# {title}\n\n" + "\n".join(tables) + notes(every, names)
