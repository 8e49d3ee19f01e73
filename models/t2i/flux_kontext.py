"""FLUX.1 Kontext, which edits the reference as the prompt says. It takes no strength and has no pixel mode."""

from ._diffusers.edit import Model as Family


class Model(Family):
    default_dir = "black-forest-labs/FLUX.1-Kontext-dev"
    parameters = 16.9
    dtype = "bf16"
    modes = frozenset({"full", "image", "text"})  # without a reference it makes a picture from the prompt alone
