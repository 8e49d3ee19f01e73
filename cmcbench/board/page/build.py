"""Writes the report: one folder that opens from disk, with no network. Only files that this program made are ever
removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import __version__
from ...errors import BadInput, RunFailed
from ...files.images import list_images
from ...files.store import only_writer, read_json
from ...protocol import REFERENCES, content
from ...runtime.messages import RunLog, say
from ..families import styles_of
from ..gone import take_away
from ..scored import ScoredTarget, again, folders, named, read_all
from . import summary_data
from .board_data import curves_data, entries_data, seeds_data
from .folder import LOCK, RECORD, check_ours, remember, remove, safe_name, sweep_all, write_if_new
from .image_data import Gallery, featured, images_data, target_data
from .pdf import NAME as PDF
from .pdf import write_pdf
from .targets import PageTarget, page_target
from .thumbnails import COPIES, LINKS, NONE, Album, Made, Picture

ASSETS = Path(__file__).parent / "site"
AUTO = "auto"
LARGEST_COPY = 1 << 30  # bytes of pictures that `auto` still copies; 20,000 pictures are some 20 GB


@dataclass(frozen=True)
class PageRequest:
    """results, truth, references, texts: folders. wanted: patterns of targets, none for all. pictures: AUTO, COPIES,
    LINKS, THUMBS, NONE. pdf: whether the page is printed as well.

    most: no thumbnails are made where more than that are missing; None for any number.
    """

    results: Path
    truth: Path
    references: Path
    texts: Path
    output: Path
    wanted: list[str] = field(default_factory=list)
    pictures: str = AUTO
    most: int | None = None
    pdf: bool = False
    report: RunLog = field(default_factory=RunLog)


@dataclass(frozen=True)
class Outcome:
    """index: the page. images: how many it shows. pictures: what it holds in truth, COPIES, LINKS, THUMBS or NONE.
    skipped: thumbnails that were not made. size: of the folder, in bytes. pdf: None where none was made.
    """

    index: Path
    images: int
    pictures: str
    skipped: int
    size: int = 0
    pdf: Path | None = None


def build(request: PageRequest) -> Outcome:
    """Write or renew the report. Raises BadInput, nothing written, where there is nothing to show or `output` is not
    ours; where no target is left at all, what was made of them is removed.
    """
    if not folders(request.results):
        gone = take_away(request.results, request.output)
        raise BadInput(
            f"{request.results} has no scored target.{gone} Score one with: python script-evaluate.py --target NAME"
        )
    wanted = named(request.results, request.wanted, "--targets") if request.wanted else folders(request.results)
    everyone = read_all(folders(request.results), "the report")
    targets = summary_data.order(
        [page_target(each, request.texts) for each in everyone if each.folder in wanted and _usable(each)]
    )
    if not targets:
        raise BadInput(
            f"{request.results} has no scored target. Score one with: python script-evaluate.py --target NAME"
        )
    truth = list_images(request.truth, "--ground_truth")
    truth.tell(request.report)
    references = {
        f"{kind} reference": list_images(request.references / kind, "--ref_dir") for kind in reversed(REFERENCES)
    }
    gallery = Gallery.of(targets, truth, references)
    if request.pictures == NONE:
        gallery = gallery.without_pictures()
    output = request.output
    check_ours(output)
    with only_writer(output / LOCK, str(output / "index.html")):
        record = read_json(output / RECORD) or {}
        listed = gallery.pictures()
        sweep_all(output)
        how = _how(request.pictures, listed)
        album = Album(
            output, how, record.get("thumbs") if isinstance(record.get("thumbs"), dict) else {}, request.report
        )
        missing = album.missing(listed)
        skip = request.most is not None and missing > request.most
        before = set(safe_name(record.get("files"))) | set(safe_name(list(album.known)))
        # Ours by name before they are there, so that a killed run leaves nothing that nobody knows
        possible = before | {path for each in listed for path in (each.thumb, each.copy)}

        def save() -> None:
            remember(output, possible, {**album.known, **album.records})

        save()
        try:
            made = album.make(listed, skip, save)
        except BaseException:
            save()
            raise
        how = _in_truth(how, made.values())
        files = page_files(everyone, gallery, made, how)
        pdf = output / PDF if request.pdf else None
        kept = set(files) | album.files | ({PDF} if pdf else set())
        remember(output, before | kept, album.records)
        for name, data in files.items():
            write_if_new(output / name, data)
        if pdf and not _printed(output / "index.html", pdf, request.report):
            pdf, kept = None, kept - {PDF}
        remove(output, before - kept)
        remember(output, kept, album.records)
        size = sum((output / name).stat().st_size for name in kept)
    return Outcome(output / "index.html", len(gallery.stems), how, missing if skip else 0, size, pdf)


def _printed(index: Path, pdf: Path, report: RunLog) -> bool:
    """Whether the page was printed. A failure is told and takes nothing from the page."""
    try:
        write_pdf(index, pdf)
    except RunFailed as error:
        report.fail(PDF, f"{error}.")
        return False
    return True


def _in_truth(how: str, made: Iterable[Made]) -> str:
    """What the page holds: a picture that was passed over is linked to, whatever was asked for."""
    linked = any(each.full and not each.full.startswith("pictures/") for each in made)
    return LINKS if linked else how


def _usable(target: ScoredTarget) -> bool:
    """Whether a target's scores can be shown; without a scores.csv its means are."""
    if target.fault and not target.missing:
        left_out = f"the target is left out of the report. {again(target.folder)}"
        say(f"note: {target.folder / 'scores.csv'} {target.fault}; {left_out}")
    return not target.fault or target.missing


