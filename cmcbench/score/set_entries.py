"""Measures of whole sets as summary.json keeps them."""

from __future__ import annotations

import math
from typing import Any

from .journal import Made

Sets = dict[str, dict[str, dict[str, Any]]]  # mode -> measure of its whole set -> its entry in the summary


def set_entry(made: Made) -> dict[str, Any]:
    """The summary's entry of a measure; "low" and "high", of its interval, where it has one."""
    ends = {} if made.low is None or made.high is None else {"low": made.low, "high": made.high}
    return {"mean": made.value, "n": made.n, "set": True, "digest": made.made_of, **ends}


def read_sets(mode: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The measures of a whole set in a mode of a summary. Raises TypeError or ValueError for a broken one."""
    found = {name: each for name, each in mode.get("metrics", {}).items() if each.get("set") is True}
    for name, each in found.items():
        whole = isinstance(each["n"], int) and isinstance(each["digest"], str)
        if not whole or not all(math.isfinite(each.get(end, each["mean"])) for end in ("mean", "low", "high")):
            raise ValueError(f"{name} is no measure of a set")
    return found
