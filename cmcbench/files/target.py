"""A target: the folder of reconstructions that is scored, and the ground truth that it is scored against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..protocol import MODES, PLAIN
from .images import list_images
from .names import stem
from .rates import FILE, Cost, Rates, read
from .store import LARGEST_JSON, read_bytes, read_json


@dataclass(frozen=True)
class Target:
    """name: what it is called on the leaderboard. modes: mode -> stem -> path, in the order full, image, pixel,
    text.
    """

    name: str
    folder: Path
    modes: dict[str, dict[str, Path]]
    manifest: dict[str, Any]
    rates: Rates

    def spent(self, truth: str, mode: str, reconstruction: str) -> Cost | None:
        """What a reconstruction cost, None where rates.csv has no row for it, or one for another picture.

        truth: the ground truth's file name. reconstruction: the digest of the file that is scored.
        """
        row = self.rates.get((stem(truth), mode))
        if row is None or row.sha256 != reconstruction:
            return None
        # As it stands in scores.csv, so that a row read back equals the row that was written
        return replace(row, name=truth, level="", scale=None, sha256="")


def find(name: str, folder: Path) -> Target:
    """The target in `folder`: one with folders full, image, pixel, text (some may lack), or simply one of images."""
    if not folder.is_dir():
        raise BadInput(
            f"there is no folder {folder}. Make reconstructions with: python script-t2i.py --model_name {name}, "
            "or name another with --target or --target_path."
        )
    modes = _images(folder)
    if not modes:
        raise BadInput(f"{folder} holds neither images nor a folder of them called {', '.join(MODES)}.")
    return Target(name, folder, modes, read_json(folder / "manifest.json") or {}, read(folder / FILE))


def check_leaderboard(results: Path) -> None:
    """Raise BadInput where the leaderboard's files in a results folder are somebody else's: they would be replaced."""
    table = results / "leaderboard.csv"
    try:
        ours = read_bytes(table, LARGEST_JSON).startswith(b"target,")
    except FileNotFoundError:
        ours = not any((results / name).exists() for name in ("leaderboard.md", "leaderboard.tex"))
    except OSError:
        ours = False
    if not ours:
        raise BadInput(
            f"{results} holds a leaderboard that is not of this program ({table.name}, .md or .tex), and scoring would "
            "replace it. Move it away, or score a folder below another one."
        )


def holds_images(folder: Path) -> bool:
    """Whether a folder is a target at all."""
    return bool(_images(folder))


def _images(folder: Path) -> dict[str, dict[str, Path]]:
    listed = {mode: list_images(folder / mode, "reconstructions") for mode in MODES}
    modes: dict[str, dict[str, Path]] = {mode: images for mode, images in listed.items() if images}
    plain = {} if modes else list_images(folder, "reconstructions")
    return modes or ({PLAIN: plain} if plain else {})
