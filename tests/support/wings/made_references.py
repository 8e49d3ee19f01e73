"""References as the tests make them, and what lies in their folder."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from PIL import Image

from cmcbench.encode import references
from cmcbench.errors import RunFailed
from cmcbench.files.images import list_images
from cmcbench.runtime.messages import RunLog

SIZES = {"AIGI_MJ_000": (64, 64), "NSI_pgc_000": (96, 64), "SCI_game_000": (65, 80)}
BUDGET = 0.02  # bits per pixel: out of reach for pictures this small, and so quickly made: no search among the levels
COLUMNS = "name reference bits bpp width height codec budget level scale ground_truth sha256 seconds".split()


HEADER = ",".join(COLUMNS).encode()


def no_ffmpeg() -> str:
    raise RunFailed("there is no ffmpeg (it is away); pip install 'imageio-ffmpeg>=0.6' brings one")


def make(ground_truth: Path, ref: Path, budget: float = BUDGET, overwrite: bool = False, only: str = "") -> RunLog:
    images = {stem: path for stem, path in list_images(ground_truth, "GT").items() if stem.startswith(only)}
    report = RunLog()
    references.make(images, ref, budget, overwrite, report)
    return report


def files(folder: Path) -> dict[str, bytes]:
    """Everything below, unfinished files too; only the lock, which is empty, may be left or not.

    The seconds in rate.csv, which no two runs share, are left out.
    """
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
    if content.get("rate.csv", b"").startswith(HEADER):
        content["rate.csv"] = re.sub(rb",\d+\.\d*(?=\n)", b",", content["rate.csv"])
    return content


def names(*stems: str, ending: str = "obu") -> list[str]:
    pictures = [f"{kind}/{stem}.png" for kind in ("image", "pixel") for stem in stems]
    return sorted(["rate.csv", *pictures, *(f"stream/{stem}.{ending}" for stem in stems)])


def rows(ref: Path) -> list[dict[str, str]]:
    with open(ref / "rate.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def foreign_picture(ref: Path) -> None:
    (ref / "image").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (96, 64), "red").save(ref / "image" / "NSI_pgc_000.png")
