"""FLUX.1 dev."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "black-forest-labs/FLUX.1-dev"
    parameters = 16.9
    dtype = "bf16"
