"""The leaderboard's rows and the rate-distortion curves as the page's data, from the parts of the board that make
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...published import tables
from ...runtime.messages import say
from ..curves import collect
from ..leaderboard import build
from ..leaderboard.entries import Entry, published_entries
from .summary_data import short
from .targets import PageTarget


def lines_data(results: Path, targets: list[PageTarget]) -> list[dict[str, Any]]:
    """Own rows of all images and of each kind of them, ranked among all targets in `results`, then the 18 published
    ones.
    """
    places = {target.folder: place for place, target in enumerate(targets)}
    found = []
    for view in ("", *build.VIEWS):
        found += [
            _line(line, places[line.folder])
            for line in build.collect(results, view, i2t=True)[0]
            if line.folder in places
        ]
    return found + [_line(line, None) for table in (tables.T2I, tables.I2T) for line in published_entries(table)]


def _line(line: Entry, place: int | None) -> dict[str, Any]:
    """A row without what it does not have. target: its place among the page's targets."""
    row = {
        "target": place,
        "name": line.target,
        "mode": line.mode,
        "table": line.table,
        "content": line.content,
        "status": line.status,
        "n": line.n,
        "of": line.of,
        "baseline": line.baseline,
        "encoder": line.encoder,
        "decoder": line.decoder,
        "modes": line.modes,
        "nominal": line.nominal,
        "cells": _figures(line.cells),
        "overall": _figure(line.overall),
        "low": _figures(line.low),
        "high": _figures(line.high),
        "ranks": line.ranks,
        "places": line.places,
        "among": line.among_published,
        "bpp": _figure(line.bpp),
        "ratio": _figure(line.ratio),
        "encode": _figure(line.encode_seconds),
        "decode": _figure(line.decode_seconds),
        "memory": line.peak_memory,
    }
    return {
        key: value for key, value in row.items() if value is not None and value is not False and value not in ("", {})
    }


def _figures(values: dict[str, float]) -> dict[str, float]:
    return {name: short(value) for name, value in values.items()}


def _figure(value: float | None) -> float | None:
    return None if value is None else short(value)


def curves_data(results: Path, targets: list[PageTarget]) -> list[dict[str, Any]]:
    """The rate-distortion curves of the page's targets, [] where no target has rates."""
    try:
        found = collect.collect(results, sorted(target.folder.name for target in targets))
    except BadInput as error:
        say(f"note: the report shows no rate-distortion curves: {error}")
        return []
    return [
        {
            "label": curve.label,
            "group": curve.group,
            "codec": curve.codec,
            "modes": curve.through_modes,
            "points": [
                {
                    "target": point.target,
                    "mode": point.mode,
                    "bpp": short(point.bpp),
                    "nominal": point.nominal,
                    "n": point.n,
                    "of": point.of,
                    "values": _figures(point.values),
                    "downscaled": point.downscaled,
                }
                for point in curve.points
            ],
        }
        for curve in found
    ]
