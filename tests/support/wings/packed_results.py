"""Pictures and captions to pack, and what is packed of them."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

SIZES = {"NSI_pgc_000": (65, 64), "SCI_game_000": (200, 130), "odd 1": (1, 1)}
TEXTS = {
    "NSI_pgc_000.png": 'A "red"\nhouse, שלום 🏠\r\n\x1b[31m\x07é',
    "SCI_game_000.png": "wörd " * 599 + "wörd.",  # 3,000 characters
    "odd 1.png": "x",
}


def packed(name: str) -> dict[str, bytes]:
    return {
        path.relative_to(Path("Packed") / name).as_posix(): path.read_bytes()
        for path in Path("Packed", name).rglob("*.cmc")
    }


def rows(result: str) -> list[dict[str, str]]:
    with open(Path("Result") / result / "rates.csv", newline="") as file:
        return list(csv.DictReader(file))


def same_pixels(one: Path, two: Path) -> bool:
    with Image.open(one) as first, Image.open(two) as second:
        return (first.size, first.mode, first.tobytes()) == (second.size, second.mode, second.tobytes())
