"""Rate control: the finest coding of a picture within a budget of bits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from ..errors import RunFailed
from .base import Codec, NoRoom

SCALES = (1, 2, 4)  # what a picture's sides may be divided by where its codec cannot go as low as the budget
ENOUGH = 0.8  # of a budget; where less is used, finer levels are tried too, since some codecs' bits do not only grow
TRIED = 4  # levels beyond the first that is over the budget
FIRST_STEP = 8  # levels above the coarsest
LINES = 2  # drawn before the interval must have halved; then it is halved


@dataclass(frozen=True)
class Coded:
    """A picture after rate control: its stream, the level, what its sides were divided by, and its bits.

    seconds: wall clock of this encoding, without the search for it.
    """

    stream: bytes
    level: int
    scale: int
    bits: int
    seconds: float = field(default=0.0, compare=False)


class Search:
    """Codings of one RGB picture by one codec. Each level is coded once, however many budgets ask for it."""

    def __init__(self, codec: Codec, image: Image.Image, stopped: Callable[[], bool] = lambda: False) -> None:
        """stopped: asked before each encoding; True ends the search with RunFailed."""
        self.codec, self.image, self.stopped = codec, image, stopped
        self._tried: dict[tuple[int, int], Coded | None] = {}
        self._pictures = {1: image}

    def within(self, budget: float, scales: tuple[int, ...] = SCALES) -> Coded:
        """The finest coding within `budget` bits. What it is depends on no other budget that was asked for.

        Where the codec's coarsest level is over the budget, the picture is first downscaled (`Coded.scale` says so).
        Where that is not enough either, the smallest coding found is returned and is over the budget.
        """
        found: list[Coded] = []
        for scale in scales:
            coarsest = self.coded(0, scale)
            if coarsest is None:
                raise NoRoom(f"{self.codec.name} has no room for this picture at its coarsest level")
            if coarsest.bits <= budget:
                return self._finest_within(budget, coarsest)
            found.append(coarsest)
        return min(found, key=lambda coded: coded.bits)

    def coded(self, level: int, scale: int = 1) -> Coded | None:
        """The coding at a level, None where the codec has no room for it."""
        key = (scale, level)
        if key not in self._tried:
            if self.stopped():
                raise RunFailed("interrupted")
            try:
                self._tried[key] = timed(self.codec, self._picture(scale), self.codec.settings[level], level, scale)
            except NoRoom:
                self._tried[key] = None
        return self._tried[key]

    def _picture(self, scale: int) -> Image.Image:
        if scale not in self._pictures:
            self._pictures[scale] = scaled_down(self.image, scale)
        return self._pictures[scale]

    def _finest_within(self, budget: float, best: Coded) -> Coded:
        """Search for the finest level within the budget, from `best`, which is within it.

        The next level is where a curve through the last two codings meets the budget: a few encodings close to it
        instead of several far above it, which cost an encoder the most time.
        """

        def fits(trial: Coded | None) -> bool:
            return trial is not None and trial.bits <= budget

        finest, scale = self.codec.finest, best.scale
        low, high = best.level, finest + 1  # low fits; high does not, or is past the end
        before, over = None, None  # the coding that fitted before `best`, and the one at `high`
        lines, wide = 0, high - low  # lines drawn since low and high were `wide` apart
        while high - low > 1:
            if 2 * (high - low) <= wide:
                lines, wide = 0, high - low
            if over is not None and lines < LINES:
                step, lines = _levels(best, over, budget, high - low - 1), lines + 1
            elif high <= finest:
                step = (high - low) // 2
            elif before is not None:
                step = _levels(before, best, budget, 4 * (best.level - before.level))
            else:
                step = FIRST_STEP
            trial = self.coded(min(low + max(1, step), high - 1), scale)
            if trial is not None and fits(trial):
                before, best, low = best, trial, trial.level
            else:
                over, high = trial, min(low + max(1, step), high - 1)
        if best.bits < ENOUGH * budget:
            beyond = (self.coded(level, scale) for level in range(high + 1, min(high + 1 + TRIED, finest + 1)))
            fitting = [coded for coded in beyond if coded is not None and fits(coded)]
            best = max([best, *fitting], key=lambda coded: (coded.bits, coded.level))
        return best


def _levels(first: Coded, second: Coded, budget: float, most: int) -> int:
    """How far above the last coding that fits the budget is reached, 0 to `most` levels.

    Between two codings: the mean of what a line through the bits and one through their logarithms say, since codecs lie
    between the two. Beyond both: by the logarithms, and a level more, so that it soon lies between two.
    """
    if not 0 < first.bits < second.bits:
        return most
    growth, apart = math.log(second.bits / first.bits), second.level - first.level
    if second.bits <= budget:
        return min(most, 1 + int(math.log(budget / second.bits) / growth * apart))
    line = (budget - first.bits) / (second.bits - first.bits)
    return min(most, int((line + math.log(budget / first.bits) / growth) / 2 * apart))


def timed(codec: Codec, picture: Image.Image, setting: float, level: int, scale: int) -> Coded:
    """Code a picture, already downscaled by `scale`, with the time that it took."""
    begun = time.perf_counter()
    stream = codec.compress(picture, setting)
    return Coded(stream, level, scale, codec.bits(stream), time.perf_counter() - begun)


def to_budget(codec: Codec, image: Image.Image, budget: float) -> Coded:
    """The finest coding of an RGB picture within `budget` bits, see Search.within."""
    return Search(codec, image).within(budget)


def decoded(codec: Codec, coded: Coded, size: tuple[int, int]) -> Image.Image:
    """The picture of `size` (width, height) that a decoder gets from `coded`."""
    picture = codec.decode(coded.stream, scaled(size, coded.scale))
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def scaled(size: tuple[int, int], scale: int) -> tuple[int, int]:
    """(width, height) divided by `scale`, rounded up."""
    return -(-size[0] // scale), -(-size[1] // scale)


def scaled_down(image: Image.Image, scale: int) -> Image.Image:
    """A picture with its sides divided by `scale`."""
    return image if scale == 1 else image.resize(scaled(image.size, scale), Image.Resampling.LANCZOS)
