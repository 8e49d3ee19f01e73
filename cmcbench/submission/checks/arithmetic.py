"""A submission's arithmetic: every mean, rate and Overall worked out again from the rows of scores.csv.

On purpose not the code that wrote the summary.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from typing import Any

from ...files.rates import KINDS, MEASURED
from ...protocol import MODES, OVERALL_METRICS, overall_i2t, overall_t2i
from .tables import SubmittedScores

TOLERANCE = 1e-9  # relative above 1, absolute below: summing in another order moves a mean by less
INTERVAL = ("low", "high")
CLOSED = ("modes", "metrics", "types", "sources", "over_modes")  # where a key that the rows do not give is a fault


def arithmetic(summary: dict[str, Any], rows: list[SubmittedScores]) -> Iterator[str]:
    """Where summary.json is not what the rows give. The summary has passed its schema."""
    yield from _compare(_expected(summary, rows), summary, "summary.json", "")
    yield from _sets(summary, rows)
    yield from _intervals(summary["modes"], "summary.json.modes")
    for key in ("over_modes", "overall"):
        told = {
            name: ends
            for name, ends in summary.get(f"{key}_interval", {}).items()
            if ends and summary[key].get(name) is not None
        }
        means = {name: {"mean": summary[key][name], **dict(zip(INTERVAL, ends))} for name, ends in told.items()}
        yield from _intervals(means, f"summary.json.{key}_interval")


def _expected(summary: dict[str, Any], rows: list[SubmittedScores]) -> dict[str, Any]:
    metrics = [name for name in summary["metrics"] if not _of_a_set(summary, rows, name)]
    modes = {
        mode: _mode([row for row in rows if row.mode == mode], metrics)
        for mode in MODES
        if any(row.mode == mode for row in rows)
    }
    fr, nr = (
        {mode: each["metrics"][metric]["mean"] for mode, each in modes.items() if metric in each["metrics"]}
        for metric in OVERALL_METRICS
    )
    truth = {row.stem: row.ground_truth for row in rows}
    listed = "".join(f"{stem}\0{truth[stem]}\n" for stem in sorted(truth))
    return {
        "ground_truth": {"images": len(truth), "digest": hashlib.sha256(listed.encode()).hexdigest()[:16]},
        "modes": modes,
        "over_modes": {
            name: _over_modes(modes if name in metrics else summary["modes"], name) for name in summary["metrics"]
        },
        "overall": {"t2i": overall_t2i(fr, nr), "i2t": overall_i2t(fr, nr)},
    }


def _of_a_set(summary: dict[str, Any], rows: list[SubmittedScores], metric: str) -> bool:
    """Whether a metric is one of whole sets of images, such as FID, which no rows give."""
    told = any(each["metrics"].get(metric, {}).get("set") is True for each in summary["modes"].values())
    return told and not any(metric in row.scores for row in rows)


def _sets(summary: dict[str, Any], rows: list[SubmittedScores]) -> Iterator[str]:
    """Measures of sets cannot be worked out again, but what they are the measure of must be the pictures of the
    mode.
    """
    for mode, found in summary["modes"].items():
        pairs = sorted((row.stem, row.ground_truth, row.reconstruction) for row in rows if row.mode == mode)
        listed = hashlib.sha256("".join("\0".join(pair) + "\n" for pair in pairs).encode()).hexdigest()[:16]
        for name, value in found["metrics"].items():
            if value.get("set") is True and (value.get("digest"), value["n"]) != (listed, len(pairs)):
                yield (
                    f"summary.json.modes.{mode}.metrics.{name}: is the measure of another set of images than"
                    " scores.csv has"
                )


def _mode(rows: list[SubmittedScores], metrics: list[str]) -> dict[str, Any]:
    groups: dict[str, dict[str, list[SubmittedScores]]] = {"types": {}, "sources": {}}
    for row in rows:
        groups["types"].setdefault(row.type, []).append(row)
        if row.source:
            groups["sources"].setdefault(f"{row.type}_{row.source}", []).append(row)
    return {
        "images": len(rows),
        "metrics": _means(rows, metrics),
        "bpp": _mean(row.bpp for row in rows),
        "rate": _rate([row for row in rows if row.bpp is not None and row.spent.get("bits")]),
        "cost": _cost([row for row in rows if row.kind]),
        **{kind: {name: _means(group, metrics) for name, group in found.items()} for kind, found in groups.items()},
    }


def _means(rows: list[SubmittedScores], metrics: list[str]) -> dict[str, Any]:
    found = {metric: _mean(row.scores.get(metric) for row in rows) for metric in metrics}
    return {metric: mean for metric, mean in found.items() if mean}


def _mean(values: Iterable[float | None]) -> dict[str, Any] | None:
    known = [value for value in values if value is not None]
    return {"mean": math.fsum(known) / len(known), "n": len(known)} if known else None


def _rate(rows: list[SubmittedScores]) -> dict[str, Any] | None:
    if not rows:
        return None
    bpp = math.fsum(row.bpp for row in rows) / len(rows)
    rate: dict[str, Any] = {
        "kind": max((row.kind or MEASURED for row in rows), key=KINDS.index),
        "ratio": 24 / bpp if bpp else None,
    }
    for part in ("caption", "deflate", "pixel", "image", "packed"):
        bits = [row.spent.get(f"{part}_bits") for row in rows]
        known = None not in bits
        rate[part] = (
            math.fsum(each * row.bpp / row.spent["bits"] for each, row in zip(bits, rows)) / len(rows)
            if known
            else None
        )
    return rate


def _cost(rows: list[SubmittedScores]) -> dict[str, Any]:
    means = {key: _mean(row.spent.get(key) for row in rows) for key in ("encode_seconds", "decode_seconds")}
    memory = [row.spent["peak_memory"] for row in rows if "peak_memory" in row.spent]
    return {**{key: mean and mean["mean"] for key, mean in means.items()}, "peak_memory": max(memory, default=None)}


def _over_modes(modes: dict[str, Any], metric: str) -> float | None:
    mean = _mean(each["metrics"].get(metric, {}).get("mean") for each in modes.values())
    return mean and mean["mean"]


def _compare(expected: Any, found: Any, where: str, key: str) -> Iterator[str]:
    """Every place where `found` is not `expected`; more keys than expected may be there outside CLOSED."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name not in found:
                yield f"{where}: has no {name}, and scores.csv gives it"
            else:
                yield from _compare(value, found[name], f"{where}.{name}", name)
        if key in CLOSED:
            for name, value in found.items():
                if name not in expected and not (isinstance(value, dict) and value.get("set") is True):
                    yield f"{where}: has {ascii(name)}, and scores.csv gives none"
    elif not _equal(expected, found):
        yield f"{where}: is {_show(found)}, and scores.csv gives {_show(expected)}"


def _equal(expected: Any, found: Any) -> bool:
    if isinstance(expected, (int, float)) and isinstance(found, (int, float)):
        return abs(expected - found) <= TOLERANCE * max(1.0, abs(expected))
    return expected == found


def _show(value: Any) -> str:
    return repr(value) if isinstance(value, (int, float)) else ascii(value)[:60]


def _intervals(found: dict[str, Any], where: str) -> Iterator[str]:
    """Intervals that do not hold their mean. Their width is not worked out again: resampling is the board's
    business.
    """
    for name, value in found.items():
        if not isinstance(value, dict):
            continue
        if "mean" in value and None not in (value.get(end) for end in INTERVAL):
            low, mean, high = value["low"], value["mean"], value["high"]
            if not low - TOLERANCE <= mean <= high + TOLERANCE:
                yield f"{where}.{name}: the interval from {low!r} to {high!r} does not hold the mean {mean!r}"
        else:
            yield from _intervals(value, f"{where}.{name}")
