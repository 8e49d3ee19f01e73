"""What a run of script-t2i.py is given and what it leaves: captions, pictures, files without their times."""

from __future__ import annotations

import csv
import io

MODES = ["full", "image", "pixel", "text"]


def texts(truth) -> dict[str, str]:
    return {path.name: f"caption of {path.stem}" for path in sorted(truth.iterdir())}


def untimed(files: dict[str, bytes]) -> dict[str, object]:
    """Files, of rates.csv without what differs from run to run."""
    measured = ("encode_seconds", "decode_seconds", "peak_memory")

    def rows(table: bytes) -> list[dict[str, str]]:
        return [{**row, **dict.fromkeys(measured)} for row in csv.DictReader(io.StringIO(table.decode()))]

    return {name: rows(data) if name.endswith("rates.csv") else data for name, data in files.items()}


def pictures(bench, pattern="Result/real/*/*.png") -> dict[str, bytes]:
    return bench.files(pattern)
