"""python -m cmcbench board: the static public site, made of accepted submissions alone."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ...errors import BadInput
from ...files.names import plain_name
from ...files.store import only_writer, read_json, sweep, write_json
from ...files.submitted import ledger
from ...runtime.cli import parser
from ...runtime.messages import RunLog
from ..labels import counted
from ..page.folder import write_if_new
from ..page.thumbnails import COPIES, NONE, THUMBS

RECORD, LOCK = ".board.json", ".board.lock"  # what was made here: it tells our files from others'
PAGES = "submissions"
TOP = ("index.html", "board.css", "leaderboard.csv", "leaderboard.md")


def main(argv: list[str]) -> int:
    """Write the site. Returns 1 where a submission or a picture had to be left out."""
    options = _parser().parse_args(argv)
    results, site = Path(options.results), Path(options.site)
    if not ledger.read(results):
        raise BadInput(f"{results} has no accepted submission. Accept one with: python -m cmcbench accept FILE.zip")
    _check_ours(site)
    report = RunLog()
    with (
        only_writer(site / LOCK, str(site / "index.html")),
        tempfile.TemporaryDirectory(prefix="cmcbench-board-") as at,
    ):
        sweep(site)
        count = _build(results, Path(options.ground_truth), Path(at), site, options.pictures, report)
    return report.close(f"The site of {counted(count, 'accepted submission')} is {site / 'index.html'}.")


def _build(results: Path, truth: Path, place: Path, site: Path, pictures: str, report: RunLog) -> int:
    """Write the site of what was accepted; returns the number of submissions."""
    from ..leaderboard import build as leaderboard  # numpy and Pillow, which --help need not wait for
    from ..page.build import PageRequest, build
    from . import pages
    from .stage import stage

    found = stage(results, place, report)
    if not found:
        raise BadInput(f"none of the submissions in {results / ledger.FILE} can be used; see above.")
    staged = place / "Result"
    leaderboard.update(staged)
    entries, _ = leaderboard.collect(staged)
    if not any(path.is_dir() for path in staged.glob("*/*")):
        pictures = NONE  # nobody's pictures are here
    request = PageRequest(
        staged, truth, truth.parent / "Ref", place / "Text", site / "report", pictures=pictures, report=report
    )
    done = build(request)
    images = f"{done.images:,} images in all." if done.pictures != NONE else ""
    files = {
        "index.html": pages.index(entries, found, images).encode(),
        "board.css": pages.STYLE.encode(),
        **{name: (staged / name).read_bytes() for name in TOP if name.startswith("leaderboard")},
        **{
            f"{PAGES}/{pages.page_name(each.row.name)}": pages.submission_page(each, entries).encode() for each in found
        },
    }
    before = (read_json(site / RECORD) or {}).get("files")
    write_json(site / RECORD, {"files": sorted({*files, *_ours(before)})})
    for name, data in files.items():
        write_if_new(site / name, data)
    for name in set(_ours(before)) - set(files):
        (site / name).unlink(missing_ok=True)
    write_json(site / RECORD, {"files": sorted(files)})
    return len(found)


def _ours(names: object) -> list[str]:
    """The names of a record that can be files of ours: the record may come from anybody."""
    listed = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    pages = [name for name in listed if name.startswith(f"{PAGES}/") and plain_name(name.removeprefix(f"{PAGES}/"))]
    return [*pages, *(name for name in listed if name in TOP)]


def _check_ours(site: Path) -> None:
    """Raises BadInput where the folder holds what is not of a site of ours."""
    if site.exists() and not site.is_dir():
        raise BadInput(f"{site} is a file, not a folder. Name another one.")
    there = [path.name for path in site.iterdir() if path.name != LOCK] if site.is_dir() else []
    if there and RECORD not in there:
        raise BadInput(f"{site} holds files that are not of a board, {ascii(sorted(there)[0])} for one. Name another.")
    if (site / PAGES).is_symlink():
        raise BadInput(f"{site / PAGES} is a link, and outputs are not written through links. Remove it.")


def _parser() -> argparse.ArgumentParser:
    options = parser("The public site of accepted submissions: static files for any web server.", "board")
    options.add_argument("site", metavar="BUILD_FOLDER", help="folder that the site goes to, empty or made by this")
    options.add_argument("--results", default="./Result/", help="folder of accepted.csv and the accepted targets")
    options.add_argument("--ground_truth", default="./GT/", help="folder of the ground truth, for the pictures")
    options.add_argument(
        "--pictures",
        choices=(THUMBS, COPIES, NONE),
        default=THUMBS,
        help="of reconstructions that lie in Result/NAME/MODE: small ones, copies, or none",
    )
    return options