def page_files(
    everyone: list[ScoredTarget], gallery: Gallery, made: Mapping[Picture, Made], how: str
) -> dict[str, bytes]:
    """All files of the page but its pictures: path in the report -> content."""
    targets: list[PageTarget] = gallery.targets
    metrics = summary_data.metrics(targets)
    styles = styles_of(everyone[0].folder.parent)
    board = {
        "version": __version__,
        "pictures": how,
        "images": len(gallery.stems),
        "truth": len(gallery.truth) if how != NONE else len(gallery.stems),
        "metrics": metrics,
        "targets": [summary_data.target_entry(target, styles[target.name]) for target in targets],
        "lines": entries_data(everyone, targets),
        "seeds": seeds_data(targets, [each["name"] for each in metrics]),
        "curves": curves_data(targets, styles),
        "groups": summary_data.content_groups(gallery.names.values(), content),
        "distributions": summary_data.distributions(targets, [each["name"] for each in metrics]),
        "featured": featured(gallery, made, metrics),
    }
    files = {"data/board.js": script("board", board), "data/images.js": script("images", images_data(gallery, made))}
    for place, target in enumerate(targets):
        files[f"data/target-{place}.js"] = script(f"target-{place}", target_data(gallery, target, made))
    return {**files, **_assets()}


def script(name: str, value: Any) -> bytes:
    """JSON as a script that a page from disk can load (it may not fetch files), nothing in it that ends a script or a
    string.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":  # they stand in strings only
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return f'CMC.receive("{name}",{text});\n'.encode("ascii")


def _how(asked: str, pictures: Iterable[Any]) -> str:
    """Copies, so that the folder can be sent; links to the originals where copies would fill a disk."""
    if asked != AUTO:
        return asked
    size = sum(each.source.stat().st_size for each in pictures if each.source.is_file())
    return COPIES if size <= LARGEST_COPY else LINKS


def _assets() -> dict[str, bytes]:
    files = {
        f"page/{path.relative_to(ASSETS).as_posix()}": path.read_bytes()
        for path in sorted(ASSETS.rglob("*"))
        if path.is_file()
    }
    files["index.html"] = files.pop("page/index.html")
    return files
