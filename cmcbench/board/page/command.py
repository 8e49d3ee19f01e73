"""The command line of `python -m cmcbench report`, and the report at the end of a scoring run."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...errors import BadInput
from ...runtime.cli import parser
from ...runtime.messages import RunLog, say
from .thumbnails import COPIES, LINKS, NONE, THUMBS

AUTO = "auto"
SPELLED = {"copy": COPIES, "link": LINKS}  # besides the values themselves
QUICK = (
    500  # thumbnails that a scoring run makes on its way out, some seconds; with more to make it links to the pictures
)


def main(argv: list[str]) -> int:
    """Write the report. Returns the exit code: 1 where a picture could not be read, and the page is there all the
    same.
    """
    options = _parser().parse_args(argv)
    results = Path(options.results)
    if not results.is_dir():
        raise BadInput(
            f"--results {results}: there is no such folder. Score a target with: python script-evaluate.py --target"
            " NAME"
        )
    truth = Path(options.ground_truth)
    if not truth.is_dir():
        say(f"note: there is no folder {truth}; the report shows no ground truth. Name it with --ground_truth.")
    places = options.output, options.targets, options.pictures, options.text, options.ref_dir
    return _write(results, truth, *places, pdf=options.pdf)


def after_scoring(results: Path, truth: Path) -> None:
    """Renew the report of a results folder. Quick, and whatever goes wrong is said: the scores are there."""
    try:
        _write(results, truth, most=QUICK)
    except Exception as error:  # whatever it is, it is not worth the exit code of hours of scoring
        say(f"note: the report was not written ({type(error).__name__}: {error}). The scores are not touched by that.")


def _write(
    results: Path,
    truth: Path,
    output: str = "",
    targets: list[str] | None = None,
    pictures: str = AUTO,
    text: str = "",
    ref_dir: str = "",
    most: int | None = None,
    pdf: bool = False,
) -> int:
    from .build import PageRequest, build  # Pillow and numpy, which --help need not wait for

    beside = results.resolve().parent
    report = RunLog()
    done = build(
        PageRequest(
            results,
            truth,
            Path(ref_dir) if ref_dir else beside / "Ref",
            Path(text) if text else beside / "Text",
            Path(output) if output else results / "report",
            targets or [],
            pictures,
            most,
            pdf,
            report,
        )
    )
    if done.skipped:
        say(
            f"note: {done.skipped} thumbnails are not made yet, the report is slower so. "
            f"Make them with: python -m cmcbench report --results {results} --ground_truth {truth}"
        )
    shown = {
        COPIES: "with copies of all pictures: the folder can be sent as it is",
        LINKS: "with links to the pictures where they lie: to send the folder, make it with --pictures copy",
        THUMBS: "with thumbnails only",
        NONE: "without pictures",
    }[done.pictures]
    images = "1 image" if done.images == 1 else f"{done.images:,} images"
    if done.pdf:
        say(f"It is printed in {done.pdf}.")
    return report.close(f"The report of {images} is {done.index} ({size_of(done.size)}), {shown}.")


def size_of(count: int) -> str:
    """Bytes for people: "640 kB", "12.4 MB", "1.3 GB"."""
    if count < 1_000_000:
        return f"{max(1, round(count / 1000))} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _pictures(text: str) -> str:
    found = SPELLED.get(text, text)
    if found not in (AUTO, COPIES, LINKS, THUMBS, NONE):
        raise argparse.ArgumentTypeError(f"{text!r} is none of auto, copy, link, thumbs, none")
    return found


def _parser():
    options = parser("The report page of scored targets: one folder that opens from disk with no network.", "report")
    options.add_argument("--results", default="./Result/", help="folder that holds the targets")
    options.add_argument(
        "--targets",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these; patterns such as 'real*' (empty: all scored ones)",
    )
    options.add_argument("--ground_truth", default="./GT/", help="folder of the ground truth")
    options.add_argument("--ref_dir", default="", help="folder of the references (empty: Ref beside --results)")
    options.add_argument("--text", default="", help="folder of the captions (empty: Text beside --results)")
    options.add_argument("--output", default="", help="the report's folder (empty: report in --results)")
    options.add_argument(
        "--pictures",
        type=_pictures,
        metavar="{auto,copy,link,thumbs,none}",
        default=AUTO,
        help=(
            "in full size: copies go with the folder, links need the pictures where they lie, thumbs shows small ones"
            " only, none no picture at all; auto copies up to 1 GiB and links beyond it"
        ),
    )
    options.add_argument(
        "--pdf", action="store_true", help="also print the page to report.pdf in its folder; needs Chromium or Chrome"
    )
    return options
