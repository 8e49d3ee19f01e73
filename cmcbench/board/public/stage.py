"""The accepted submissions laid out as targets of their own, apart from whatever else lies in Result."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...files import untrusted
from ...files.images import list_images
from ...files.names import plain_name, stem
from ...files.store import write_bytes
from ...files.submitted import ledger
from ...files.submitted.ledger import ZIP, Accepted
from ...protocol import MODES
from ...runtime.messages import RunLog, say

LARGEST_ZIP = 32 << 20  # bytes, as a submission may have
SCORED = ("scores.csv", "summary.json", "manifest.json", "rates.csv")


@dataclass(frozen=True)
class Submission:
    """An accepted one. told: its submission.json."""

    row: Accepted
    told: dict[str, Any]


def stage(results: Path, place: Path, report: RunLog) -> list[Submission]:
    """Lay out what was accepted below `place`: Result/NAME and Text. Returns the submissions, in the ledger's order.

    All is taken from the accepted files themselves, whose SHA-256 the ledger has: what was changed in Result since does
    not reach the site. Pictures in Result/NAME/MODE are linked to where they are those that were submitted.
    """
    found = []
    for row in ledger.read(results):
        try:
            contents = _contents(results / row.name / ZIP, row.digest)
        except untrusted.Unusable as error:
            report.fail(row.name, f"{row.name}: {results / row.name / ZIP} {error}; it is left out of the site")
            continue
        for name in SCORED:
            if name in contents:
                write_bytes(place / "Result" / row.name / name, contents[name])
        _captions(contents, place / "Text", row.name)
        _pictures(contents, results / row.name, place / "Result" / row.name)
        found.append(Submission(row, untrusted.json_object(contents["submission.json"])))
    return found


def _contents(path: Path, digest: str) -> dict[str, bytes]:
    """The entries of the very file that `accept` checked. Raises Unusable for any other."""
    data = untrusted.read_bytes(path, LARGEST_ZIP)
    if hashlib.sha256(data).hexdigest() != digest:
        raise untrusted.Unusable("is not the file that was accepted: its SHA-256 is another")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:  # checked byte by byte when it was accepted
        return {name: archive.read(name) for name in archive.namelist()}


def _captions(contents: Mapping[str, bytes], place: Path, target: str) -> None:
    """The captions under the name that the manifest gives them, unless another submission's have it."""
    made_of = untrusted.json_object(contents["manifest.json"]).get("captions")
    file = made_of.get("file") if isinstance(made_of, dict) else None
    if "captions.csv" not in contents or not isinstance(file, str) or not plain_name(file):
        return
    path = place / file
    if path.exists() and path.read_bytes() != contents["captions.csv"]:
        say(f"note: {target}: its captions are not shown, since others of the name {file} are.")
        return
    write_bytes(path, contents["captions.csv"])
    if "captions.json" in contents:
        write_bytes(path.with_suffix(".json"), contents["captions.json"])


def _pictures(contents: Mapping[str, bytes], source: Path, place: Path) -> None:
    """Links to the pictures that are those of the submission, by their SHA-256."""
    listed = {}
    for line in contents["reconstructions.sha256"].decode().splitlines():
        seen, _, path = line.partition("  ")
        mode, _, name = path.partition("/")
        listed[mode, stem(name)] = seen
    others = 0
    for mode in MODES:
        try:
            there = list_images(source / mode, "pictures")
        except BadInput as error:
            say(f"note: pictures are left out of the site. {error}")
            continue
        for image, path in there.items():
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == listed.get((mode, image)):
                (place / mode).mkdir(parents=True, exist_ok=True)
                (place / mode / path.name).symlink_to(path.resolve())
            else:
                others += 1
    if others:
        say(f"note: {source}: {others} picture(s) are not those of the submission and are left out of the site.")
