"""Result/accepted.csv: which submissions were accepted, when, under which name, and what was checked of each."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ...errors import BadInput
from .. import untrusted
from ..names import plain_name
from ..store import write_bytes

FILE = "accepted.csv"
ZIP = "submission.zip"  # the accepted file itself, in Result/NAME
DIGEST = re.compile(r"[0-9a-f]{64}")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Accepted:
    """One row. name: the folder in Result. date: UTC. digest: SHA-256 of the zip. checked: what, separated by "; ".
    version: of the program that checked.
    """

    name: str
    date: str
    digest: str
    checked: str
    version: str


COLUMNS = tuple(field.name for field in fields(Accepted))


def read(results: Path) -> list[Accepted]:
    """The rows, in the order of acceptance; [] where nothing was accepted yet. Raises BadInput for another file."""
    path = results / FILE
    if not path.exists():
        return []
    try:
        columns, rows = untrusted.table(untrusted.read_bytes(path))
        if tuple(columns) != COLUMNS:
            raise untrusted.Unusable(f"has other columns than {', '.join(COLUMNS)}")
        for line, row in enumerate(rows, 2):
            if not (plain_name(row["name"]) and DATE.fullmatch(row["date"]) and DIGEST.fullmatch(row["digest"])):
                raise untrusted.Unusable(f"row {line} is not of this program")
    except untrusted.Unusable as error:
        raise BadInput(f"{path} {error}. It is written by python -m cmcbench accept; restore it from a copy.") from None
    return [Accepted(**row) for row in rows]


def write(results: Path, rows: list[Accepted]) -> None:
    """Write all rows. Call it with the lock of `accept` held."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_bytes(results / FILE, buffer.getvalue().encode())
