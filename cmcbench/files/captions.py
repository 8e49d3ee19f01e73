"""Captions between encode and decode: a UTF-8 CSV with an unnamed index column, `name` and `text`, as published."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from .names import plain_name
from .store import write_bytes

LARGEST_CELL = 1 << 20  # characters; a caption beyond it is no caption


@dataclass(frozen=True)
class Captions:
    """texts: image file name -> caption, in the file's order. problems: file name -> why its row cannot be used."""

    texts: dict[str, str]
    problems: dict[str, str]


def read(path: Path) -> Captions:
    """Read a caption file, perhaps with a byte order mark.

    Rows that cannot be used (no text, a name that is no plain file name, a name that comes twice with different texts)
    are among the problems and the others stay. Raises BadInput for a file that is missing, no UTF-8, or lacks a column.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(
            f"there is no caption file {path}. Make it with: python script-i2t.py --model_name NAME, fetch the"
            " published ones with: python -m cmcbench download captions, or name another with --input_path."
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None
    try:
        table = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}, line {line}: is not UTF-8. Save the file as UTF-8.") from None
    return _parse(table, path)


def _parse(table: str, path: Path) -> Captions:
    csv.field_size_limit(LARGEST_CELL)
    # strict: an unclosed quote would otherwise swallow the rows after it without a word
    rows = csv.DictReader(io.StringIO(table, newline=""), strict=True)
    try:
        columns = rows.fieldnames or []
        missing = [column for column in ("name", "text") if column not in columns]
        if missing:
            raise BadInput(
                f"{path}: has no column {' and no column '.join(missing)}; its columns are: "
                f"{', '.join(repr(column[:40]) for column in columns[:8]) or 'none'}. Expected: name, text."
            )
        texts: dict[str, str] = {}
        problems: dict[str, str] = {}
        for row in rows:
            _take(row["name"] or "", row["text"] or "", f"{path.name}, line {rows.line_num}", texts, problems)
    except csv.Error as error:
        raise BadInput(f"{path}, line {rows.reader.line_num}: is not a readable CSV ({error}).") from None
    return Captions(texts, problems)


def _take(name: str, text: str, where: str, texts: dict[str, str], problems: dict[str, str]) -> None:
    name, text = name.strip(), text.strip()
    if not plain_name(name):
        shown = ascii(name[:80])
        problems[shown] = f"{where}: {shown} is not a plain file name"
    elif not text:
        problems[name] = f"{where}: {name} has no caption"
    elif "\0" in text:
        problems[name] = f"{where}: the caption of {name} holds a NUL character"
    elif texts.get(name, text) != text:
        problems[name] = f"{where}: {name} stands in the file twice, with different captions"
    else:
        texts[name] = text
    if name in problems:
        texts.pop(name, None)


def write(path: Path, texts: Mapping[str, str]) -> None:
    """Write captions in the published format, in the order given, atomically."""
    rows = [("", "name", "text"), *((index, name, text) for index, (name, text) in enumerate(texts.items()))]
    # A model's API may give half a surrogate pair, which UTF-8 cannot hold
    write_bytes(path, "".join(map(_line, rows)).encode("utf-8", "replace"))


def _line(cells: tuple[object, ...]) -> str:
    """A row and its newline. csv quotes what is part of its line end, and a lone \\r would end the row as well."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()[:-2] + "\n"
