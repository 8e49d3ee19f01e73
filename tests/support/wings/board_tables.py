"""What the board wrote of scored targets, as the tests read it."""

from __future__ import annotations

import csv
import io

import scored

NAMES = scored.images(5)
SPENT = {
    "bits": 5000,
    "kind": "nominal",
    "caption_bits": 1000,
    "deflate_bits": 400,
    "image_bits": 4000,
    "encode_seconds": 0.25,
    "peak_memory": 3 << 30,
}


def made_by(decoder, encoder, **more) -> dict:
    return {"t2i": decoder, "captions": {"file": f"{encoder}.csv", "baseline": False}, "baseline": False, **more}


def table(results, name="leaderboard.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((results / name).read_text())))


def row(rows, target, mode, content="") -> dict[str, str]:
    (found,) = [each for each in rows if (each["target"], each["mode"], each["content"]) == (target, mode, content)]
    return found


def cells_of(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, each row with an empty first one and an empty last one."""
    block = text[text.index(f"## {heading}") :].split("\n\n")[1]
    return [[cell.strip() for cell in line.split("|")] for line in block.splitlines()[2:]]
