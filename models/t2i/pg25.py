"""Playground 2.5, an SDXL with the EDM scheduler and normalised latents."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "playgroundai/playground-v2.5-1024px-aesthetic"
    parameters = 3.5
