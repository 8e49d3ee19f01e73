"""What the report page shows, read from the files of a results folder: summaries, score tables, manifests, captions."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional

from .. import captions as caption_files
from ..dataset import list_images
from ..errors import BadInput
from ..protocol import MODES
from ..report import say
from ..store import digest, plain_name, read_json

PLAIN = "images"  # the mode of a folder that holds images and no folders of modes
FIXED = {"name", "type", "source", "mode", "ground_truth", "reconstruction"}
COUNTED = ("bits", "caption_bits", "pixel_bits", "image_bits", "packed_bits")


@dataclass(frozen=True)
class Scored:
    """A row of scores.csv. scores: metric -> score. bits, parts: whole bits; bpp: bits per pixel; None or absent: not known."""

    name: str
    scores: dict[str, float]
    bpp: Optional[float]
    parts: dict[str, int]
    reconstruction: str


@dataclass
class Target:
    """A scored target. key: its folder in the report, unique and a plain name. rows: (stem, mode) -> what was scored.

    pictures: mode -> stem -> file. texts: stem -> the caption that its pictures were made of, where it is known.
    encoder: the manifest of its captions.
    """

    name: str
    key: str
    folder: Path
    summary: dict[str, Any]
    manifest: dict[str, Any]
    rows: dict[tuple[str, str], Scored]
    pictures: dict[str, dict[str, Path]]
    texts: dict[str, str] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_targets(results: Path, wanted: Iterable[str], texts: Path) -> list[Target]:
    """The targets in `results` whose names match a pattern of `wanted` (none: all), sorted by name.

    texts: the folder of captions. One that cannot be read is left out, aloud. Raises BadInput where a wanted one is missing.
    """
    wanted = list(wanted)
    files = sorted(results.glob("*/summary.json"))
    for pattern in wanted:
        if not any(fnmatchcase(file.parent.name, pattern) for file in files):
            there = ", ".join(file.parent.name for file in files) or "none"
            raise BadInput(
                f"--targets {pattern}: {results} has no scored target of that name. It has: {there}. "
                f"Score one with: python script-evaluate.py --target {pattern}"
            )
    targets = []
    for file in files:
        if not wanted or any(fnmatchcase(file.parent.name, pattern) for pattern in wanted):
            try:
                target = _read(file.parent, texts)
            except (BadInput, KeyError, TypeError, ValueError, AttributeError) as error:
                say(f"note: {file.parent} is left out of the report: its files are none of this program ({error}).")
                continue
            if target:
                targets.append(target)
    return targets


def _read(folder: Path, texts: Path) -> Optional[Target]:
    summary = read_json(folder / "summary.json")
    if summary is None or summary.get("unfinished"):
        return None
    check(summary)
    manifest = read_json(folder / "manifest.json") or {}
    key = folder.name if plain_name(folder.name) else digest(folder.name.encode("utf-8", "surrogateescape"))
    target = Target(str(summary["target"]), key, folder, summary, manifest, read_scores(folder / "scores.csv"), _pictures(folder))
    _add_captions(target, texts)
    return target


def check(summary: Mapping[str, Any]) -> None:
    """Whether a summary has the parts that the page shows, and finite means. Raises KeyError, TypeError or ValueError."""
    for name, about in summary["metrics"].items():
        str(name), bool(about["lower_is_better"]), str(about["kind"]), str(about["identity"])
    int(summary["ground_truth"]["images"]), str(summary["ground_truth"]["digest"]), summary["made_by"].get("baseline")
    for found in summary["modes"].values():
        for mean in found["metrics"].values():
            int(mean["n"]), number(mean["mean"])
    for mean in (*summary["over_modes"].values(), summary["overall"]["t2i"], summary["overall"]["i2t"]):
        if mean is not None:
            number(mean)


def number(value: Any) -> float:
    """A finite number, or ValueError: JSON of ours holds no NaN, and JavaScript's reader would stop at one."""
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{value} is no score")
    return found


def read_scores(path: Path) -> dict[tuple[str, str], Scored]:
    """The rows of a scores.csv, {} where there is none. Raises ValueError for one that is not of this program."""
    try:
        table = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    except FileNotFoundError:
        return {}
    columns = list(table.fieldnames or [])
    start, end = (columns.index(name) if name in columns else -1 for name in ("mode", "caption_bits"))
    metrics = [column for column in columns[start + 1 : end] if column not in FIXED]
    rows = {}
    try:
        for cells in table:
            scores = {metric: number(cells[metric]) for metric in metrics if cells[metric]}
            parts = {part: int(cells[part]) for part in COUNTED if cells.get(part)}
            bpp = number(cells["bpp"]) if cells["bpp"] else None
            rows[Path(cells["name"]).stem, cells["mode"]] = Scored(cells["name"], scores, bpp, parts, cells["reconstruction"])
    except (KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"scores.csv is no score table: {error}") from None
    return rows


def _pictures(folder: Path) -> dict[str, dict[str, Path]]:
    """mode -> stem -> file of the pictures of a target. A folder that cannot be listed is left out, aloud."""
    found: dict[str, dict[str, Path]] = {}
    for mode in MODES:
        found[mode] = _listed(folder / mode)
    if not any(found.values()):
        found = {PLAIN: _listed(folder)}
    return {mode: images for mode, images in found.items() if images}


def _listed(folder: Path) -> dict[str, Path]:
    try:
        return list_images(folder, "pictures")
    except BadInput as error:
        say(f"note: pictures are left out of the report. {error}")
        return {}


def _add_captions(target: Target, folder: Path) -> None:
    """Find the captions of a target; a caption that its pictures were not made of is not shown as theirs.

    The manifest has the digest of every prompt: a caption file that was changed later is told by it.
    """
    about = target.manifest.get("captions")
    file = about.get("file") if isinstance(about, dict) else None
    if not isinstance(file, str) or not plain_name(file):
        return
    try:
        texts = caption_files.read(folder / file).texts
        target.encoder = read_json((folder / file).with_suffix(".json")) or {}
    except BadInput as error:
        target.notes.append(f"The captions cannot be shown: {error}")
        return
    prompts = _prompts(target.manifest)
    changed = 0
    for name, text in texts.items():
        stem = Path(name).stem
        if stem in prompts and digest(text.encode("utf-8", "replace")) not in prompts[stem]:
            changed += 1
            continue
        target.texts[stem] = text
    if changed:
        target.notes.append(f"{changed} captions in {file} have changed since these pictures were made; they are not shown.")


def _prompts(manifest: Mapping[str, Any]) -> dict[str, set[str]]:
    """stem -> digests of the captions that it was decoded from, from the manifest's captioned modes."""
    found: dict[str, set[str]] = {}
    modes = manifest.get("modes")
    for mode, each in modes.items() if isinstance(modes, dict) else ():
        inputs = each.get("inputs") if isinstance(each, dict) else None
        if mode in MODES and MODES[mode].captioned and isinstance(inputs, dict):
            for stem, made_of in inputs.items():
                if isinstance(made_of, dict) and isinstance(made_of.get("prompt"), str):
                    found.setdefault(str(stem), set()).add(made_of["prompt"])
    return found
