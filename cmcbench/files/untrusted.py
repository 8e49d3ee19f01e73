"""Files of strangers read strictly: one way to read each, every number finite, everything bounded."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any, NoReturn

from . import store
from .csv_tables import LARGEST_CELL

# The bounds of every reader: bytes of files, sizes of tables, and numbers
LARGEST_FILE = 64 << 20  # bytes of a table or manifest; the published benchmark's 4,000 rows have 1 MiB
LARGEST_SUMMARY = 16 << 20  # bytes; a whole one has about 100 KiB
MOST_ROWS = 200_000  # of a table; the published benchmark has 4,000 in four modes
MOST_COLUMNS = 64
MOST_METRICS = 64  # what a table can still be read with
LONGEST_NAME = 200  # characters of a target, a model, a metric's identity
LARGEST_SCORE = 1e12  # nothing that is a score comes near, and squares of it can still be summed
LARGEST_RATE = 1e3  # bits per pixel; an uncompressed picture has 24
MOST_LEVELS = 32  # of nesting; what is deeper could not be shown or compared without recursion
LONGEST_NUMBER = 40  # characters
LARGEST = 1e15  # of any number; nothing that is measured here reaches it, and sums of it stay finite
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"\d{1,18}", re.ASCII)
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # perhaps half a character (a surrogate), where its other half is missing


class Unusable(Exception):
    """A file or cell that cannot be used; the message says why, without naming the file."""


def read_bytes(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """A regular file's bytes, at most `largest`. Raises Unusable: a missing file, a pipe or device, no permission."""
    try:
        return store.read_bytes(path, largest)
    except FileNotFoundError:
        raise Unusable("is missing") from None
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror or error})") from None
    except ValueError:  # a NUL in the path
        raise Unusable("cannot be read (its name is invalid)") from None


def text(data: bytes, bom: bool = False) -> str:
    """UTF-8 as text. bom: whether a byte order mark may begin it. Raises Unusable."""
    try:
        found = data.decode("utf-8-sig" if bom else "utf-8")
    except UnicodeDecodeError as error:
        raise Unusable(f"is not UTF-8 (line {data[: error.start].count(10) + 1})") from None
    if "\0" in found or "\ufeff" in found[:1]:
        raise Unusable("holds a NUL character or a byte order mark")
    return found


def json_object(data: bytes) -> dict[str, Any]:
    """A JSON object without NaN, infinities, numbers beyond a float and keys that come twice. Raises Unusable."""
    found = text(data)
    try:
        value = json.loads(
            found, object_pairs_hook=_object, parse_constant=_constant, parse_float=number, parse_int=_integer
        )
    except RecursionError:
        raise Unusable("is nested too deeply") from None
    except ValueError as error:
        raise Unusable(f"is not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise Unusable("holds no JSON object")
    _check_depth(value)
    if HALF.search(found):
        _check_characters(value)
    return value


def _check_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unusable("holds half a character (a surrogate)") from None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_LEVELS):
        containers = (
            each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))
        )
        level = [child for children in containers for child in children]
        if not level:
            return
    raise Unusable("is nested too deeply")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unusable("holds a key twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise Unusable(f"holds {name}, which is not a number")


def _integer(digits: str) -> int:
    if len(digits) > 19:
        raise Unusable("holds a number of more than 18 digits")
    return int(digits)


def number(cell: str) -> float:
    """A decimal number that is finite and no larger than LARGEST. Raises Unusable."""
    if len(cell) > LONGEST_NUMBER or not NUMBER.fullmatch(cell) or not abs(float(cell)) <= LARGEST:
        raise Unusable(f"{shown(cell)} is not a finite number, or above {LARGEST:g}")
    return float(cell)


def whole(cell: str) -> int:
    """A whole number from 0 on. Raises Unusable."""
    if not WHOLE.fullmatch(cell):
        raise Unusable(f"{shown(cell)} is not a whole number from 0 on")
    return int(cell)


def table(data: bytes, bom: bool = False) -> tuple[list[str], list[dict[str, str]]]:
    """A CSV with a header as (columns, rows), each row with a cell for every column. Raises Unusable."""
    csv.field_size_limit(LARGEST_CELL)
    lines = csv.reader(io.StringIO(text(data, bom), newline=""), strict=True)
    rows: list[dict[str, str]] = []
    try:
        columns = next(lines, [])
        if not columns or len(columns) > MOST_COLUMNS or len(set(columns)) != len(columns):
            raise Unusable(
                f"has {len(columns)} columns or one twice; from 1 to {MOST_COLUMNS} different ones are expected"
            )
        for cells in lines:
            if len(cells) != len(columns):
                raise Unusable(f"line {lines.line_num} has {len(cells)} cells, and there are {len(columns)} columns")
            if len(rows) == MOST_ROWS:
                raise Unusable(f"has more than {MOST_ROWS:,} rows")
            rows.append(dict(zip(columns, cells)))
    except csv.Error as error:
        raise Unusable(f"is not a readable CSV (line {lines.line_num}: {error})") from None
    return columns, rows


def same(name: str) -> str:
    """What two names share that some file system takes for one: case and Unicode's forms."""
    return unicodedata.normalize("NFKC", name).casefold()


def shown(value: Any) -> str:
    """Something from a file for a message: short, and safe for a terminal."""
    return ascii(value)[:60]
