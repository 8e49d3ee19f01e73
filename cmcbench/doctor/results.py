"""What the doctor says of Result/: its targets, how much of each is made and scored, and what killed runs left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..files.images import ENDINGS
from ..files.store import TEMPORARY, read_json
from ..files.target import modes_of
from ..files.untrusted import LARGEST_SUMMARY
from ..protocol import MODES, OVERALL_METRICS
from .finding import NOTE, OK, Finding, step

AREA = "results"


def look(root: Path, truth: int) -> Iterator[Finding]:
    """A finding for each target in Result/. truth: the number of images of the ground truth."""
    folder = root / "Result"
    folders = sorted(path for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
    targets = [(path, modes) for path in folders if (modes := _modes(path))]
    if not targets:
        yield Finding(AREA, "Result", NOTE, "no reconstructions yet: step 2 makes them")
    for path, modes in targets:
        yield _target(root, path, modes, truth)


def _modes(folder: Path) -> dict[str, int]:
    """mode -> number of pictures, of a folder as step 2 or a codec fills it; {} of one that is no target."""
    return {mode: len(pictures) for mode, pictures in modes_of(folder, _pictures).items()}


def _pictures(folder: Path) -> list[str]:
    names = os.listdir(folder) if folder.is_dir() else []
    return [name for name in names if Path(name).suffix.lower() in ENDINGS and not name.startswith(".")]


def _target(root: Path, folder: Path, modes: dict[str, int], truth: int) -> Finding:
    scored = _scored(folder)
    left = sum(1 for place in (folder, *map(folder.joinpath, MODES)) for _ in place.glob(f"{TEMPORARY}*"))
    made = ", ".join(f"{mode} {number:,}" for mode, number in modes.items())
    partial = truth and any(number < truth for number in modes.values())
    text = f"{made}{f' of {truth:,} images' if partial else ''}"
    lacking = [mode for mode, number in modes.items() if scored.get(mode, 0) < min(number, truth or number)]
    if isinstance(scored.get("problem"), str):
        text, lacking = f"{text}; {scored['problem']}", list(modes)
    elif not lacking:
        text += f"; scored by {', '.join(scored['metrics'])}"
    elif len(lacking) < len(modes) or any(scored.get(mode) for mode in modes):
        text += f"; scored in part ({', '.join(f'{mode} {scored.get(mode, 0):,}' for mode in modes)})"
    else:
        text += "; not scored"
    if left:
        text += f"; {left} unfinished file(s) of a run that goes on or was killed: the same command clears them away"
    remedy = step("script-evaluate.py", root, f"--target {folder.name}", *_again(scored)) if lacking else ""
    facts = {"target": folder.name, "modes": modes, "scored": scored, "unscored": lacking, "leftovers": left}
    return Finding(AREA, f"Result/{folder.name}", NOTE if lacking or left or partial else OK, text, remedy, facts)


def _scored(folder: Path) -> dict[str, Any]:
    """mode -> number of images that have the scores which decide, and "metrics"; or "problem": why the summary cannot
    be used."""
    file = folder / "summary.json"
    try:
        if file.is_file() and file.stat().st_size > LARGEST_SUMMARY:
            return {"problem": "summary.json is too large to be one"}
        modes = (read_json(file) or {}).get("modes", {})
        found: dict[str, Any] = {"metrics": sorted({str(name) for each in modes.values() for name in each["metrics"]})}
        for mode, each in modes.items():
            found[str(mode)] = _deciding({name: int(metric["n"]) for name, metric in each["metrics"].items()})
        return found
    except (BadInput, AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return {"problem": "summary.json is not readable"}


def _deciding(counts: dict[str, int]) -> int:
    """As the leaderboard counts: by TOPIQ where it is there, else by the metric that most images have, so that a
    further metric of some images makes nothing unfinished."""
    topiq = [counts[name] for name in OVERALL_METRICS if name in counts]
    return min(topiq) if topiq else max(counts.values(), default=0)


def _again(scored: dict[str, Any]) -> list[str]:
    """The flag that scores what was scored before, where that is not the default."""
    names = [name for name in scored.get("metrics", ()) if "@" not in name]
    return [f"--metrics {','.join(names)}"] if names and not set(OVERALL_METRICS) & set(names) else []
