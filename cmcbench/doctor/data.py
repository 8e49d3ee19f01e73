"""What the doctor says of the data: ground truth, references, TOPIQ weights, captions. Nothing of theirs is decoded or
run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadInput, ImageProblem, RunFailed
from ..files import captions
from ..files.images import image_size, is_whole_png, list_images
from ..files.manifest import read_prepared
from ..files.names import stem
from ..files.references import RATES, read_rates
from ..files.zips import opened
from ..protocol import MODES, REFERENCES, SOURCES
from ..published.dataset import COUNTS, FILES, HIDDEN, IMAGES, by_source, is_whole
from .finding import MISSING, NOTE, OK, Finding, download, some, step

AREA = "data"
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # how files of torch before 1.6 begin, a pickled number
WEIGHTS = tuple(each for each in FILES if each.part == "weights")
PLAUSIBLE = (0.4, 3.0)  # of the published size: half precision to a checkpoint that also holds its optimiser
LARGEST_CAPTIONS = 64 << 20  # bytes; the published files have 0.2 MB


def look(root: Path) -> Iterator[Finding]:
    """The findings about GT, Ref, Weight and Text below `root`, the ground truth first."""
    truth, findings = _ground_truth(root)
    yield from findings
    for kind in REFERENCES:
        yield _references(root, kind, truth)
    yield _rates(root)
    for published in WEIGHTS:
        yield _weights(root, root / published.folder / published.file, published.megabytes)
    yield from _captions(root, truth)
    yield from _unfinished(root)


def _ground_truth(root: Path) -> tuple[set[str], list[Finding]]:
    """The stems of the ground truth, and what is to be said of it."""
    folder, remedy = root / "GT", download("gt", root)
    try:
        images = list_images(folder, str(folder))
    except BadInput as error:
        return set(), [Finding(AREA, "GT", MISSING, str(error), "", {"images": 0})]
    if not images:
        text = f"no images (the benchmark's: {_published('gt')}); samples/GT holds a few to try with"
        return set(), [Finding(AREA, "GT", MISSING, text + images.hint, remedy, {"images": 0})]
    passed_over = [reason.removeprefix(f"{folder}: ") for reason in images.problems.values()]
    more = [Finding(AREA, "GT", NOTE, f"{len(passed_over):,} left out: {some(passed_over)}")] if passed_over else []
    names = [path.name for path in images.values()]
    counts = by_source(names)
    sources = {"_".join(key).rstrip("_"): number for key, number in counts.items()}
    facts = {"images": len(images), "whole": is_whole(names), "sources": sources}
    damaged = [path.name for path in images.values() if not _readable(path)]
    if damaged:
        text = f"{len(damaged):,} of {len(images):,} images are damaged: {some(damaged)}"
        facts["damaged"] = damaged
        return set(images), [Finding(AREA, "GT", MISSING, text, download("gt", root, "--overwrite"), facts), *more]
    shown = f"{len(images):,} images ({_by_type(counts)})"
    if facts["whole"]:
        return set(images), [Finding(AREA, "GT", OK, f"{shown}, by name the benchmark's", "", facts), *more]
    try:
        prepared = read_prepared(folder)
    except BadInput as error:
        return set(images), [Finding(AREA, "GT", MISSING, str(error), "", facts), *more]
    if prepared and set(prepared.files) == set(images):
        facts["prepared"] = prepared.name
        text = f"{len(images):,} images, by name those that were prepared as {prepared.name}"
        return set(images), [Finding(AREA, "GT", OK, text, "", facts), *more]
    text = f"{shown}, not the benchmark's {IMAGES:,}: {_lacking(counts)}"
    return set(images), [Finding(AREA, "GT", NOTE, text, remedy, facts), *more]


def _by_type(counts: dict[tuple[str, str], int]) -> str:
    types: dict[str, int] = {}
    for (kind, _), number in counts.items():
        types[kind] = types.get(kind, 0) + number
    return ", ".join(f"{kind} {types[kind]:,}" for kind in (*SOURCES, "other") if kind in types)


def _lacking(counts: dict[tuple[str, str], int]) -> str:
    """In which sources the number of images is not the published one."""
    wanted = {(kind, source): COUNTS[source] for kind, sources in SOURCES.items() for source in sources}
    off = [
        f"{'_'.join(key)} {counts.get(key, 0)}/{number}"
        for key, number in wanted.items()
        if counts.get(key, 0) != number
    ]
    off += [f"{number:,} of other names" for key, number in counts.items() if key not in wanted]
    return some(off, 4)


def _readable(path: Path) -> bool:
    """Whether a picture is whole, as far as its beginning and its end tell."""
    if path.suffix.lower() == ".png":
        return is_whole_png(path)
    try:
        return min(image_size(path)) > 0
    except ImageProblem:
        return False


def _references(root: Path, kind: str, truth: set[str]) -> Finding:
    folder, what = root / "Ref" / kind, f"Ref/{kind}"
    modes = " and ".join(mode.name for mode in MODES.values() if mode.reference == kind)
    make = step("script-i2t.py", root, "--model_name none", "--references")
    try:
        images = set(list_images(folder, str(folder)))
    except BadInput as error:
        return Finding(AREA, what, MISSING, str(error), "", {"images": 0, "paired": 0})
    paired = len(images & truth)
    facts = {"images": len(images), "paired": paired}
    if not images:
        fetch = download("references", root)
        if truth and not is_whole(truth):  # the published references are not of these images
            return Finding(AREA, what, MISSING, f"no references, for mode {modes}", make, facts)
        return Finding(
            AREA, what, MISSING, f"no references, for mode {modes}; from GT they are made by: {make}", fetch, facts
        )
    if not truth:
        return Finding(AREA, what, OK, f"{len(images):,} references, for mode {modes}", "", facts)
    if paired == len(truth):
        alien = len(images) - paired
        text = f"one for each image of GT, for mode {modes}" + (
            f"; {alien:,} for images that are not in GT" if alien else ""
        )
        return Finding(AREA, what, OK, text, "", facts)
    text = f"{paired:,} of GT's {len(truth):,} images have one (without: {some(sorted(truth - images))})"
    return Finding(AREA, what, NOTE if paired else MISSING, text, make, facts)


def _rates(root: Path) -> Finding:
    try:
        rates = read_rates(root / "Ref" / RATES)
    except BadInput as error:
        return Finding(AREA, "Ref/rate.csv", NOTE, str(error), "", {"measured": 0})
    if not rates:
        text = "none: references count at the protocol's nominal rate (image 0.020 bpp, pixel 8 bits a block)"
        return Finding(AREA, "Ref/rate.csv", NOTE, text, "", {"measured": 0})
    kinds: dict[str, int] = {}
    for rate in rates.values():
        label = " ".join([rate.reference, rate.codec, *([f"at {rate.budget} bpp"] if rate.budget else [])])
        kinds[label] = kinds.get(label, 0) + 1
    text = "measured bits of " + some([f"{number:,} ({label})" for label, number in kinds.items()], 4)
    return Finding(AREA, "Ref/rate.csv", OK, text, "", {"measured": len(rates)})


def _weights(root: Path, file: Path, megabytes: float) -> Finding:
    """A checkpoint by its size and by how it begins: no pickle is opened."""
    what = f"{file.parent.name}/{file.name}"
    if not file.is_file():
        text = f"is not there ({megabytes:.0f} MB); without it score with --metrics ms_ssim,piqe"
        return Finding(AREA, what, MISSING, text, download("weights", root), {"there": False})
    size = file.stat().st_size
    facts = {"there": True, "bytes": size}
    problem = _no_checkpoint(file)
    if problem:
        facts["there"] = False
        return Finding(
            AREA, what, MISSING, f"{problem} ({size:,} bytes)", download("weights", root, "--overwrite"), facts
        )
    low, high = (megabytes * 1e6 * factor for factor in PLAUSIBLE)
    if not low < size < high:
        text = f"{size / 1e6:.1f} MB, the published file has {megabytes:.0f}; scoring checks every tensor"
        return Finding(AREA, what, NOTE, text, download("weights", root, "--overwrite"), facts)
    return Finding(AREA, what, OK, f"{size / 1e6:.1f} MB", "", facts)


def _no_checkpoint(file: Path) -> str:
    """Why a file cannot be a PyTorch checkpoint, "" where it may be one."""
    try:
        with open(file, "rb") as start:
            head = start.read(len(LEGACY))
        if head == LEGACY:
            return ""
        if not head.startswith(b"PK"):
            return "is no PyTorch file"
        with opened(file) as archive:
            there = any(name.partition("/")[2] == "data.pkl" for name in archive.namelist())
        return "" if there else "is a zip file, but no PyTorch file"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except RunFailed:
        return "is damaged or not whole"


def _captions(root: Path, truth: set[str]) -> Iterator[Finding]:
    folder = root / "Text"
    files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not files:
        text = f"no captions yet: step 1 makes them, or fetch the published ones ({_published('captions')})"
        yield Finding(AREA, "Text", NOTE, text, download("captions", root))
    for file in files:
        yield _caption_file(file, truth)


def _caption_file(file: Path, truth: set[str]) -> Finding:
    what, facts = f"Text/{file.name}", {"file": file.name, "captions": 0, "paired": 0}
    try:
        if file.stat().st_size > LARGEST_CAPTIONS:
            return Finding(
                AREA, what, NOTE, f"has more than {LARGEST_CAPTIONS >> 20} MiB, too much for captions", "", facts
            )
        found = captions.read(file)
        checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    except BadInput as error:
        return Finding(AREA, what, NOTE, str(error), "", facts)
    except OSError as error:
        return Finding(AREA, what, NOTE, f"cannot be read ({error.strerror})", "", facts)
    stems = set(map(stem, found.texts))
    paired = len(stems & truth)
    known = {each.sha256 for each in FILES if each.sha256}
    facts |= {"captions": len(found.texts), "paired": paired, "published": checksum in known}
    text = f"{len(found.texts):,} captions" + (" (the published file)" if facts["published"] else "")
    text += f", {paired:,} of GT's {len(truth):,} images have one" if truth else ""
    if found.problems:
        text += f"; {len(found.problems):,} rows cannot be used ({next(iter(found.problems.values()))})"
    whole = found.texts and not found.problems and paired == len(truth)
    return Finding(AREA, what, OK if whole else NOTE, text, "", facts)


def _unfinished(root: Path) -> Iterator[Finding]:
    """What killed runs left that the same command goes on with."""
    for folder, part in dict.fromkeys((each.folder, each.part) for each in FILES):
        hidden = root / folder / HIDDEN
        files = [path for path in hidden.glob("*") if path.suffix in (".part", ".zip")] if hidden.is_dir() else []
        if files:
            size = sum(path.stat().st_size for path in files)
            text = f"{size / 1e6:,.1f} MB of a download: {some(sorted(path.name for path in files))}"
            yield Finding(AREA, f"{folder}/{HIDDEN}", NOTE, text, download(part, root))
    text_folder = root / "Text"
    journals = sorted(path.name for path in text_folder.glob(".*.jsonl")) if text_folder.is_dir() else []
    if journals:
        text = f"captions of a run that goes on or was killed: {some(journals)}; the same command takes them over"
        yield Finding(AREA, "Text", NOTE, text)


def _published(part: str) -> str:
    """The size of a part of the published data set."""
    megabytes = sum(each.megabytes for each in FILES if each.part == part)
    return f"{megabytes:,.0f} MB" if megabytes >= 1 else f"{megabytes * 1000:.0f} kB"
