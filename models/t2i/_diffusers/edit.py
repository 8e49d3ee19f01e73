"""What the edit models of the diffusers family share: the guide is edited as the prompt says, without a strength."""

from __future__ import annotations

from ...base import ModelError
from .model import Model as Family


class Model(Family):
    # Known before the checkpoint is looked at, so that a wrong mode is refused without importing diffusers.
    modes = frozenset({"full", "image"})
    accepts_strength = False

    def inspect(self, model_dir: str | None) -> None:
        super().inspect(model_dir)
        if self.accepts_strength:  # the folder of another model: its pictures would pass for this one's
            raise ModelError(f"{self._checkpoint[0]} is no edit model: give another --model_dir or --model_name.")
        self.modes = type(self).modes & self.modes
