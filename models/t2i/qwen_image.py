"""Qwen-Image."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "Qwen/Qwen-Image"
    parameters = 28.9
    dtype = "bf16"
