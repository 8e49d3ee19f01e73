"""Sana, which has no image-to-image pipeline: text mode only."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers"
    parameters = 4.5
    dtype = "bf16"
    modes = frozenset({"text"})
