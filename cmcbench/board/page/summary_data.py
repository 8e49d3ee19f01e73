"""The small part of the page's data, which is there at first sight: metrics, targets, distributions, manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...protocol import MODES, OVERALL_METRICS, PLAIN, SOURCES
from ..families import Style
from ..labels import NAMES, OVERALL
from ..leaderboard.entries import entries_of
from .targets import PageTarget

ORDER = [*MODES, PLAIN]
BINS = 48
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def metrics(targets: Iterable[PageTarget]) -> list[dict[str, Any]]:
    """The metrics of all targets, TOPIQ first, then consistency (FR), then perception (NR)."""
    found: dict[str, dict[str, Any]] = {}
    for metric in (each for target in targets for each in target.summary.metrics.values()):
        each = found.setdefault(
            metric.name,
            {
                "name": metric.name,
                "label": NAMES.get(metric.name, metric.name),
                "kind": metric.kind,
                "lower": metric.lower_is_better,
            },
        )
        if metric.of_set:
            each["set"] = True  # of a set of images: no score of a single one
    return sorted(
        found.values(), key=lambda each: (each["name"] not in OVERALL_METRICS, each["kind"] != "FR", each["name"])
    )


def target_entry(target: PageTarget, style: Style) -> dict[str, Any]:
    """A target as the page's run card shows it: what made it, what it cost; and how charts colour it."""
    summary = target.summary
    modes = {mode: summary.modes[mode] for mode in ORDER if mode in summary.modes}
    return {
        "name": target.name,
        "called": summary.target if summary.target != target.name else "",
        "family": style.family,
        "hue": style.place,
        "tone": short(style.tone),
        "codec": "codec" in target.manifest,
        "baseline": "decoder" in summary.baseline,
        "decoder": summary.decoder,
        "encoder": summary.encoder,
        "modes": list(modes),
        "rates": {
            mode: {"kind": each.rate_kind, **each.rate} if each.rate_kind else {} for mode, each in modes.items()
        },
        "costs": {mode: each.cost for mode, each in modes.items()},
        "notes": target.notes,
        "manifest": _manifest(target.manifest),
        "captions": _caption_manifest(target.encoder),
    }


def short(value: float | None) -> float | None:
    """Ten digits: the page rounds to four decimals, and fewer would round twice."""
    return None if value is None else float(f"{value:.10g}")


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
    """The targets as the page lists them: those that take a place before the others, by Overall, else by the first
    metric's mean over modes.
    """
    listed = metrics(targets)

    def place(target: PageTarget) -> tuple:
        summary = target.summary
        overall = summary.overall["t2i"]
        signed = (
            summary.over_modes[each["name"]] * (1 if each["lower"] else -1)
            for each in listed
            if each["name"] in summary.over_modes
        )
        first = next(signed, None)
        last = any(entry.unranked for entry in entries_of(target.scored) if entry.mode == OVERALL)
        return last, overall is None, -(overall or 0), first is None, first or 0.0, target.name, target.key

    return sorted(targets, key=place)


def content_groups(names: Iterable[str], content: Callable[[str], tuple[str, str]]) -> dict[str, list[str]]:
    """type -> its sources, of the images that are there, in the benchmark's order."""
    there = {content(name) for name in names}
    listed = {kind: [source for source in sources if (kind, source) in there] for kind, sources in SOURCES.items()}
    groups = {kind: sources for kind, sources in listed.items() if sources}
    return {**groups, "other": []} if any(kind == "other" for kind, _ in there) else groups
