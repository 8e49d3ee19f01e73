"""A target: the folder of reconstructions that is scored, and the ground truth that it is scored against."""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import BadInput
from ..protocol import MODES, PLAIN
from .images import Listing, list_images
from .names import stem
from .rates import FILE, Cost, Rates, read
from .store import LARGEST_JSON, read_bytes, read_json

Pictures = TypeVar("Pictures", bound=Sized)


@dataclass(frozen=True)
class Target:
    """name: what it is called on the leaderboard. modes: mode -> stem -> path, in the order full, image, pixel,
    text.
    """

    name: str
    folder: Path
    modes: dict[str, Listing]
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


def modes_of(folder: Path, listed: Callable[[Path], Pictures]) -> dict[str, Pictures]:
    """mode -> its pictures as `listed` gives those of a folder: of folders called like modes, else PLAIN ones of the
    folder itself. Modes without pictures are not in it.
    """
    found = {mode: listed(folder / mode) for mode in MODES}
    if not any(found.values()):
        found = {PLAIN: listed(folder)}
    return {mode: images for mode, images in found.items() if images}


def _images(folder: Path) -> dict[str, Listing]:
    return modes_of(folder, lambda place: list_images(place, "reconstructions"))
