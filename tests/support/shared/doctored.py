"""Folders in the states that the doctor finds: the benchmark's pictures, weights, what the steps need, summaries."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bench import SAMPLES, write_truth

from cmcbench.doctor.data import LEGACY
from cmcbench.files.store import write_json
from cmcbench.protocol import SOURCES
from cmcbench.published.dataset import COUNTS


def benchmark(folder: Path) -> None:
    """A ground truth of the benchmark's names, whose pictures are one of the samples."""
    folder.mkdir(parents=True)
    picture = min(SAMPLES.glob("*.png"), key=lambda path: path.stat().st_size)
    first = folder / "first"
    shutil.copy(picture, first)
    for kind, sources in SOURCES.items():
        for source in sources:
            for number in range(COUNTS[source]):
                os.link(first, folder / f"{kind}_{source}_{number:03}.png")
    first.unlink()


def weights(folder: Path, megabytes: float = 145) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in (("topiq-fr.pth", megabytes), ("topiq-nr.pth", megabytes * 181 / 145)):
        with open(folder / name, "wb") as file:
            file.write(LEGACY)
            file.truncate(int(size * 1e6))


def ready(here: Path) -> None:
    """What the three steps need: pictures, references, weights."""
    for folder in ("GT", "Ref/image", "Ref/pixel"):
        write_truth(here / folder, 4)
    weights(here / "Weight")


def summary(folder: Path, **numbers: int) -> None:
    metrics = {mode: dict.fromkeys(("topiq_fr", "topiq_nr"), {"mean": 1.0, "n": n}) for mode, n in numbers.items()}
    modes = {mode: {"metrics": each} for mode, each in metrics.items()}
    write_json(folder / "summary.json", {"modes": modes})
