"""Scored targets that differ in their seed alone, as several seeds of one decode run leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scored

MODES = ("full", "text")


def manifest(seed: Any, modes=MODES, **settings: Any) -> dict[str, Any]:
    """What made a target, with the digests of what its images were made of."""
    made = {"model": "real", "steps": 40, "seed": seed, **settings}
    inputs = {"a": {"prompt": "0" * 16, "guide": None, "size": "8x8"}}
    return {"t2i": "real", "modes": {mode: {"settings": dict(made), "inputs": inputs} for mode in modes}}


def score(seed: int, effect: float, shift: float = 0.0):
    """Scores of a system's seed: `noisy` of the image, and an effect of the seed on all of them."""
    noise = scored.noisy(seed, shift + effect, spread=0.02)
    return lambda mode, metric, place: noise(mode, metric, place)


def write(results: Path, name: str, seed: int, effect: float = 0.0, shift: float = 0.0, settings=None, **more) -> Path:
    """A target of this seed. settings: in which its system differs from another."""
    told = manifest(seed, more.get("modes", MODES), **(settings or {}))
    more = {"modes": MODES, "names": scored.images(5), **more}
    return scored.write(results / name, score(seed, effect, shift), manifest=told, **more)


def system(results: Path, name: str, effects: dict[int, float], **more) -> list[np.ndarray]:
    """A target for each seed, called NAME@seed=SEED. effects: of the seeds. Returns their scores of full topiq_fr."""
    for seed, effect in effects.items():
        write(results, f"{name}@seed={seed}", seed, effect, **more)
    names = more.get("names", scored.images(5))
    shift = more.get("shift", 0.0)
    return [
        np.array([score(seed, effect, shift)("full", "topiq_fr", place) for place in range(len(names))])
        for seed, effect in effects.items()
    ]
