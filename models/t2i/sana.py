"""Sana 1.5, which has no image-to-image pipeline: text mode only."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers"
    parameters = 4.5
    dtype = "bf16"
    modes = frozenset({"text"})
