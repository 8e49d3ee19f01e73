"""python -m cmcbench accept: submissions checked, installed as targets under Result, and entered in accepted.csv."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import shutil
import unicodedata
from pathlib import Path

from .. import __version__
from ..errors import BadInput
from ..files.names import target_name
from ..files.store import TEMPORARY, only_writer, write_bytes
from ..files.submitted import ledger
from ..files.submitted.ledger import ZIP, Accepted
from ..files.untrusted import same
from ..runtime.cli import parser
from ..runtime.messages import printable, say
from . import archive
from .checks.pictures import sha256_of
from .flags import add_means, means_of
from .inspection import Inspection, Means, inspect
from .verify import tell

# What is installed of a submission, from where it is scored and shown; submission.zip has the rest
INSTALLED = ("scores.csv", "summary.json", "manifest.json", "rates.csv", "captions.csv", "captions.json")
BESIDE = ("leaderboard", "accepted")  # begin the names of files that lie beside the targets
LOCK = ".accepted.lock"


def main(argv: list[str]) -> int:
    """Accept submissions. Returns 0 where all were accepted, 1 where one was refused, 2 where one is none. Raises
    BadInput for a single file that is none.
    """
    options = _parser().parse_args(argv)
    if options.names and len(options.names) != len(options.files):
        raise BadInput(f"--as names {len(options.names)} target(s) for {len(options.files)} file(s); give one each.")
    results = Path(options.results)
    asked = options.names or [""] * len(options.files)
    several, code, accepted = len(asked) > 1, 0, 0
    planned: dict[str, str] = {}  # of a dry run: what two names share that one file system takes for one -> name
    for file, name, means in zip(options.files, asked, means_of(options, options.files, "--reconstructions")):
        try:
            one = _accept(Path(file), name, means, results, planned if options.dry_run else None, several)
        except BadInput as error:
            if not several:
                raise
            code = 2
            say(f"error: {file}: {error}")
            continue
        code = max(code, 0 if one else 1)
        accepted += one
    if several:
        print(f"{accepted} of {len(asked)} accepted{' (dry run: nothing was written)' if options.dry_run else ''}")
    return code


def _accept(file: Path, asked: str, means: Means, results: Path, planned: dict[str, str] | None, several: bool) -> bool:
    """Check one submission and install it. Returns whether it is accepted. Raises BadInput where its name is taken.

    planned: of a dry run, which writes nothing, the names that it would have taken so far.
    """
    if asked:  # refused before minutes go into checks
        _check_free(_plain(asked), hashlib.sha256(archive.load(file)).hexdigest(), results)
    found = inspect(file, means)
    tell(found, several)
    if not found.accepted or found.opened is None:
        if found.failed:
            say(f"error: {found.failed}")
        return False
    name = _plain(asked or found.opened.submission["target"])
    if planned is not None:
        _check_free(name, found.digest, results)
        if planned.setdefault(same(name), found.digest) != found.digest:
            raise BadInput(f"--as {ascii(name)}: another file of this run would have that name. Choose another.")
        print(printable(f"dry run: {file.name} would be {results / name}; nothing was written"))
        return True
    with only_writer(results / LOCK, str(results / ledger.FILE), wait=60):
        _check_free(name, found.digest, results)
        _install(found, results, name)
        row = Accepted(name, _today(), found.digest, "; ".join(found.checked), __version__)
        ledger.write(results, [*ledger.read(results), row])
    print(printable(f"{file.name} is {results / name}, and stands in {results / ledger.FILE}"))
    return True


def _today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _check_name(name: str, results: Path) -> None:
    """Refuse a name that is none for a folder of Result, or is taken. Raises BadInput."""
    target_name(name, "--as")
    if any(same(name).startswith(same(begin)) for begin in BESIDE):
        raise BadInput(f"--as {ascii(name)}: files that begin so lie beside the targets. Choose another name.")
    taken = [path.name for path in results.iterdir() if same(path.name) == same(name)] if results.is_dir() else []
    if taken:
        raise BadInput(f"--as {ascii(name)}: {results / taken[0]} is there already. Choose another name.")


def _check_free(name: str, digest: str, results: Path) -> None:
    """Refuse a taken name, and a file that was accepted before. Raises BadInput."""
    known = [row for row in ledger.read(results) if row.digest == digest]
    if known:
        raise BadInput(f"this file was accepted on {known[0].date} as {known[0].name}. Nothing was written.")
    if (results / name / ZIP).is_file() and sha256_of(results / name / ZIP) == digest:
        return  # installed by a run that was killed before it wrote the ledger
    _check_name(name, results)


def _install(found: Inspection, results: Path, name: str) -> None:
    """Write the target's folder: all of it, or nothing."""
    assert found.opened is not None
    if (results / name).exists():
        return
    folder = results / f"{TEMPORARY}accept-{found.digest[:16]}"
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    for entry in INSTALLED:
        if entry in found.opened.contents:
            write_bytes(folder / entry, found.opened.contents[entry])
    write_bytes(folder / ZIP, found.data)
    folder.rename(results / name)


def _parser() -> argparse.ArgumentParser:
    options = parser(
        "Check submissions as verify does, install them under Result, and enter them in Result/accepted.csv.", "accept"
    )
    options.add_argument("files", metavar="FILE.zip", nargs="+", help="what script-evaluate.py --submit wrote")
    options.add_argument(
        "--as",
        dest="names",
        metavar="NAME",
        nargs="+",
        default=[],
        help="folder in --results, one for each file (empty: what the submission calls its target)",
    )
    options.add_argument("--results", default="./Result/", help="folder that holds the targets and accepted.csv")
    options.add_argument("--dry_run", action="store_true", help="check and tell, write nothing")
    add_means(options, "--reconstructions")
    return options
