"""What the report page shows, read from the files of a results folder: summaries, score tables, manifests, captions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...files import captions as caption_files
from ...files import untrusted
from ...files.images import list_images
from ...files.names import plain_name, stem
from ...files.store import digest
from ...files.untrusted import Unusable
from ...protocol import MODES, PLAIN
from ...runtime.messages import say

METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,59}")
# Names that every object of JavaScript has: a metric of that name would be found where there is none
TAKEN = {
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
}


@dataclass(frozen=True)
class Scored:
    """A row of scores.csv. scores: metric -> score. bits: of the message; bpp: bits per pixel; None: not known.

    reconstruction: digest of the file that was scored.
    """

    name: str
    scores: dict[str, float]
    bits: int | None
    bpp: float | None
    reconstruction: str


@dataclass
class PageTarget:
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


def read_targets(results: Path, wanted: Iterable[str], texts: Path) -> list[PageTarget]:
    """The targets in `results` whose names match a pattern of `wanted` (none: all), sorted by name.

    texts: the folder of captions. One that cannot be read is left out, aloud. Raises BadInput where a wanted one is
    missing.
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
            except (Unusable, KeyError, TypeError, ValueError, AttributeError, OSError) as error:
                say(f"note: {file.parent} is left out of the report: its files are none of this program ({error}).")
                continue
            if target:
                targets.append(target)
    return targets


def _read(folder: Path, texts: Path) -> PageTarget | None:
    summary = untrusted.json_object((folder / "summary.json").read_bytes())
    if summary.get("unfinished"):
        return None
    check(summary)
    key = folder.name if plain_name(folder.name) else digest(folder.name.encode("utf-8", "surrogateescape"))
    rows = read_scores(folder / "scores.csv", list(summary["metrics"]))
    target = PageTarget(str(summary["target"]), key, folder, summary, {}, rows, _pictures(folder))
    target.manifest = _object(folder / "manifest.json", target)
    _add_captions(target, texts)
    return target


def _object(file: Path, target: PageTarget) -> dict[str, Any]:
    """A manifest, {} where there is none; one that cannot be shown is said on the page."""
    try:
        return untrusted.json_object(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (Unusable, OSError) as error:
        target.notes.append(f"{file.name} cannot be shown: {error}.")
        return {}


def check(summary: Mapping[str, Any]) -> None:
    """Whether a summary has the parts that the page shows, and finite means. Raises KeyError, TypeError or
    ValueError.
    """
    for name, about in summary["metrics"].items():
        if not METRIC.fullmatch(name) or name in TAKEN:
            raise ValueError(f"{ascii(name)} is no name of a metric")
        bool(about["lower_is_better"]), str(about["kind"]), str(about["identity"])
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


def read_scores(path: Path, metrics: list[str]) -> dict[tuple[str, str], Scored]:
    """The rows of a scores.csv, {} where there is none. Raises Unusable, KeyError or ValueError for one that is not
    ours.
    """
    try:
        columns, table = untrusted.table(path.read_bytes())
    except FileNotFoundError:
        return {}
    there = [metric for metric in metrics if metric in columns]
    rows = {}
    for cells in table:
        scores = {metric: untrusted.number(cells[metric]) for metric in there if cells[metric]}
        bits = untrusted.whole(cells["bits"]) if cells.get("bits") else None
        bpp = untrusted.number(cells["bpp"]) if cells["bpp"] else None
        rows[stem(cells["name"]), cells["mode"]] = Scored(cells["name"], scores, bits, bpp, cells["reconstruction"])
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


def _add_captions(target: PageTarget, folder: Path) -> None:
    """Find the captions of a target; a caption that its pictures were not made of is not shown as theirs.

    The manifest has the digest of every prompt: a caption file that was changed later is told by it.
    """
    about = target.manifest.get("captions")
    file = about.get("file") if isinstance(about, dict) else None
    if not isinstance(file, str) or not plain_name(file):
        return
    try:
        texts = caption_files.read(folder / file).texts
    except BadInput as error:
        target.notes.append(f"The captions cannot be shown: {error}")
        return
    target.encoder = _object((folder / file).with_suffix(".json"), target)
    prompts = _prompts(target.manifest)
    changed = 0
    for name, text in texts.items():
        image = stem(name)
        if image in prompts and digest(text.encode("utf-8", "replace")) not in prompts[image]:
            changed += 1
            continue
        target.texts[image] = text
    if changed:
        target.notes.append(
            f"{changed} captions in {file} have changed since these pictures were made; they are not shown."
        )


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
