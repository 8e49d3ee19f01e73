"""The CSV tables of this program: rows read strictly, rows written whole, and cells as numbers."""

from __future__ import annotations

import math


def whole(text: str) -> int:
    """A cell of a table of rates as a whole number, 0 <= n < 2**63. Raises ValueError."""
    value = int(text)
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{text[:40]} is no count")
    return value


def seconds(text: str) -> float | None:
    """A cell of a table of rates as a time, None of an empty one. Raises ValueError."""
    value = float(text) if text else None
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text} is no time")
    return value
