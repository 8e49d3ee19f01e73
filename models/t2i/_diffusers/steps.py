"""Whether a scheduler can make the steps that are asked for: those of distilled checkpoints know only a few."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ...base import ModelError

FEW = "original_inference_steps"  # in the configuration of schedulers that choose among the steps of a training


def check(pipes: Mapping[str, Any], steps: int, strengths: Iterable[tuple[str, float | None]]) -> None:
    """Raise ModelError, with a number that works, where a mode would have no step or more than its scheduler knows.

    pipes: "text" and "image" -> pipeline. strengths: of each mode its img2img strength, None for none.
    """
    for mode, strength in strengths:
        pipe = pipes["text" if mode == "text" else "image"]
        if strength and int(steps * strength) < 1:
            least = math.ceil(1 / strength)
            raise ModelError(
                f"--steps {steps} x --strength {strength:g} (mode {mode}) leaves no step: give --steps {least} or more."
            )
        if _works(pipe, steps, strength):
            continue
        best = next((count for count in range(steps - 1, 0, -1) if _works(pipe, count, strength)), None)
        at = f" at strength {strength:g}" if strength else ""
        remedy = f"give --steps {best}" if best else "give a larger --strength"
        name = type(pipe).__name__
        raise ModelError(f"--steps {steps}{at} (mode {mode}): the scheduler of this {name} has fewer: {remedy}.")


def _works(pipe: Any, steps: int, strength: float | None) -> bool:
    """Whether the pipeline's scheduler takes so many steps, as the pipeline asks it."""
    config = getattr(pipe.scheduler, "config", {})
    if FEW not in config:
        return steps <= (config.get("num_train_timesteps") or steps)
    asks_with_strength = type(pipe).__name__.startswith("LatentConsistency") and strength
    try:
        scheduler = copy.deepcopy(pipe.scheduler)
        scheduler.set_timesteps(steps, **({"strength": strength} if asks_with_strength else {}))
    except ValueError:
        return False
    return True
