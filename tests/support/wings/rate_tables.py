"""rates.csv of a result, as the tests read it."""

from __future__ import annotations

from dataclasses import replace

from cmcbench.files import rates

MODES = ("full", "image", "pixel", "text")
MEASURED_COLUMNS = ("encode_seconds", "decode_seconds", "peak_memory")


def table_of(bench, name="real") -> rates.Rates:
    return rates.read(bench.folder / "Result" / name / "rates.csv")


def untimed(found: rates.Rates) -> rates.Rates:
    return {key: replace(row, **dict.fromkeys(MEASURED_COLUMNS)) for key, row in found.items()}
