"""Stable Diffusion 1.5."""

from ._diffusers import Model as Family


class Model(Family):
    # A mirror: the repository that the published script names, runwayml/stable-diffusion-v1-5, has left the hub.
    default_dir = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    parameters = 1.1
