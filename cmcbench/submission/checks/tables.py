"""A submission's tables read: scores, rates, captions and checksums, each row in its form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...files import untrusted
from ...files.names import plain_name, stem
from ...files.rates import KINDS
from ...files.untrusted import Unusable, shown
from ...protocol import MODES, content
from .faults import Faults

FIXED = ("name", "type", "source", "mode")
SPENT = (
    "caption_bits",
    "deflate_bits",
    "pixel_bits",
    "image_bits",
    "packed_bits",
    "encode_seconds",
    "decode_seconds",
    "peak_memory",
    "bits",
)
TOLD = ("kind", "bpp", "ground_truth", "reconstruction")
SHA256 = re.compile(r"[0-9a-f]{64}")
SHORT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class SubmittedScores:
    """A row of scores.csv. scores: metric -> score. spent: column of SPENT -> number, those that are known."""

    name: str
    type: str
    source: str
    mode: str
    scores: dict[str, float]
    spent: dict[str, float]
    kind: str
    bpp: float | None
    ground_truth: str
    reconstruction: str

    @property
    def stem(self) -> str:
        return stem(self.name)

    @property
    def where(self) -> str:
        return f"scores.csv: {self.name}, mode {self.mode}"


def _table(
    name: str, data: bytes, needed: tuple[str, ...], faults: Faults, bom: bool = False
) -> tuple[list[str], list[dict[str, str]]]:
    try:
        columns, rows = untrusted.table(data, bom)
        lacking = [column for column in needed if column not in columns]
        if lacking:
            raise Unusable(f"has no column {', '.join(lacking)}")
    except Unusable as error:
        faults.add(name, f"{name} {error}")
        return [], []
    return columns, rows


def read_scores(data: bytes, summary: dict[str, Any], faults: Faults) -> list[SubmittedScores]:
    columns, rows = _table("scores.csv", data, (*FIXED, *SPENT, *TOLD), faults)
    told = summary.get("metrics")
    metrics = [column for column in columns if column not in (*FIXED, *SPENT, *TOLD)]
    for metric in metrics:
        if not isinstance(told, dict) or metric not in told:
            faults.add("columns", f"scores.csv: summary.json does not tell what its column {shown(metric)} is")
    scored: dict[tuple[str, str], SubmittedScores] = {}
    names: dict[str, str] = {}
    for line, cells in enumerate(rows, 2):
        try:
            row = _scored(cells, metrics)
        except Unusable as error:
            faults.add("cells", f"scores.csv, row {line}: {error}")
            continue
        if (row.stem, row.mode) in scored:
            faults.add("duplicates", f"scores.csv, row {line}: {row.name} stands twice in mode {row.mode}")
        elif names.setdefault(untrusted.same(row.stem), row.name) != row.name:
            faults.add(
                "names",
                f"scores.csv, row {line}: {shown(row.name)} and {shown(names[untrusted.same(row.stem)])} are the same"
                " name",
            )
        scored[row.stem, row.mode] = row
    return list(scored.values())


def _scored(cells: dict[str, str], metrics: list[str]) -> SubmittedScores:
    """A row with every cell in its form. Raises Unusable."""
    name, mode, kind = cells["name"], cells["mode"], cells["kind"]
    if not plain_name(name):
        raise Unusable(f"{shown(name)} is not a plain file name")
    if mode not in MODES:
        raise Unusable(f"{shown(mode)} is not one of the modes {', '.join(MODES)}")
    if (cells["type"], cells["source"]) != content(name):
        raise Unusable(
            f"type and source are {shown(cells['type'])} and {shown(cells['source'])}, "
            f"the name says {' and '.join(map(repr, content(name)))}"
        )
    if kind not in ("", *KINDS):
        raise Unusable(f"the rate's kind is {shown(kind)}, expected one of {', '.join(KINDS)}")
    for column in ("ground_truth", "reconstruction"):
        if not SHORT.fullmatch(cells[column]):
            raise Unusable(f"{column} {shown(cells[column])} is not a digest of 16 hexadecimal digits")
    scores = {metric: untrusted.number(cells[metric]) for metric in metrics if cells[metric]}
    seconds = ("encode_seconds", "decode_seconds")
    spent = {
        column: (untrusted.number if column in seconds else untrusted.whole)(cells[column])
        for column in SPENT
        if cells[column]
    }
    bpp = untrusted.number(cells["bpp"]) if cells["bpp"] else None
    negative = [column for column in seconds if spent.get(column, 0) < 0] + ["bpp"] * (bpp is not None and bpp < 0)
    if negative:
        raise Unusable(f"{negative[0]} is below 0")
    return SubmittedScores(
        name,
        cells["type"],
        cells["source"],
        mode,
        scores,
        spent,
        kind,
        bpp,
        cells["ground_truth"],
        cells["reconstruction"],
    )


def read_checksums(data: bytes, faults: Faults) -> dict[tuple[str, str], tuple[str, str]]:
    try:
        lines = untrusted.text(data).split("\n")
        if len(lines) > untrusted.MOST_ROWS + 1 or lines.pop():
            raise Unusable(f"has more than {untrusted.MOST_ROWS:,} lines or its last one is cut off")
    except Unusable as error:
        faults.add("checksums", f"reconstructions.sha256 {error}")
        return {}
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for number, line in enumerate(lines, 1):
        seen, _, path = line.partition("  ")
        mode, _, name = path.partition("/")
        key = mode, stem(name)
        if not SHA256.fullmatch(seen) or mode not in MODES or not plain_name(name) or key in found:
            faults.add(
                "checksums",
                f"reconstructions.sha256, line {number}: {shown(line)} is not a SHA-256 of MODE/IMAGE, or comes twice",
            )
        found[key] = name, seen
    return found


def read_captions(data: bytes, faults: Faults) -> dict[str, str]:
    _, rows = _table("captions.csv", data, ("name", "text"), faults, bom=True)
    texts: dict[str, str] = {}
    for line, row in enumerate(rows, 2):
        name, caption = row["name"].strip(), row["text"].strip()
        if not plain_name(name) or not caption or texts.get(name, caption) != caption:
            faults.add(
                "captions",
                f"captions.csv, row {line}: no plain name ({shown(name)}), no caption, or another one of the same"
                " image",
            )
        texts[name] = caption
    return texts


def read_rates(data: bytes, faults: Faults) -> dict[tuple[str, str], dict[str, str]]:
    _, rows = _table("rates.csv", data, ("name", "mode", "sha256", "kind", *SPENT), faults)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for line, row in enumerate(rows, 2):
        key = stem(row["name"]), row["mode"]
        if not plain_name(row["name"]) or row["mode"] not in MODES or key in found:
            faults.add(
                "rates",
                f"rates.csv, row {line}: {shown(row['name'])} in mode {shown(row['mode'])} is not an image"
                " of a mode, or comes twice",
            )
        found[key] = row
    return found


def number_or_none(cell: str) -> float | None:
    """The number in a cell, None for an empty cell or one that holds no number."""
    try:
        return untrusted.number(cell)
    except Unusable:
        return None
