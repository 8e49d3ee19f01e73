"""Result/NAME/rates.csv: what each reconstruction costs to send and took to make.

Whatever makes reconstructions writes it (decode, codecs, import); the scorer joins it to the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import BadInput
from . import csv_tables
from .csv_tables import file_name, seconds, whole
from .names import stem

FILE = "rates.csv"
# Counted on a bitstream that exists; computed by a model of the symbols' probabilities, with no stream; the protocol's
# published rate
MEASURED, ESTIMATED, NOMINAL = "measured", "estimated", "nominal"
KINDS = (MEASURED, ESTIMATED, NOMINAL)  # what a mean over several is called: the last that is among them


@dataclass(frozen=True)
class Cost:
    """A row of rates.csv: one reconstruction. A field that is None is not known.

    name: the reconstruction's file name. bits: what the decoder was sent, caption_bits + pixel_bits + image_bits, the
    caption at the benchmark's 8 bits a character. deflate_bits: the caption deflated with the shared dictionary, in
    place of caption_bits. kind: MEASURED; ESTIMATED where no stream backs `bits`; NOMINAL where a part of it is the
    protocol's rate because no bitstream is public.
    packed_bits: length of the one file that holds all of it, header included (python -m cmcbench pack).
    encode_seconds, decode_seconds: wall clock, for this image. peak_memory: bytes, of the decoder's device.
    level, scale: a codec's level, and what the sides were divided by before coding (1: not at all).
    sha256: first 16 hexadecimal digits of the reconstruction's file, so that another picture does not inherit the row.
    """

    name: str
    mode: str
    bits: int | None = None
    kind: str = MEASURED
    caption_bits: int | None = None
    deflate_bits: int | None = None
    pixel_bits: int | None = None
    image_bits: int | None = None
    packed_bits: int | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    peak_memory: int | None = None
    level: str = ""
    scale: int | None = None
    sha256: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return stem(self.name), self.mode


COLUMNS = [column.name for column in fields(Cost)]
Rates = dict[tuple[str, str], Cost]  # (stem, mode) -> Cost


READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("bits", "caption_bits", "deflate_bits", "pixel_bits", "image_bits", "packed_bits"), whole),
    **dict.fromkeys(("peak_memory", "scale"), whole),
    **dict.fromkeys(("encode_seconds", "decode_seconds"), seconds),
}


def joint_kind(kinds: Iterable[str]) -> str:
    """What a mean over rates of these KINDS is called."""
    return max(kinds, key=KINDS.index, default=MEASURED)


def read(path: Path) -> Rates:
    """The rows of a rates.csv; {} where there is none. Raises BadInput for a broken one."""
    try:
        costs = csv_tables.read_own(path, ("name", "mode"), _row, COLUMNS)
        return csv_tables.by_key((cost.key, cost) for cost in costs)
    except csv_tables.BadTable as error:
        raise BadInput(
            f"{path} is not a table of rates of this program ({error}). Move it away; the command that made the"
            " pictures writes a new one."
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None


def _row(cells: dict[str, str]) -> Cost:
    """A row of its cells. Raises ValueError."""
    values: dict[str, Any] = {
        name: text if name not in READ else READ[name](text) if text else None for name, text in cells.items()
    }
    row = Cost(**values)
    file_name(row.name)
    if not row.mode:
        raise ValueError(f"{row.name} has no mode")
    if row.kind not in KINDS:
        raise ValueError(f"a rate is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {ascii(row.kind[:40])}")
    return row


def write(path: Path, rates: Rates) -> None:
    """Write a rates.csv, sorted by name and mode, atomically."""
    csv_tables.write(path, COLUMNS, ([getattr(rates[key], name) for name in COLUMNS] for key in sorted(rates)))
