"""Captions between encode and decode: a UTF-8 CSV with an unnamed index column, `name` and `text`, as published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from ..runtime.messages import did_you_mean
from . import csv_tables
from .names import name_problem, plain_name, stem


@dataclass(frozen=True)
class Captions:
    """texts: image file name -> caption, in the file's order. problems: file name -> why its row cannot be used."""

    texts: dict[str, str]
    problems: dict[str, str]


def as_typed(text: str, folder: Path = Path("Text")) -> Path:
    """The caption file that is meant: `mycap` is Text/mycap.csv where there is no file mycap."""
    path = Path(text)
    if path.is_file() or path.parent != Path():
        return path
    there = [folder / text, folder / f"{text}.csv", Path(f"{text}.csv")]
    return next((each for each in there if each.is_file()), path)


def read(path: Path) -> Captions:
    """Read a caption file: UTF-8, perhaps with a byte order mark; comma, semicolon or tab between the cells.

    Rows that cannot be used (no text, more cells than columns, a name that is not a plain file name, an image that
    comes twice with different texts) are among the problems and the others stay. Raises BadInput for a file that is
    missing, not UTF-8, or lacks a column.
    """
    try:
        columns, rows = csv_tables.read(path)
    except FileNotFoundError:
        near = did_you_mean(path.stem, [each.stem for each in Path("Text").glob("*.csv")])
        raise BadInput(
            f"there is no caption file {path}.{near} Make it with: python script-i2t.py --model_name NAME, fetch the"
            " published ones with: python -m cmcbench download captions, or name another with --input_path."
        ) from None
    if missing := [column for column in ("name", "text") if column not in columns]:
        raise BadInput(
            f"{path}: has no column {' and no column '.join(missing)}; its columns are: {csv_tables.shown(columns)}."
            " Expected: name, text."
        )
    texts: dict[str, str] = {}
    problems: dict[str, str] = {}
    named: dict[str, tuple[str, str]] = {}  # stem -> name and text of its first row
    faulty: set[str] = set()  # stems
    for row in rows:
        name, text = row.cells["name"].strip(), row.cells["text"].strip()
        here = stem(name)
        if problem := _problem(row, name, text, named.setdefault(here, (name, text))):
            faulty.add(here)
            problems.setdefault(name if plain_name(name) else ascii(name[:80]), f"{path.name}, line {problem}")
        texts.setdefault(named[here][0], text)
    return Captions({name: text for name, text in texts.items() if stem(name) not in faulty}, problems)


def _problem(row: csv_tables.Row, name: str, text: str, first: tuple[str, str]) -> str:
    """Why a row cannot be used, with its line, "" where it can. first: name and text of the image's first row."""
    whose = name if plain_name(name) else ascii(name[:80])
    if row.problem:
        return f"{row.line}: {whose}: {row.problem}"
    if unusable := name_problem(name):
        return f"{row.line}: {whose} is not a plain file name: {unusable}"
    if not text:
        return f"{row.line}: {name} has no caption"
    if "\0" in text:
        return f"{row.line}: the caption of {name} holds a NUL character"
    if text != first[1]:
        as_what = "" if name == first[0] else f" (as {first[0]})"
        return f"{row.line}: {name} is in the file twice{as_what}, with different captions"
    return ""


def write(path: Path, texts: Mapping[str, str]) -> None:
    """Write captions in the published format, in the order given, atomically."""
    csv_tables.write(
        path, ("", "name", "text"), ((index, name, text) for index, (name, text) in enumerate(texts.items()))
    )
