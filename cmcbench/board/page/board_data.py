"""The leaderboard's rows, the spread between seeds and the rate-distortion curves as the page's data, from the parts of
the board that make them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...files.rates import ESTIMATED
from ...published import tables
from ..curves import curves_of
from ..families import Style
from ..leaderboard import ranked_entries
from ..leaderboard.build import VIEWS
from ..leaderboard.entries import Entry
from ..leaderboard.published_rows import published_entries
from ..scored import ScoredTarget
from .summary_data import short
from .targets import PageTarget


def entries_data(everyone: list[ScoredTarget], targets: list[PageTarget]) -> list[dict[str, Any]]:
    """Own rows of all images and of each kind of them, ranked among all scored targets, then the 18 published ones."""
    places = {target.folder: place for place, target in enumerate(targets)}
    found = []
    for view in ("", *VIEWS):
        entries, _ = ranked_entries(everyone, view, i2t=True)
        found += [_entry(entry, places[entry.folder]) for entry in entries if entry.folder in places]
    return found + [_entry(entry, None) for table in (tables.T2I, tables.I2T) for entry in published_entries(table)]


def _entry(entry: Entry, place: int | None) -> dict[str, Any]:
    """A row without what it does not have. target: its place among the page's targets. fewer: metric -> images, of
    scores that fewer images have than the row says."""
    row = {
        "target": place,
        "name": entry.target,
        "mode": entry.mode,
        "table": entry.table,
        "content": entry.content,
        "status": entry.status,
        "why": entry.unranked,
        "n": entry.n,
        "of": entry.of,
        "baseline": entry.baseline,
        "encoder": entry.encoder,
        "decoder": entry.decoder,
        "modes": entry.modes,
        "nominal": entry.nominal,
        "estimated": entry.rate_kind == ESTIMATED,
        "cells": _figures(entry.cells),
        "overall": short(entry.overall),
        "low": _figures(entry.low),
        "high": _figures(entry.high),
        "fewer": {name: entry.count(name) for name in entry.cells if entry.count(name) != entry.n},
        "ranks": entry.ranks,
        "places": entry.places,
        "among": entry.among_published,
        "bpp": short(entry.bpp),
        "ratio": short(entry.ratio),
        "encode": short(entry.encode_seconds),
        "decode": short(entry.decode_seconds),
        "memory": entry.peak_memory,
    }
    return {
        key: value for key, value in row.items() if value is not None and value is not False and value not in ("", {})
    }


def _figures(values: dict[str, float]) -> dict[str, float]:
    return {name: short(value) for name, value in values.items()}


def seeds_data(targets: list[PageTarget], names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the page's systems with several seeds, [] where there is none. names: of the metrics, in order.

    targets: places among the page's targets. seeds: as text, since a browser's numbers have fewer digits.
    """
    from ..leaderboard.seeds import seed_rows  # numpy, which --help need not wait for

    places = {target.folder: place for place, target in enumerate(targets)}
    ordered = sorted((target.scored for target in targets), key=lambda each: each.name)
    return [
        {
            "name": row.group.name,
            "targets": [places[target.folder] for target in row.group.targets],
            "seeds": [str(seed) for seed in row.group.seeds],
            "mode": row.mode,
            "metric": row.column,
            "n": row.n,
            "mean": short(row.mean),
            "sd": short(row.deviation),
            "least": short(min(row.means)),
            "most": short(max(row.means)),
            **({"low": short(row.low), "high": short(row.high)} if row.low is not None else {}),
        }
        for row in seed_rows(ordered, names, i2t=True)
    ]


def curves_data(targets: list[PageTarget], styles: Mapping[str, Style]) -> list[dict[str, Any]]:
    """The rate-distortion curves of the page's targets, [] where no target has rates."""
    found = curves_of(sorted((target.scored for target in targets), key=lambda each: each.name), styles)
    places = {target.name: place for place, target in enumerate(targets)}
    return [
        {
            "label": curve.label,
            "group": curve.group,
            "codec": curve.codec,
            "modes": curve.through_modes,
            "tone": short(curve.style.tone),
            "points": [
                {
                    "target": places[point.target],
                    "mode": point.mode,
                    "bpp": short(point.bpp),
                    "nominal": point.nominal,
                    "estimated": point.kind == ESTIMATED,
                    "n": point.n,
                    "of": point.of,
                    "values": _figures(point.values),
                    "ends": {name: [short(end) for end in ends] for name, ends in point.ends.items()},
                    "downscaled": point.downscaled,
                }
                for point in curve.points
            ],
        }
        for curve in found
    ]
