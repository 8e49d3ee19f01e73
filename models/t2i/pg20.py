"""Playground 2.0, an SDXL of its own training."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "playgroundai/playground-v2-1024px-aesthetic"
    parameters = 3.5
