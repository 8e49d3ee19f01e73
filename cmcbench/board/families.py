"""How targets are told apart in charts: the hue is the family's (a decoder, a codec), the lightness the rate within it.

The figures and the page take it from here. page.css has these colours as --c0 to --c7, and others for the dark scheme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files import untrusted
from ..files.untrusted import LARGEST_SUMMARY, Unusable
from . import summaries
from .scored import folders
from .summaries import Summary

PALETTE = ("#3651d4", "#c2410c", "#0f766e", "#9333ea", "#a16207", "#be185d", "#0369a1", "#4d7c0f")
MARKS = ("circle", "rect", "triangle", "rectRot")  # by Chart.js's names
INK, PAPER = "#16191d", "#ffffff"  # what dark and light shades are mixed with
DEEPEST = 0.4  # of ink or paper in the outermost shades; more would leave the hue or the contrast


@dataclass(frozen=True)
class Style:
    """place: of the family among all families, sorted. tone: 0 for the family's own colour, 1 for its lightest shade
    (the lowest rate), -1 for its darkest.
    """

    family: str
    place: int = 0
    tone: float = 0.0

    @property
    def colour(self) -> str:
        """Hexadecimal, on white."""
        return shade(PALETTE[self.place % len(PALETTE)], self.tone)

    @property
    def mark(self) -> str:
        """With the hue it tells 32 families apart."""
        return MARKS[(self.place + self.place // len(PALETTE)) % len(MARKS)]


def shade(colour: str, tone: float) -> str:
    """A colour mixed with paper for a tone above 0, with ink below."""
    share, other = DEEPEST * abs(tone), PAPER if tone > 0 else INK
    one, two = ([int(each[at : at + 2], 16) for at in (1, 3, 5)] for each in (colour, other))
    return "#" + "".join(f"{round((1 - share) * mine + share * its):02x}" for mine, its in zip(one, two))


def family(name: str, summary: Summary | None = None) -> str:
    """The decoder or codec that made a target, without a revision, else what its name begins with: real of
    real+qwen@strength=0.3.
    """
    known = summary.decoder.partition("@")[0] if summary else ""
    return known or name.partition("@")[0].partition("+")[0] or name


def styles(summaries: Mapping[str, Summary | None]) -> dict[str, Style]:
    """A style for each target by its name. summaries: of all targets of a results folder, so that a choice among them
    changes no colour; None where there is none to read.
    """
    members: dict[str, list[str]] = {}
    for name, summary in summaries.items():
        members.setdefault(family(name, summary), []).append(name)
    found = {}
    for place, (each, names) in enumerate(sorted(members.items())):
        ordered = sorted(names, key=lambda name: (_rate(summaries[name]), name))
        for nth, name in enumerate(ordered):
            found[name] = Style(each, place, 1 - 2 * nth / (len(names) - 1) if len(names) > 1 else 0.0)
    return found


def styles_of(results: Path) -> dict[str, Style]:
    """The styles of a results folder's targets, from their summaries alone; nothing is said of what cannot be read."""
    return styles({folder.name: _summary(folder) for folder in folders(results)})


def _summary(folder: Path) -> Summary | None:
    try:
        return summaries.parse(untrusted.json_object(untrusted.read_bytes(folder / "summary.json", LARGEST_SUMMARY)))
    except Unusable:
        return None


def _rate(summary: Summary | None) -> float:
    """Mean bits per pixel over the modes whose rate is known; infinite where none is."""
    rates = [mode.bpp for mode in summary.modes.values() if mode.bpp is not None] if summary else []
    return math.fsum(rates) / len(rates) if rates else math.inf
