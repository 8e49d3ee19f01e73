"""FLUX.2 klein base 4B, which edits the reference as the prompt says. It takes no strength and has no pixel mode.

The larger FLUX.2 checkpoints run by --model_dir: black-forest-labs/FLUX.2-klein-base-9B, black-forest-labs/FLUX.2-dev.
Those without "base" or "dev" in their names are distilled to 4 steps, not the benchmark's 40.
"""

from ._diffusers.edit import Model as Family


class Model(Family):
    default_dir = "black-forest-labs/FLUX.2-klein-base-4B"
    parameters = 8.0
    dtype = "bf16"
    modes = frozenset({"full", "image", "text"})  # without a reference it makes a picture from the prompt alone
