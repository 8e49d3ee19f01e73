"""summary.json: means over images, by mode and content type, computed from the score table alone."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Iterable, Optional

from ..dataset import content
from ..protocol import overall_i2t, overall_t2i
from .table import Row, Table
from .target import Target

PAIR = ("topiq_fr", "topiq_nr")  # the metrics that the Overall formulas are made for


def summarise(target: Target, truth: dict[str, str], rows: Table, metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The summary of a target.

    truth: stem -> digest of every image of the ground truth, whose number decides what is whole.
    metrics: metric -> {"kind", "lower_is_better", "identity"} of the columns that have scores.
    """
    modes = by_mode([rows[key] for key in sorted(rows)], target.modes, metrics)
    made_by = {key: target.manifest.get(key) for key in ("t2i", "captions", "baseline")}
    return {
        "target": target.name,
        "made_by": made_by,
        "ground_truth": {"images": len(truth), "digest": _fingerprint(truth)},
        "metrics": metrics,
        "modes": modes,
        "over_modes": {metric: over_modes(modes, metric) for metric in metrics},
        "overall": overall(modes),
    }


def overall(modes: dict[str, Any]) -> dict[str, Optional[float]]:
    """Both Overall figures from the modes' TOPIQ means, None where they are not defined."""
    fr, nr = (
        {mode: each["metrics"][metric]["mean"] for mode, each in modes.items() if metric in each["metrics"]} for metric in PAIR
    )
    return {"t2i": overall_t2i(fr, nr), "i2t": overall_i2t(fr, nr)}


def by_mode(rows: list[Row], modes: Iterable[str], metrics: Iterable[str]) -> dict[str, Any]:
    """mode -> {"images", "metrics": metric -> {"mean", "n"}, "bpp", "types": content type -> as metrics}."""
    found = {}
    for mode in modes:
        here = [row for row in rows if row.mode == mode]
        types = sorted({content(row.name)[0] for row in here})
        found[mode] = {
            "images": len(here),
            "metrics": _means(here, metrics),
            "bpp": _mean(row.bpp for row in here),
            "types": {kind: _means([row for row in here if content(row.name)[0] == kind], metrics) for kind in types},
        }
    return found


def over_modes(modes: dict[str, Any], metric: str) -> Optional[float]:
    """The mean of a metric's means over the modes that have it."""
    mean = _mean(each["metrics"].get(metric, {}).get("mean") for each in modes.values())
    return mean and mean["mean"]


def _means(rows: list[Row], metrics: Iterable[str]) -> dict[str, dict[str, Any]]:
    means = {metric: _mean(row.scores.get(metric) for row in rows) for metric in metrics}
    return {metric: mean for metric, mean in means.items() if mean is not None}


def _mean(values: Iterable[Optional[float]]) -> Optional[dict[str, Any]]:
    """{"mean", "n"} of the values that are there, None where there are none. fsum: the same in any order."""
    present = [value for value in values if value is not None]
    return {"mean": math.fsum(present) / len(present), "n": len(present)} if present else None


def _fingerprint(truth: dict[str, str]) -> str:
    """One digest of the whole ground truth: two targets are compared only where it is the same."""
    listed = "".join(f"{stem}\0{seen}\n" for stem, seen in sorted(truth.items()))
    return hashlib.sha256(listed.encode()).hexdigest()[:16]
