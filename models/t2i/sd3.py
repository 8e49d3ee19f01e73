"""Stable Diffusion 3.5 medium."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "stabilityai/stable-diffusion-3.5-medium"
    parameters = 8.1  # 4.8 of them T5's
