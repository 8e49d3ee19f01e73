"""The small part of the page's data, which is there at first sight: metrics, targets, distributions, manifests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...protocol import MODES, OVERALL_METRICS, PLAIN, SOURCES
from .targets import PageTarget, number

ORDER = [*MODES, PLAIN]
LABELS = {
    "topiq_fr": "TOPIQ FR",
    "topiq_nr": "TOPIQ NR",
    "ms_ssim": "MS-SSIM",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "piqe": "PIQE",
    "lpips": "LPIPS",
    "clipsim": "CLIPSIM",
    "clipiqa": "CLIP-IQA",
    "liqe": "LIQE",
    "fid": "FID",
    "vif": "VIF",
    "fsim": "FSIM",
    "gmsd": "GMSD",
    "vsi": "VSI",
    "niqe": "NIQE",
    "brisque": "BRISQUE",
    "dists": "DISTS",
    "cw_ssim": "CW-SSIM",
}
BINS = 24
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def metrics(targets: Iterable[PageTarget]) -> list[dict[str, Any]]:
    """The metrics of all targets, TOPIQ first, then consistency (FR), then perception (NR)."""
    found: dict[str, dict[str, Any]] = {}
    for target in targets:
        for name, about in target.summary["metrics"].items():
            each = {
                "name": name,
                "label": LABELS.get(name, name),
                "kind": str(about["kind"]),
                "lower": bool(about["lower_is_better"]),
            }
            if any(mode["metrics"].get(name, {}).get("set") for mode in target.summary["modes"].values()):
                each["set"] = True  # of a set of images: no score of a single one
            found.setdefault(name, each)
    return sorted(
        found.values(), key=lambda each: (each["name"] not in OVERALL_METRICS, each["kind"] != "FR", each["name"])
    )


def target_entry(target: PageTarget) -> dict[str, Any]:
    """A target as the page's run card shows it: what made it, what it cost."""
    made_by = target.summary["made_by"]
    captions = made_by.get("captions") if isinstance(made_by.get("captions"), dict) else {}
    modes = {mode: found for mode, found in target.summary["modes"].items() if mode in ORDER}
    return {
        "name": target.name,
        "folder": target.folder.name,
        "baseline": bool(made_by.get("baseline")),
        "decoder": _text(made_by.get("t2i")),
        "encoder": _text(captions.get("file")).removesuffix(".csv"),
        "modes": [mode for mode in ORDER if mode in modes],
        "rates": {mode: _numbers(found.get("rate")) for mode, found in modes.items()},
        "costs": {mode: _numbers(found.get("cost")) for mode, found in modes.items()},
        "notes": target.notes,
        "manifest": _manifest(target.manifest),
        "captions": _caption_manifest(target.encoder),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _numbers(found: Any) -> dict[str, Any]:
    """The parts of a rate or a cost that are finite numbers or words; {} where there is none."""
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str) or _is_finite(value)}


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def short(value: float) -> float:
    """Ten digits: the page rounds to four decimals, and fewer would round twice."""
    return float(f"{value:.10g}")


def _manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest but for what it says of every image, which is counted."""
    modes = manifest.get("modes") if isinstance(manifest.get("modes"), dict) else {}
    counted = {}
    for mode, each in modes.items():
        each = each if isinstance(each, dict) else {}
        inputs = each.get("inputs")
        counted[mode] = {
            **{key: value for key, value in each.items() if key != "inputs"},
            "images": len(inputs) if isinstance(inputs, dict) else 0,
        }
    return {**manifest, "modes": counted} if manifest else {}


def _caption_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: len(value) if key in ("images", "usage") and isinstance(value, dict) else value
        for key, value in manifest.items()
    }


def distributions(targets: list[PageTarget], names: Iterable[str]) -> dict[str, Any]:
    """metric -> {"edges": BINS + 1 borders, "rows": [{"target", "mode", "n", "quantiles", "counts"}]}, of single
    images' scores.
    """
    import numpy as np

    found = {}
    for name in names:
        rows = []
        for place, target in enumerate(targets):
            for mode in ORDER:
                values = [
                    row.scores[name] for (_, its), row in target.rows.items() if its == mode and name in row.scores
                ]
                if values:
                    rows.append((place, mode, np.array(sorted(values))))
        if not rows:
            continue
        low, high = min(row[2][0] for row in rows), max(row[2][-1] for row in rows)
        edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
        found[name] = {
            "edges": [short(edge) for edge in edges],
            "rows": [
                {
                    "target": place,
                    "mode": mode,
                    "n": len(values),
                    "quantiles": [short(value) for value in np.quantile(values, QUANTILES)],
                    "counts": np.histogram(values, edges)[0].tolist(),
                }
                for place, mode, values in rows
            ],
        }
    return found


def order(targets: list[PageTarget]) -> list[PageTarget]:
    """The targets as the page lists them: whole before partial, by Overall, else by the first metric's mean over
    modes.
    """
    listed = metrics(targets)

    def place(target: PageTarget) -> tuple:
        overall, means = target.summary["overall"]["t2i"], target.summary["over_modes"]
        first: float | None = None
        for each in listed:
            if means.get(each["name"]) is not None:
                first = number(means[each["name"]]) * (1 if each["lower"] else -1)
                break
        of = int(target.summary["ground_truth"]["images"])
        partial = any(
            int(mean["n"]) < of for mode in target.summary["modes"].values() for mean in mode["metrics"].values()
        )
        return partial, overall is None, -number(overall or 0), first is None, first or 0.0, target.name, target.key

    return sorted(targets, key=place)


def content_groups(names: Iterable[str], content: Callable[[str], tuple[str, str]]) -> dict[str, list[str]]:
    """type -> its sources, of the images that are there, in the benchmark's order."""
    there = {content(name) for name in names}
    listed = {kind: [source for source in sources if (kind, source) in there] for kind, sources in SOURCES.items()}
    groups = {kind: sources for kind, sources in listed.items() if sources}
    return {**groups, "other": []} if any(kind == "other" for kind, _ in there) else groups
