"""What imported reconstructions cost: a table of rates, or a folder of streams whose bytes are counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, ImageProblem
from ..files import csv_tables
from ..files.csv_tables import file_name, number, whole
from ..files.names import plain_name, stem
from ..files.store import read_bytes

RATES = ("bits", "bytes", "bpp")
COSTS = ("encode_seconds", "decode_seconds", "peak_memory")
MOST = (48, 8_000_000)  # bits a pixel and bits besides: more than any codec needs for a picture


@dataclass(frozen=True)
class ImportedCost:
    """What one reconstruction cost. value: in the unit of the table's column; peak_memory in bytes."""

    value: float
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    peak_memory: int | None = None

    def bits(self, unit: str, width: int, height: int) -> int:
        """The bits of a picture of this size. Raises ValueError for more than a picture can take."""
        bits = self.value * {"bits": 1, "bytes": 8, "bpp": width * height}[unit]
        if bits > MOST[0] * width * height + MOST[1]:
            raise ValueError(f"{self.value:g} {unit} is more than a picture of {width}x{height} can take")
        return round(bits)


@dataclass(frozen=True)
class Streams:
    """A folder of streams. files: stem -> path. problems: stem -> why its stream cannot be used. extension: what all of
    them are kept with, without the dot.
    """

    files: dict[str, Path]
    problems: dict[str, str]
    extension: str

    @property
    def costs(self) -> tuple[str, dict[str, ImportedCost], dict[str, str]]:
        """As read_costs gives them: each file counts whole."""
        return "bytes", {image: ImportedCost(path.stat().st_size) for image, path in self.files.items()}, self.problems


def streams(folder: Path) -> Streams:
    """The streams in a folder: a file an image, x.bin or x.png.bin of x.png. Raises BadInput where there are none."""
    if not folder.is_dir():
        raise BadInput(f"--streams: {folder} is not a folder.")
    found: dict[str, Path] = {}
    problems: dict[str, str] = {}
    for path in sorted(each for each in folder.iterdir() if not each.name.startswith(".")):
        image = stem(path.stem) if plain_name(path.name) else ascii(path.name[:80])
        if image in found or image in problems:
            problems[image] = f"{path.name}: {folder} holds several files of that name; keep one of them"
        elif not path.is_file() or not plain_name(path.name):
            problems[image] = f"{image}: is no plain file, and no stream"
        elif not path.stat().st_size:
            problems[image] = f"{path.name}: is a stream of 0 bytes, which no picture can be decoded from"
        else:
            found[image] = path
    if not found and not problems:
        raise BadInput(f"--streams: {folder} holds no streams.")
    found = {image: path for image, path in found.items() if image not in problems}
    endings = {path.suffix.removeprefix(".") for path in found.values()}
    ending = next(iter(endings)) if len(endings) == 1 else ""
    return Streams(found, problems, ending if ending.isascii() and ending.isalnum() else "bin")


def read_stream(path: Path, length: int) -> bytes:
    """The stream of that length. Raises ImageProblem where it is another one by now."""
    try:
        stream = read_bytes(path, length)
    except OSError as error:
        raise ImageProblem(f"its stream {path.name} cannot be read ({error.strerror})") from None
    if len(stream) != length:
        raise ImageProblem(f"its stream {path.name} was changed while it was imported")
    return stream


def read_costs(path: Path) -> tuple[str, dict[str, ImportedCost], dict[str, str]]:
    """A table of rates: its unit, stem -> ImportedCost, and stem (or the name, of one that is not a plain file name) ->
    why its row cannot be used.

    Columns: name, one of bits, bytes, bpp, and perhaps encode_seconds, decode_seconds, peak_memory (bytes); others are
    left alone. Raises BadInput for a table that is missing, not UTF-8, not a CSV, or lacks a column.
    """
    try:
        columns, rows = csv_tables.read(path)
    except FileNotFoundError:
        raise BadInput(f"--bits: {path} cannot be read (No such file or directory).") from None
    except BadInput as error:
        raise BadInput(f"--bits: {error}") from None
    unit = _unit(columns, path)
    costs: dict[str, ImportedCost] = {}
    problems: dict[str, str] = {}
    for row in rows:
        name = row.cells["name"].strip()
        here = stem(name) if plain_name(name) else ascii(name[:80])
        try:
            cost = _cost(row, name, unit)
            if costs.setdefault(here, cost) != cost:
                raise ValueError(f"{name} is in the table twice, with different values")
        except ValueError as error:
            problems.setdefault(here, f"{path.name}, line {row.line}: {error}")
    return unit, {image: cost for image, cost in costs.items() if image not in problems}, problems


def _unit(columns: list[str], path: Path) -> str:
    units = [unit for unit in RATES if unit in columns]
    if "name" not in columns or len(units) != 1:
        raise BadInput(
            f"--bits: {path} needs a column name and one of {', '.join(RATES)}; its columns are:"
            f" {csv_tables.shown(columns)}."
        )
    return units[0]


def _cost(row: csv_tables.Row, name: str, unit: str) -> ImportedCost:
    """What a row says. Raises ValueError, whose text names the image."""
    file_name(name)
    readers = {unit: number if unit == "bpp" else whole, "peak_memory": whole}
    cells = {column: row.cells.get(column, "").strip() for column in (unit, *COSTS)}
    try:
        if row.problem:
            raise ValueError(row.problem)
        values = {column: readers.get(column, number)(text) for column, text in cells.items() if text or column == unit}
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return ImportedCost(values.pop(unit), **values)
