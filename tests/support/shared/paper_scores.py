"""Blurred pictures to score, and the columns and the summary that came out."""

from __future__ import annotations

import csv
import json

from PIL import Image, ImageFilter


def blur(truth, folder, radius=1.5):
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(truth.iterdir()):
        with Image.open(path) as image:
            image.filter(ImageFilter.GaussianBlur(radius)).save(folder / path.name)


def columns(bench) -> list[str]:
    with open(bench.folder / "Result/real/scores.csv", newline="") as file:
        return csv.DictReader(file).fieldnames


def summary(bench) -> dict:
    return json.loads((bench.folder / "Result/real/summary.json").read_text())
