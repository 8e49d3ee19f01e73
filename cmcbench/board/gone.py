"""When the last target of a results folder goes, what was made of them goes: numbers of nothing would stay behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import BadInput
from ..files import untrusted
from ..files.store import only_writer, sweep
from ..files.target import check_leaderboard
from .page.folder import take_away as take_report

VIEWS = ("", "-modes", "-types", "-sources", "-grid", "-seeds")
LEADERBOARD = [f"leaderboard{view}.{ending}" for view in VIEWS for ending in ("csv", "md", "tex")]
CURVES = ["points.csv", "cost.md", "bd.csv", "bd.md"]
CURVES += [f"rate-{scale}.{ending}" for scale in ("log", "linear") for ending in ("png", "svg")]
POINTS = b"curve,target,mode,"  # how a points.csv of ours begins


def take_away(results: Path, report: Path | None = None) -> str:
    """Remove the leaderboard, curves and report of a results folder that no scored target is left for. Files that are
    not ours stay. Call it where there is no scored target.

    report: its folder where that is another one. Returns a sentence for the user, "" where nothing was there.
    """
    makers: dict[str, Callable[[], bool]] = {
        "leaderboard": lambda: _leaderboard(results),
        "curves": lambda: _curves(results / "curves"),
        "report": lambda: take_report(report or results / "report"),
    }
    found = [name for name, taken in makers.items() if taken()]
    many = "were" if len(found) > 1 else "was"
    return f" The {' and '.join(found)} of targets that are gone {many} removed." if found else ""


def _leaderboard(results: Path) -> bool:
    if not (results / "leaderboard.csv").is_file():
        return False
    try:
        check_leaderboard(results)
    except BadInput:
        return False
    return _remove(results, LEADERBOARD, results / ".leaderboard.lock")


def _curves(folder: Path) -> bool:
    try:
        ours = untrusted.read_bytes(folder / "points.csv", untrusted.LARGEST_FILE).startswith(POINTS)
    except untrusted.Unusable:
        return False
    removed = ours and _remove(folder, CURVES, folder / ".curves.lock")
    if removed and not any(folder.iterdir()):
        folder.rmdir()
    return removed


def _remove(folder: Path, names: list[str], lock: Path) -> bool:
    with only_writer(lock, str(folder), wait=60):
        for name in names:
            sweep(folder, name)
            (folder / name).unlink(missing_ok=True)
    lock.unlink(missing_ok=True)
    return True
