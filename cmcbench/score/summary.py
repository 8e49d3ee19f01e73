"""summary.json: means over images, by mode and content type, with their intervals, from the score table alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from typing import Any

from ..files.manifest import Prepared
from ..files.rates import joint_kind
from ..files.result_manifest import system_of
from ..files.scores import ScoreRow, Table
from ..files.target import Target
from ..protocol import OVERALL_METRICS, content_source, content_type, overall_i2t, overall_t2i


def summarise(
    target: Target,
    truth: dict[str, str],
    rows: Table,
    metrics: dict[str, dict[str, Any]],
    sets: dict[str, Any] | None = None,
    prepared: Prepared | None = None,
) -> dict[str, Any]:
    """The summary of a target. Its intervals take about a second, so it is made once, when all is scored.

    truth: stem -> digest of every image of the ground truth, whose number decides what is whole.
    metrics: metric -> {"kind", "lower_is_better", "identity"} of the columns that have scores, and of measures of sets.
    sets: mode -> measure of its whole set -> {"mean", "n", "set": True, "digest"}; no image has a score of it, so there
    is no
    interval.
    prepared: the test set that the ground truth was made of. "data" is told only where the whole ground truth is it:
    images of an earlier one may be among those that are summarised. "seed" and "system" are told where the manifest
    tells them, for a board to know results that differ in their seed alone.
    """
    from .intervals import Scores, add_intervals, joint_intervals  # numpy, which --help need not wait for

    ordered = [rows[key] for key in sorted(rows)]
    modes = by_mode(ordered, target.modes, metrics)
    scores = Scores(ordered, target.modes, metrics)
    add_intervals(modes, scores)
    for mode, measures in (sets or {}).items():
        modes[mode]["metrics"].update(measures)
    stated = prepared if prepared and prepared.files == truth else None
    data = {"data": {"name": stated.name, "digest": stated.digest}} if stated else {}
    made_by = {key: target.manifest.get(key) for key in ("t2i", "captions", "baseline")}
    return {
        "target": target.name,
        "made_by": made_by,
        **system_of(target.manifest, target.modes),
        "ground_truth": {"images": len(truth), "digest": _fingerprint(truth)},
        **data,
        "metrics": metrics,
        "modes": modes,
        "over_modes": {metric: over_modes(modes, metric) for metric in metrics},
        "overall": overall(modes),
        **joint_intervals(scores),
    }


def overall(modes: dict[str, Any]) -> dict[str, float | None]:
    """Both Overall figures from the modes' TOPIQ means, None where they are not defined."""
    fr, nr = (
        {mode: each["metrics"][metric]["mean"] for mode, each in modes.items() if metric in each["metrics"]}
        for metric in OVERALL_METRICS
    )
    return {"t2i": overall_t2i(fr, nr), "i2t": overall_i2t(fr, nr)}


def by_mode(rows: list[ScoreRow], modes: Iterable[str], metrics: Iterable[str]) -> dict[str, Any]:
    """mode -> {"images", "metrics", "bpp", "rate", "cost", "types", "sources"} of what is in `rows`.

    metrics: metric -> {"mean", "n"}; types and sources: the same for each content type ("NSI") and source ("NSI_pgc").
    bpp: {"mean", "n"} of the images whose rate is known. rate and cost: see `_rate` and `_cost`.
    """
    found = {}
    for mode in modes:
        here = [row for row in rows if row.mode == mode]
        found[mode] = {
            "images": len(here),
            "metrics": _means(here, metrics),
            "bpp": _mean(row.bpp for row in here),
            "rate": _rate(here),
            "cost": _cost(here),
            "types": {name: _means(group, metrics) for name, group in _groups(here, content_type).items()},
            "sources": {name: _means(group, metrics) for name, group in _groups(here, content_source).items()},
        }
    return found


def _groups(rows: list[ScoreRow], label: Callable[[str], str]) -> dict[str, list[ScoreRow]]:
    """The rows by what `label` makes of their names; those for which it is "" are left out."""
    groups: dict[str, list[ScoreRow]] = {}
    for row in rows:
        groups.setdefault(label(row.name), []).append(row)
    return {name: groups[name] for name in sorted(groups) if name}


def _rate(rows: list[ScoreRow]) -> dict[str, Any] | None:
    """What the decoder was sent: {"kind", "ratio", "caption", "deflate", "pixel", "image", "packed"}, None where
    nothing tells.

    kind: of rates.KINDS, the last that an image's rate is of. ratio: 24 / mean bpp. The others: mean bits per pixel of
    a part, and of the whole as one file (packed), None where unknown or where some image lacks it.
    """
    known = [(row.bpp, row.spent) for row in rows if row.bpp is not None and row.spent is not None and row.spent.bits]
    if not known:
        return None
    mean = math.fsum(rate for rate, _ in known) / len(known)

    def part(name: str) -> float | None:
        # bpp / bits is one over the ground truth's pixels
        values = [(getattr(spent, f"{name}_bits"), rate, spent.bits) for rate, spent in known]
        if any(value is None for value, *_ in values):
            return None
        return math.fsum(value * rate / bits for value, rate, bits in values) / len(values)

    return {
        "kind": joint_kind(spent.kind for _, spent in known),
        "ratio": 24 / mean,
        **{name: part(name) for name in ("caption", "deflate", "pixel", "image", "packed")},
    }


def _cost(rows: list[ScoreRow]) -> dict[str, Any]:
    """Mean wall-clock seconds an image, and the largest peak memory in bytes, of the images that tell; None where none
    does.
    """
    spent = [row.spent for row in rows if row.spent is not None]
    seconds = {name: _mean(getattr(each, name) for each in spent) for name in ("encode_seconds", "decode_seconds")}
    memory = [each.peak_memory for each in spent if each.peak_memory is not None]
    return {
        **{name: mean["mean"] if mean else None for name, mean in seconds.items()},
        "peak_memory": max(memory, default=None),
    }


def over_modes(modes: dict[str, Any], metric: str) -> float | None:
    """The mean of a metric's means over the modes that have it."""
    mean = _mean(each["metrics"].get(metric, {}).get("mean") for each in modes.values())
    return mean["mean"] if mean else None


def _means(rows: list[ScoreRow], metrics: Iterable[str]) -> dict[str, dict[str, Any]]:
    means = {metric: _mean(row.scores.get(metric) for row in rows) for metric in metrics}
    return {metric: mean for metric, mean in means.items() if mean is not None}


def _mean(values: Iterable[float | None]) -> dict[str, Any] | None:
    """{"mean", "n"} of the values that are there, None where there are none. fsum: the same in any order."""
    present = [value for value in values if value is not None]
    return {"mean": math.fsum(present) / len(present), "n": len(present)} if present else None


def _fingerprint(truth: dict[str, str]) -> str:
    """One digest of the whole ground truth: two targets are compared only where it is the same."""
    listed = "".join(f"{stem}\0{seen}\n" for stem, seen in sorted(truth.items()))
    return hashlib.sha256(listed.encode()).hexdigest()[:16]
