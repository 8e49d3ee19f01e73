"""What a run of script-evaluate.py is given and what it leaves: blurred pictures, scores, summary, leaderboard."""

from __future__ import annotations

import csv
import json
import math

from PIL import Image, ImageFilter

METRICS = ["--metrics", "psnr,piqe"]


def blur(truth, folder, radius):
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(truth.glob("*.png")):
        with Image.open(path) as image:
            image.filter(ImageFilter.GaussianBlur(radius)).save(folder / path.name)


def scores(bench, target="Result/real") -> list[dict[str, str]]:
    with open(bench.folder / target / "scores.csv", newline="") as file:
        return list(csv.DictReader(file))


def summary(bench, target="Result/real") -> dict:
    return json.loads((bench.folder / target / "summary.json").read_text())


def board(bench) -> list[dict[str, str]]:
    with open(bench.folder / "Result" / "leaderboard.csv", newline="") as file:
        return list(csv.DictReader(file))


def mean(rows, metric, mode) -> float:
    values = [float(row[metric]) for row in rows if row["mode"] == mode and row[metric]]
    return math.fsum(values) / len(values)
