"""Results of targets as files, without pictures: scores.csv, summary.json and rates.csv as the scorer writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cmcbench.files import scores as table
from cmcbench.files.rates import FILE, Cost, write
from cmcbench.files.scores import ScoreRow
from cmcbench.files.store import write_json
from cmcbench.score.summary import by_mode, over_modes

METRICS = {"ms_ssim": ("FR", False), "lpips": ("FR", True), "piqe": ("NR", True)}
NAMES = [f"NSI_pgc_{number:03}.png" for number in range(8)] + [f"SCI_game_{number:03}.png" for number in range(4)]


def target(
    results: Path,
    name: str,
    modes: dict[str, tuple[float, float]],
    names: list[str] | None = None,
    codec: bool = False,
    kind: str = "measured",
    scale: int = 1,
    metrics: dict | None = None,
    digests: str = "gt",
    seed: int = 0,
    sets: dict | None = None,
) -> Path:
    """Write a target's files. modes: mode -> (mean rate, quality in 0..1), from which each image's figures are drawn.

    sets: measures of whole sets, mode -> name -> (value, number of images).
    """
    folder = results / name
    metrics = METRICS if metrics is None else metrics
    names = NAMES if names is None else names
    rows: table.Table = {}
    for mode, (rate, quality) in modes.items():
        for place, image in enumerate(names):
            # What makes an image hard is the same for all targets
            hard = np.random.default_rng(place).normal(0, 0.1)
            noise = np.random.default_rng([seed, place, len(mode), round(rate * 1e5)]).normal(0, 0.01)
            level = quality - 0.3 * hard + noise
            scores = {metric: round(100 * (1 - level) if lower else level, 6) for metric, (_, lower) in metrics.items()}
            bpp = round(rate * (1 + 0.3 * hard), 6)
            spent = Cost(
                image,
                mode,
                round(bpp * 786432),
                kind,
                encode_seconds=0.5 + quality,
                decode_seconds=0.01,
                peak_memory=10**8,
            )
            rows[Path(image).stem, mode] = ScoreRow(
                image, mode, f"{digests}{place}", f"{name}{mode}{place}", scores, spent, bpp
            )
    folder.mkdir(parents=True)
    table.write(folder / "scores.csv", rows)
    described = {
        metric: {"kind": kind_, "lower_is_better": lower, "identity": "1"} for metric, (kind_, lower) in metrics.items()
    }
    found = by_mode(list(rows.values()), modes, metrics)
    for mode, measures in (sets or {}).items():
        for measure, (value, n) in measures.items():
            found[mode]["metrics"][measure] = {"mean": value, "n": n, "set": True}
            described[measure] = {"kind": "NR", "lower_is_better": True, "identity": "1"}
    write_json(
        folder / "summary.json",
        {
            "target": name,
            "made_by": {"t2i": name, "captions": None, "baseline": False},
            "ground_truth": {"images": len(names), "digest": "x"},
            "metrics": described,
            "modes": found,
            "over_modes": {metric: over_modes(found, metric) for metric in described},
            "overall": {"t2i": None, "i2t": None},
        },
    )
    write(
        folder / FILE,
        {
            (stem, mode): Cost(row.name, mode, scale=scale, sha256=row.reconstruction)
            for (stem, mode), row in rows.items()
        },
    )
    write_json(folder / "manifest.json", {"codec": name} if codec else {"t2i": name})
    return folder


def codecs(results: Path) -> None:
    """Three codecs of known order (vvc needs fewer bits than hevc, hevc than avc) and one decoder in its four modes."""
    for factor, codec in ((1.0, "avc"), (0.7, "hevc"), (0.5, "vvc")):
        for place, rate in enumerate((0.01, 0.02, 0.04, 0.08)):
            target(
                results,
                f"{codec}@{rate}",
                {"image": (rate * factor, 0.5 + 0.1 * place)},
                codec=True,
                scale=2 if rate == 0.01 else 1,
            )
    four = {"text": (0.002, 0.3), "pixel": (0.004, 0.4), "image": (0.02, 0.6), "full": (0.022, 0.62)}
    target(results, "real+qwen", four, kind="nominal")
