"""Scored targets with pictures, without a model: GT, Ref, Text and Result as the three steps leave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cmcbench.files.captions import write as write_captions
from cmcbench.files.rates import NOMINAL, Cost
from cmcbench.files.scores import ScoreRow, write
from cmcbench.files.store import digest, write_json
from cmcbench.files.target import find
from cmcbench.score.summary import summarise

NAMES = (
    [f"NSI_pgc_{number:03d}" for number in range(6)]
    + [f"SCI_game_{number:03d}" for number in range(4)]
    + ["AIGI_MJ_000", "holiday"]
)
TOPIQ = {
    name: {"kind": kind, "lower_is_better": False, "identity": "w"}
    for name, kind in (("topiq_fr", "FR"), ("topiq_nr", "NR"))
}


def picture(path: Path, seed: int, size: tuple[int, int] = (60, 40)) -> Path:
    """A small picture of large blocks of colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size).save(path)
    return path


def truth(folder: Path, names: list[str] | None = None) -> dict[str, str]:
    """GT: stem -> digest."""
    return {
        name: digest(picture(folder / "GT" / f"{name}.png", place).read_bytes())
        for place, name in enumerate(NAMES if names is None else names)
    }


def captions(folder: Path, name: str, texts: dict[str, str]) -> None:
    write_captions(folder / "Text" / f"{name}.csv", {f"{stem}.png": text for stem, text in texts.items()})


def target(
    folder: Path,
    name: str,
    digests: dict[str, str],
    modes: dict[str, float],
    metrics: dict | None = None,
    captions: str = "gpt4v",
    lacking: int = 0,
    nominal: bool = False,
    rate_kind: str = "measured",
    manifest: dict | None = None,
    baseline: bool = False,
    level: float = 2.0,
) -> Path:
    """A scored target. modes: mode -> bits per pixel. level: about its mean score. lacking: images without scores, last
    mode.
    """
    metrics = TOPIQ if metrics is None else metrics
    result = folder / "Result" / name
    rows = {}
    for number, (mode, bpp) in enumerate(modes.items()):
        for place, stem in enumerate(digests):
            file = picture(result / mode / f"{stem}.png", 1000 + 100 * number + place)
            if mode == list(modes)[-1] and place < lacking:
                continue
            noise = np.random.default_rng([place, number, len(name)]).normal(0, 0.2, len(metrics))
            bits = round(bpp * 2400)
            spent = Cost(
                f"{stem}.png",
                mode,
                bits,
                NOMINAL if nominal else rate_kind,
                bits // 2,
                image_bits=bits - bits // 2,
                decode_seconds=1.5,
            )
            scores = {metric: level - number / 4 + float(each) for metric, each in zip(metrics, noise)}
            rows[stem, mode] = ScoreRow(
                f"{stem}.png", mode, digests[stem], digest(file.read_bytes()), scores, spent, bits / 2400
            )
    about = {
        "t2i": name,
        "captions": {"file": f"{captions}.csv", "sha256": "0", "baseline": baseline},
        "baseline": baseline,
        "environment": {"cmcbench": "0"},
        "modes": {mode: {"settings": {"steps": 40, "seed": 42}, "inputs": {}} for mode in modes},
    }
    write_json(result / "manifest.json", {**about, **(manifest or {})})
    write(result / "scores.csv", rows)
    write_json(result / "summary.json", summarise(find(name, result), digests, rows, metrics))
    return result
