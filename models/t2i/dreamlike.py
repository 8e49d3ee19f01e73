"""Dreamlike Photoreal 2.0, a Stable Diffusion 1.5 for photographs."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "dreamlike-art/dreamlike-photoreal-2.0"
    parameters = 1.1
