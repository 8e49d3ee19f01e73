"""Stable Diffusion XL, base model."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "stabilityai/stable-diffusion-xl-base-1.0"
    parameters = 3.5
