"""CSV tables, of this program and of others: rows read strictly, rows written whole, and cells as numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import BadInput
from .names import name_problem
from .store import read_bytes, write_bytes

LARGEST_CELL = 1 << 20  # characters; more than any caption has
LARGEST_FILE = 1 << 28  # bytes
LARGEST_NUMBER = 1e15  # sums of it stay exact
DELIMITERS = ",;\t"  # spreadsheets write ";" where the comma is their decimal mark
WHOLE = re.compile(r"(\d{1,15})(\.0*)?", re.ASCII)  # pandas writes 1234.0 where a column has gaps
NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)

Made = TypeVar("Made")
Key = TypeVar("Key")


class BadTable(ValueError):
    """A file that is not a table. line: where it is wrong, 0 for the table as a whole. The message names no file."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.line = line


@dataclass(frozen=True)
class Row:
    """A row with a cell for every named column, "" where it is short. line: its last one in the file.

    short: whether it has fewer cells than columns. problem: why it cannot be used as a row of this table, "" where it
    can; whose it is may then be unknown, since an unquoted comma before the name moves it to another column.
    """

    line: int
    cells: dict[str, str]
    short: bool = False
    problem: str = ""


def parse(data: bytes) -> tuple[list[str], list[Row]]:
    """The named columns and the rows of a table, perhaps with a byte order mark; empty rows are left out.

    Cells are separated by commas, or by semicolons or tabs where the header is. Raises BadTable for what is not UTF-8
    or not a CSV, and for a column that comes twice.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTable("is not UTF-8. Save the file as UTF-8.", data[: error.start].count(b"\n") + 1) from None
    csv.field_size_limit(LARGEST_CELL)
    delimiter = next((each for each in DELIMITERS if "name" in _header(text, each)), ",")
    # strict: an unclosed quote would otherwise take in the rows after it
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(lines, [])
        columns = _columns(header)
        # Files that were joined repeat the header
        rows = [
            _row(columns, cells, lines.line_num) for cells in lines if any(map(str.strip, cells)) and cells != header
        ]
    except csv.Error as error:
        raise BadTable(f"is not a readable CSV ({error}).", lines.line_num) from None
    named = [column for column in columns if column]
    if twice := sorted({column for column in named if named.count(column) > 1}):
        raise BadTable(f"has the column {ascii(twice[0][:40])} twice.")
    return named, rows


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return _columns(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), []))
    except csv.Error:
        return []


def _columns(cells: list[str]) -> list[str]:
    """The header without the nameless columns at its end, which spreadsheets add."""
    columns = [cell.strip() for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    return columns


def _row(columns: list[str], cells: list[str], line: int) -> Row:
    surplus = any(map(str.strip, cells[len(columns) :]))
    short = len(cells) < len(columns)
    cells = cells + [""] * (len(columns) - len(cells))
    found = {column: cell for column, cell in zip(columns, cells) if column}
    return Row(line, found, short, "has more cells than columns: quote the text" if surplus else "")


def shown(columns: Sequence[str]) -> str:
    """Columns for a message."""
    return ", ".join(ascii(column[:40]) for column in columns[:8]) or "none"


def read(path: Path) -> tuple[list[str], list[Row]]:
    """As parse. Raises FileNotFoundError, and BadInput that names the file."""
    try:
        return parse(read_bytes(path, LARGEST_FILE))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None
    except BadTable as error:
        raise BadInput(f"{path}{', ' if error.line else ': '}{error}") from None


def read_own(
    path: Path,
    needed: Sequence[str],
    make: Callable[[dict[str, str]], Made],
    known: Sequence[str] | None = None,
) -> list[Made]:
    """The rows of a table of this program, each made by `make` of its cells; [] where there is no such file.

    known: the columns that it may have, None for any. One row that cannot be used makes the table unusable: a part of
    it would pass for the whole. Raises BadTable, and OSError for a file that cannot be read.
    """
    try:
        data = read_bytes(path, LARGEST_FILE)
    except FileNotFoundError:
        return []
    columns, rows = parse(data)
    if missing := [column for column in needed if column not in columns]:
        raise BadTable(f"has no column {missing[0]}; its columns are: {shown(columns)}")
    if unknown := [column for column in columns if known is not None and column not in known]:
        raise BadTable(f"has an unknown column {ascii(unknown[0][:40])}")
    return [_made(row, make) for row in rows]


def _made(row: Row, make: Callable[[dict[str, str]], Made]) -> Made:
    if row.problem or row.short:
        raise BadTable(row.problem or "has fewer cells than columns", row.line)
    try:
        return make(row.cells)
    except ValueError as error:
        raise BadTable(str(error), row.line) from None


def by_key(rows: Iterable[tuple[Key, Made]]) -> dict[Key, Made]:
    """Rows by what they are of. Raises BadTable where two rows of the same differ."""
    found: dict[Key, Made] = {}
    for key, row in rows:
        if found.setdefault(key, row) != row:
            whose = " ".join(key) if isinstance(key, tuple) else str(key)
            raise BadTable(f"has two rows for {ascii(whose[:80])}, and they differ")
    return found


def text_of(rows: Iterable[Sequence[object]]) -> str:
    """Rows as the text of a CSV, the header first. None is an empty cell."""
    lines = _Lines()
    # csv quotes what is part of its line end, and a lone \r would end the row as well
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return "".join(line[:-2] + "\n" for line in lines)


class _Lines(list[str]):
    """What csv.writer writes to, a row a call."""

    write = list.append


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, atomically."""
    # A model's API may give half a surrogate pair, which UTF-8 cannot hold
    write_bytes(path, text_of([columns, *rows]).encode("utf-8", "replace"))


def file_name(text: str) -> str:
    """A cell as a plain file name. Raises ValueError."""
    if problem := name_problem(text):
        raise ValueError(f"{ascii(text[:80])} is not a plain file name: {problem}")
    return text


def whole(text: str) -> int:
    """A cell as a whole number, 0 <= n < 10**15. Raises ValueError."""
    found = WHOLE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{ascii(text[:40])} is not a whole number of at least 0{_hint(text)}")
    return int(found[1])


def number(text: str) -> float:
    """A cell as a number, 0 <= n < 10**15. Raises ValueError."""
    found = NUMBER.fullmatch(text.strip()) if len(text) < 64 else None
    if not found or not float(found[0]) < LARGEST_NUMBER:
        raise ValueError(f"{ascii(text[:40])} is not a number of at least 0{_hint(text)}")
    return float(found[0])


def seconds(text: str) -> float | None:
    """A cell as a time, None of an empty one. Raises ValueError."""
    return number(text) if text.strip() else None


def _hint(text: str) -> str:
    return ": write it with a decimal point and without thousands separators" if "," in text else ""
