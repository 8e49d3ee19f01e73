"""Sweeps: several points of one curve, and several seeds, each a result of its own, from one load of the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.base import T2IModel

from ..errors import BadInput
from ..files.names import SEED_MARK
from ..files.references import ReferenceRate, references_at
from ..protocol import SEED, Mode
from ..runtime.messages import say


@dataclass(frozen=True)
class SweepPoint:
    """One point of a sweep, or all there is without one. suffix: what its result's name ends with, "" where there is
    one result alone.

    strength: 0 for the mode's own. references: the folder with image/ and pixel/. bpp: the budget they were made with.
    swept: the flag that has several points, "" without a sweep; seeds are none, as they mean something to every mode.
    """

    suffix: str
    strength: float
    references: Path
    bpp: float | None = None
    swept: str = ""
    seed: int = SEED


def points(
    strengths: Sequence[float], rates: Sequence[float] | None, seeds: Sequence[int], references: str
) -> list[SweepPoint]:
    """The points that --strength and --bpp ask for, each with every one of --seed. Raises BadInput for an invalid
    strength, for two sweeps at once and for values that share a name.
    """
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise BadInput(f"--seed: {seed} is given {seeds.count(seed)} times. Give each seed once.")
    found = _swept(strengths, rates, Path(references))
    if len(seeds) == 1:
        return [replace(point, seed=seeds[0]) for point in found]
    return [replace(point, suffix=f"{point.suffix}{SEED_MARK}{seed}", seed=seed) for point in found for seed in seeds]


def check_takes_seeds(points: Sequence[SweepPoint], model: T2IModel, name: str) -> None:
    """Refuse several seeds of a decoder that draws nothing, before anything is loaded. Raises BadInput."""
    if len({point.seed for point in points}) > 1 and not model.accepts_seed:
        raise BadInput(
            f"--seed has several values, and {name} draws nothing at random: all results would hold the same pictures."
            " Give one, or leave it out."
        )


def _swept(strengths: Sequence[float], rates: Sequence[float] | None, folder: Path) -> list[SweepPoint]:
    for strength in strengths:
        if not (math.isfinite(strength) and 0 <= strength <= 1):
            raise BadInput(f"--strength {strength}: must be above 0 and up to 1, or 0 for the mode's own.")
    if rates is None and len(strengths) == 1:
        return [SweepPoint("", strengths[0], folder)]
    if rates is not None and len(strengths) > 1:
        raise BadInput("--strength and --bpp both have several points. Sweep one of them, with one value of the other.")
    if rates is not None:
        _check_names("--bpp", rates)
        return [
            SweepPoint(f"@bpp={rate:g}", strengths[0], references_at(folder, rate), rate, "--bpp") for rate in rates
        ]
    _check_names("--strength", strengths)
    if 0 in strengths:
        raise BadInput(
            "--strength 0 is another strength in each mode and no point of a sweep. Give the strength itself."
        )
    return [SweepPoint(f"@strength={strength:g}", strength, folder, swept="--strength") for strength in strengths]


def _check_names(flag: str, values: Sequence[float]) -> None:
    names = [f"{value:g}" for value in values]
    for name, value in zip(names, values):
        if names.count(name) > 1:
            raise BadInput(f"{flag}: {name} is given {names.count(name)} times; a result is named by six digits of it.")
        if float(name) != value:
            raise BadInput(f"{flag} {value!r}: has more than the six digits that name a result.")


def narrowed(modes: list[Mode], asked: str, points: list[SweepPoint], model: T2IModel) -> list[Mode]:
    """The modes that a sweep means something to: --mode all leaves the others out, with a note. Raises BadInput where
    none is left.
    """
    flag = points[0].swept
    if not flag:
        return modes
    if flag == "--bpp":
        kept, why = [mode for mode in modes if mode.reference == "image"], "a reference picture"
    else:
        taking = [mode for mode in modes if mode.strength is not None] if model.accepts_strength else []
        kept, why = taking, "a strength"
    if not kept:
        raise BadInput(
            f"{flag} is swept, and this decoder takes {why} in no mode of --mode {asked}. Leave {flag} out, or choose"
            " another."
        )
    if left := [mode.name for mode in modes if mode not in kept]:
        say(f"note: {', '.join(left)} mode takes no part in the sweep: it does not have {why}.")
    return kept


def check_references(point: SweepPoint, rates: dict[tuple[str, str], ReferenceRate]) -> None:
    """Refuse references of a sweep over bpp that were not made with its budget: their rates would be taken for it."""
    budgets = {rate.budget for rate in rates.values() if rate.reference == "image"}
    if point.bpp is not None and budgets != {f"{point.bpp:g}"}:
        found = f"were made with {', '.join(sorted(budgets))}" if budgets else "have no rows in rate.csv"
        raise BadInput(
            f"--bpp {point.bpp:g}: the image references in {point.references} {found}. Make them with: python"
            f" script-i2t.py --model_name none --references --ref_dir {point.references} --bpp {point.bpp:g}"
        )
