"""InstructPix2Pix, which edits the reference as the prompt says. It takes no strength and has no text or pixel mode."""

from typing import Optional

from ..base import ModelError
from ._diffusers import Model as Family


class Model(Family):
    default_dir = "timbrooks/instruct-pix2pix"
    parameters = 1.1
    # Known before the checkpoint is looked at, so that a wrong mode is refused without importing diffusers.
    modes = frozenset({"full", "image"})
    accepts_strength = False

    def inspect(self, model_dir: Optional[str]) -> None:
        super().inspect(model_dir)
        if self.accepts_strength:  # the folder of another model: its pictures would pass for InstructPix2Pix's
            raise ModelError(f"{self._checkpoint[0]} is no edit model like InstructPix2Pix: give another --model_name.")
        self.modes = type(self).modes & self.modes
