"""Folders that look like downloaded test sets, in cheap pictures; and what `prepare` makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from cmcbench.data import prepare

KODAK = [f"kodim{number:02}" for number in range(1, 25)]


def picture(path: Path, size: tuple[int, int], seed: int) -> Path:
    """A smooth picture of random colours, another for every seed; cheap to make and to store."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.BILINEAR).save(path)
    return path


def kodak(folder: Path) -> Path:
    """24 pictures of Kodak's names and sizes, six of them upright."""
    for place, name in enumerate(KODAK):
        picture(folder / f"{name}.png", (512, 768) if place % 4 == 3 else (768, 512), place)
    return folder


def clic(folder: Path, professional: int = 250, mobile: int = 178) -> Path:
    """The two folders of CLIC 2020's test archives, with pictures of 12x8 pixels."""
    for part, count in (("professional", professional), ("mobile", mobile)):
        for place in range(count):
            picture(folder / part / f"{part[0]}{place:04}.png", (12, 8), 1000 * len(part) + place)
    return folder


def prepared(to: Path, *arguments: object) -> int:
    """The exit code of the command."""
    return prepare.main([*map(str, arguments), "--to", str(to)])


def manifest(to: Path) -> dict:
    return json.loads((to / ".prepared.json").read_text())


def state(to: Path) -> dict[str, tuple[int, bytes]]:
    """name -> (time of change, content) of what is there but the lock."""
    files = (path for path in to.iterdir() if not path.name.endswith("lock"))
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
