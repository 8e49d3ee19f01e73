"""python -m cmcbench download: the published data set into GT, Ref, Weight and Text, checked, and going on where it
stopped.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from ..errors import BadInput, RunFailed
from ..published.dataset import CAPTIONS_BASE, FILES, LICENCE, PARTS, REPOSITORY
from ..runtime.cli import parser
from ..runtime.messages import RunLog, without_secrets
from .items import CaptionItem, HubItem, Item

MARGIN = 100_000_000  # bytes that stay free
OFFLINE = (
    "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set, so nothing can be fetched. "
    "Unset it: env -u HF_HUB_OFFLINE -u TRANSFORMERS_OFFLINE python -m cmcbench download ..."
)


def main(argv: list[str]) -> int:
    """Fetch parts of the published data set. Returns 0, or 1 where a file could not be had."""
    options = _parser().parse_args(argv)
    _check(options)
    from .hub import is_offline

    if is_offline():
        raise BadInput(OFFLINE)
    report, root = RunLog(), Path(options.root)
    items = _look(options, root, report)
    if not items:
        return report.close("Nothing could be looked up.")
    _print(items)
    _check_room([item for item in items if not item.settled], root, options.keep_zips)
    if options.dry_run:
        return report.close("Nothing was fetched, as --dry_run says.")
    for item in items:
        try:
            item.finish(options.keep_zips, report)
        except RunFailed as error:
            report.fail(item.file, str(error))
    return report.close(f"What is there, and what it enables: python -m cmcbench doctor{_root(options.root)}")


def _look(options: argparse.Namespace, root: Path, report: RunLog) -> list[Item]:
    """What is here and what is to come, of each file that can be had; the others are reported."""
    from .hub import Unreachable, endpoint

    items: list[Item] = []
    revision, reachable = options.revision, True
    for published in (each for each in FILES if each.part in options.parts or "all" in options.parts):
        try:
            if not published.on_hub:
                items.append(CaptionItem(published, root, options.overwrite, options.captions_base))
            elif not reachable:
                report.fail(published.file, f"{published.file}: not asked for, since {endpoint()} cannot be reached.")
            else:
                item = HubItem(published, root, options.overwrite, revision)
                revision = item.remote.commit  # all files of one revision, also where the data set changes meanwhile
                items.append(item)
        except RunFailed as error:
            reachable = reachable and not isinstance(error, Unreachable)
            report.fail(published.file, str(error))
    places = f"{endpoint()}/datasets/{REPOSITORY} at revision {revision} ({LICENCE})"
    print(without_secrets(f"{places}, captions from {options.captions_base}"))
    return items


def _check(options: argparse.Namespace) -> None:
    if not options.captions_base.startswith(("https://", "http://")):
        raise BadInput(
            f"--captions_base {ascii(options.captions_base)}: expected an address that begins with https://."
        )
    if not options.revision.strip() or not options.revision.isprintable():
        raise BadInput(f"--revision {ascii(options.revision)}: expected a branch, tag or commit.")


def _print(items: list[Item]) -> None:
    """Say how large things are before anything is fetched."""
    for item in items:
        print(f"  {item.published.folder:<11}{item.file:<22}{size(item.size):>10}   {item.state}")
    to_fetch = sum(item.to_fetch for item in items if not item.settled)
    print(f"to fetch: {size(to_fetch)}")


def _check_room(items: list[Item], root: Path, keep_zips: bool) -> None:
    """Raise RunFailed where a disk has no room for what is fetched and what is unpacked from it."""
    devices: dict[int, list[Item]] = {}
    for item in items:
        devices.setdefault(os.stat(_existing(item.folder)).st_dev, []).append(item)
    for there in devices.values():
        held = needed = 0
        for item in there:
            held += item.to_fetch + item.to_unpack
            needed = max(needed, held)
            held -= item.zip_size if not keep_zips else 0  # unpacked, then removed
        place = _existing(there[0].folder)
        free = shutil.disk_usage(place).free
        print(f"disk: {size(needed)} needed in {place}, with what is unpacked; {size(free)} free")
        if needed + MARGIN > free:
            raise RunFailed(
                f"{place} has {size(free)} free, and {size(needed + MARGIN)} are needed. Make room, choose another"
                f" folder with --root, or fetch a part: {_sizes(there)}, e.g. with: python -m cmcbench download"
                f" {there[0].part}"
            )


def _sizes(items: list[Item]) -> str:
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.part] = sizes.get(item.part, 0) + item.size
    return ", ".join(f"{part} {size(total)}" for part, total in sizes.items())


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def size(count: int) -> str:
    """A number of bytes for a reader, in powers of ten."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"


def _root(root: str) -> str:
    return "" if root == "." else f" --root {root}"


def _parser() -> argparse.ArgumentParser:
    options = parser("Fetch the published data set: ground truth, references, TOPIQ weights and captions.", "download")
    options.add_argument(
        "parts", nargs="*", type=_part, default=["all"], metavar="PART", help=f"{', '.join(PARTS)}, or all"
    )
    options.add_argument("--root", default=".", help="folder that holds GT, Ref, Weight and Text")
    options.add_argument("--revision", default="main", help="of the data set on the hub: a branch, tag or commit")
    options.add_argument(
        "--captions_base", metavar="URL", default=CAPTIONS_BASE, help="address of the captions' folder"
    )
    options.add_argument(
        "--keep_zips", action="store_true", help="keep the zip files, in .download below the folder they go to"
    )
    options.add_argument("--overwrite", action="store_true", help="replace files that are there and differ")
    options.add_argument("--dry_run", action="store_true", help="say what would be fetched, and fetch nothing")
    return options


def _part(text: str) -> str:
    if text not in (*PARTS, "all"):
        raise argparse.ArgumentTypeError(f"there is no part {text!r}. There are: {', '.join(PARTS)}, all")
    return text
