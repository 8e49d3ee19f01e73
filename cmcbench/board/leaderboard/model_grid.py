"""Every encoder with every decoder: Overall of the pairs that have results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...protocol import OVERALL_METRICS
from ..labels import OVERALL, OVERALL_I2T
from ..markup import csv_text, half_width, markdown_table, markdown_text, number
from .entries import WHOLE, Entry
from .long_tables import Marks

TITLES = {OVERALL: "Overall of the T2I table", OVERALL_I2T: "Overall of the I2T table"}
NOTES = """
Rows are encoders (by the name of their captions' file), columns decoders; ±: half the 95 % interval. A *partial* \
pair lacks
images, the references of an *other rate* have more than 0.02 bpp. A target whose name holds an `@` is another setting
of a pair and is not shown, nor is one without captions.
"""


def pairs(entries: Iterable[Entry], mode: str = OVERALL) -> dict[tuple[str, str], Entry]:
    """(encoder, decoder) -> its overall row. Of several targets of a pair the first by name."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.target):
        here = entry.mode == mode and entry.overall is not None and not entry.published
        if here and entry.encoder and entry.decoder and "@" not in entry.target:
            found.setdefault((entry.encoder, entry.decoder), entry)
    return found


def files(entries: Sequence[Entry]) -> tuple[str, str]:
    """(Markdown, CSV) of the grid, one for each formula that has two pairs or more; ("", "") where there are fewer."""
    grids = {mode: pairs(entries, mode) for mode in TITLES}
    grids = {mode: found for mode, found in grids.items() if len(found) > 1}
    if not grids:
        return "", ""
    every = sorted({decoder for found in grids.values() for _, decoder in found})
    tables, rows = [], [["formula", "set", "encoder", *every]]
    for mode, found in grids.items():
        encoders, decoders = (sorted({key[side] for key in found}) for side in (0, 1))
        marks = Marks(found.values(), OVERALL_METRICS)
        cells = [[_cell(found.get((encoder, decoder)), marks) for decoder in decoders] for encoder in encoders]
        body = [[markdown_text(encoder), *row] for encoder, row in zip(encoders, cells)]
        legend = markdown_text(marks.legend())
        head = ["encoder", *(markdown_text(decoder) for decoder in decoders)]
        tables.append(f"## {TITLES[mode]}\n\n{markdown_table(head, body)}" + (f"\n{legend}\n" if legend else ""))
        # In a CSV no mark can stand beside a number: what cannot be compared has rows of its own
        sets = sorted({(marks.of(entry), encoder) for (encoder, _), entry in found.items()})
        rows += [
            [mode, name, encoder, *(_figure(found.get((encoder, each)), name, marks) for each in every)]
            for name, encoder in sets
        ]
    return "\n".join(tables) + NOTES, csv_text(rows)


def _figure(entry: Entry | None, name: str, marks: Marks) -> str:
    """Overall of a whole result of this set."""
    return "" if entry is None or entry.status != WHOLE or marks.of(entry) != name else number(entry.overall, 6)


def _cell(entry: Entry | None, marks: Marks) -> str:
    if entry is None:
        return "-"
    half = half_width(entry.low.get(OVERALL), entry.high.get(OVERALL))
    status = "" if entry.status == WHOLE else f"*{entry.status}*"
    parts = [number(entry.overall, 4), f"±{half}" if half else "", marks.of(entry), status]
    return " ".join(part for part in parts if part)
