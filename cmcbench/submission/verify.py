"""python -m cmcbench verify: whether submissions can be believed, as far as their files and the pictures at hand show
it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .. import __version__
from ..errors import BadInput
from ..runtime.cli import parser
from ..runtime.messages import printable
from .flags import add_means, means_of
from .inspection import Inspection, inspect


def main(argv: list[str]) -> int:
    """Verify submissions. Returns 0 where all are accepted, 1 where faults were found, and of several 2 where one is no
    submission. Raises BadInput for a single file that is none.
    """
    options = _parser().parse_args(argv)
    several = len(options.files) > 1
    code, found = 0, []
    for file, means in zip(options.files, means_of(options, options.files, "--results")):
        try:
            one = inspect(Path(file), means)
        except BadInput as error:
            if not (several or options.json):
                raise
            code = 2
            found.append({"file": file, "accepted": False, "verdict": str(error)})
            _tell(f"{file}: {error}", options)
            continue
        code = max(code, 0 if one.accepted else 1)
        found.append(one.as_json())
        if not options.json:
            tell(one, several)
        if one.failed and not (several or options.json):
            raise one.failed
    if several:
        _tell(f"{sum(each['accepted'] for each in found)} of {len(found)} accepted", options)
    if options.json:
        print(json.dumps({"cmcbench": __version__, "submissions": found}, indent=1, ensure_ascii=True))
    return code


def tell(found: Inspection, several: bool) -> None:
    """Print what was found. several: whether each line begins with the file's name."""
    lines = [*found.said, *(f"fault: {line}" for line in found.faults.lines())]
    if several or not found.failed or len(found.faults):
        lines.append(found.verdict)
    for line in lines:
        print(printable(f"{found.path.name}: {line}" if several else line))


def _tell(line: str, options: argparse.Namespace) -> None:
    if not options.json:
        print(printable(line))


def _parser() -> argparse.ArgumentParser:
    options = parser(
        "Check submissions: files, checksums, arithmetic, plausibility, and with pictures at hand these.", "verify"
    )
    options.add_argument("files", metavar="FILE.zip", nargs="+", help="what script-evaluate.py --submit wrote")
    options.add_argument("--json", action="store_true", help="print JSON, for programs")
    add_means(options, "--results", "--reconstructions")
    return options
