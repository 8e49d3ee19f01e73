"""python -m cmcbench compare: two or more targets on the same images, and which of their differences are
significant.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ...errors import BadInput
from ...files.store import only_writer, sweep, write_bytes
from ...protocol import MODES
from ...runtime.cli import parser
from ...runtime.messages import printable, say
from ..markup import markdown_text

TOGETHER, APART = "together", "apart"


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    output = Path(options.output) if options.output else None
    if output and output.suffix not in (".csv", ".md"):
        raise BadInput(f"--output {output}: its ending says what is written; name a file that ends in .csv or .md.")
    from .comparable import by_system, find, meant, told_apart  # numpy, which --help need not wait for
    from .comparing import compare
    from .tables import markdown, rows_csv

    results = Path(options.results)
    targets = told_apart([find(name, results) for asked in options.targets for name in meant(asked, results)])
    if len({target.folder.resolve() for target in targets}) < len(targets) or len(targets) < 2:
        raise BadInput("compare needs two or more different targets, e.g. python -m cmcbench compare real sdxl")
    metrics = _listed(options.metrics)
    if options.seeds == TOGETHER:
        targets, notes = by_system(targets, metrics)
        for note in notes:
            say(f"note: {note}.")
    found = compare(targets, metrics, _listed(options.modes), options.types, options.i2t)
    print(markdown(found, printable), end="")
    if output:
        text = rows_csv(found) if output.suffix == ".csv" else markdown(found, markdown_text)
        with only_writer(output.parent / f".{output.name}.lock", str(output), wait=60):
            sweep(output.parent, f"{output.name}-")
            write_bytes(output, text.encode("utf-8", "replace"))
        say(f"The comparison is in {output}.")
    return 0


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _parser() -> argparse.ArgumentParser:
    options = parser(
        "Compare targets on the same images: differences, intervals, and which are significant.", "compare"
    )
    options.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="two or more names or patterns such as 'real*' in --results, or folders, that are scored",
    )
    options.add_argument("--results", metavar="FOLDER", default="Result", help="folder of the targets")
    options.add_argument(
        "--metrics", default="", help="only these, separated by commas (empty: all that both targets have)"
    )
    options.add_argument(
        "--modes", default="", help=f"only these of {', '.join(MODES)}, separated by commas (empty: all that both have)"
    )
    options.add_argument("--types", action="store_true", help="also for each content type")
    options.add_argument("--i2t", action="store_true", help="also Overall as in the table of I2T models")
    options.add_argument(
        "--seeds",
        choices=(TOGETHER, APART),
        default=TOGETHER,
        help="together: targets that differ in their seed alone are one side, and seeds are resampled like images",
    )
    options.add_argument(
        "--output", metavar="FILE", default="", help="also write what is printed to a .md file, or every row to a .csv"
    )
    return options
