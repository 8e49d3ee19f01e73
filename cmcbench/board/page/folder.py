"""The report's folder: which files in it are ours, what was written of what, and what may be removed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import BadInput
from ...files.names import plain_name
from ...files.store import TEMPORARY, only_writer, read_json, sweep, write_bytes

RECORD = ".made.json"  # hidden, in the report: what was made, of what; it tells our files from others'
OURS = ("index.html", "page", "data", "pictures", "report.pdf")
LOCK = ".report.lock"


def check_ours(output: Path) -> None:
    """Raises BadInput where the report's folder holds what is not of a report."""
    if output.exists() and not output.is_dir():
        raise BadInput(f"--output {output}: is a file, not a folder. Name another one.")
    there = (
        [path.name for path in output.iterdir() if not path.name.startswith((TEMPORARY, LOCK))]
        if output.is_dir()
        else []
    )
    if there and RECORD not in there:
        raise BadInput(
            f"--output {output}: holds files that are not of a report, {ascii(sorted(there)[0])} for one. Name another"
            " folder."
        )


def sweep_all(output: Path) -> None:
    """Remove the unfinished files that a killed run left anywhere in the report. Call it with the lock held."""
    sweep(output)
    for top in OURS:
        for folder, _, _ in os.walk(output / top):  # follows no links
            sweep(Path(folder))


def take_away(output: Path) -> bool:
    """Remove a report that no target is left for; files that are not ours stay. Returns whether there was one."""
    if not (output / RECORD).is_file():
        return False
    with only_writer(output / LOCK, str(output / "index.html")):
        record = read_json(output / RECORD) or {}
        thumbs = record.get("thumbs")
        sweep_all(output)
        names = [*safe_name(record.get("files")), *safe_name(list(thumbs) if isinstance(thumbs, dict) else [])]
        remove(output, names)
        (output / RECORD).unlink()
    (output / LOCK).unlink(missing_ok=True)
    try:
        output.rmdir()
    except OSError:
        pass  # somebody's own files are in it
    return True


def safe_name(names: Any) -> Iterator[str]:
    """The names of a record that lead nowhere but into the report: the record may come from anybody."""
    for name in names if isinstance(names, list) else ():
        parts = name.split("/") if isinstance(name, str) else []
        if parts and parts[0] in OURS and all(map(plain_name, parts)):
            yield name


def remember(output: Path, files: Iterable[str], thumbs: dict[str, Any]) -> None:
    record = {"files": sorted(files), "thumbs": dict(sorted(thumbs.items()))}
    write_bytes(output / RECORD, json.dumps(record, separators=(",", ":")).encode())


def write_if_new(path: Path, data: bytes) -> None:
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass
    write_bytes(path, data)


def remove(output: Path, names: Iterable[str]) -> None:
    """Remove files that an earlier run made and this one does not, and the folders that they leave empty."""
    folders = set()
    for name in names:
        path = output / PurePosixPath(name)
        if path.is_symlink() or not path.resolve().is_relative_to(output.resolve()):
            continue
        path.unlink(missing_ok=True)
        folders.update(parent for parent in path.parents if output in parent.parents)
    for folder in sorted(folders, key=lambda each: -len(each.parts)):
        try:
            folder.rmdir()
        except OSError:
            continue
