"""Names of curves beside their ends, where a reader looks for them, none above another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FONT = 6.5
GAP = 8.2 / 72  # inches between two names


def label_ends(panel: Any, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write names to the right of a panel, each at the height of its curve's end, moved apart where they would meet.

    ends: (rate, value, name, colour) of each curve's last point; the panel's limits are final.
    """
    height = panel.get_position().height * panel.figure.get_figheight()
    to_axes = panel.transData + panel.transAxes.inverted()
    heights = [float(to_axes.transform((rate, value))[1]) for rate, value, *_ in ends]
    for place, (rate, value, name, colour) in zip(spaced(heights, GAP / height), ends):
        note = panel.annotate(
            "-",
            (rate, value),
            xytext=(1.03, place),
            textcoords="axes fraction",
            color=colour,
            fontsize=FONT,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3},
        )
        note.set_text(name)


def spaced(wanted: Sequence[float], gap: float) -> list[float]:
    """Heights as near to the wanted ones as a gap between any two allows, in the same order; in 0 to 1 where all fit.

    Neighbours that are too near become a block about their common middle, which grows as it meets others.
    """
    order = sorted(range(len(wanted)), key=lambda each: wanted[each])
    blocks: list[tuple[float, list[int]]] = []  # (middle, members from below)
    for each in order:
        blocks.append((wanted[each], [each]))
        while len(blocks) > 1 and _top(blocks[-2], gap) + gap > _bottom(blocks[-1], gap):
            (low, below), (high, above) = blocks[-2:]
            members = below + above
            middle = (low * len(below) + high * len(above)) / len(members)
            blocks[-2:] = [(middle, members)]
    found = [0.0] * len(wanted)
    for block in blocks:
        for nth, each in enumerate(block[1]):
            found[each] = _bottom(block, gap) + nth * gap
    lowest, highest = min(found, default=0.0), max(found, default=0.0)
    if len(wanted) * gap <= 1 and (lowest < 0 or highest > 1):  # pushed out at an end: squeeze what is there
        return _inside(found, order, gap)
    return found


def _bottom(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] - (len(block[1]) - 1) * gap / 2


def _top(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] + (len(block[1]) - 1) * gap / 2


def _inside(found: list[float], order: list[int], gap: float) -> list[float]:
    placed = list(found)
    least = 0.0
    for each in order:
        placed[each] = least = max(placed[each], least)
        least += gap
    most = 1.0
    for each in reversed(order):
        placed[each] = most = min(placed[each], most)
        most -= gap
    return placed
