"""Gemma 3; on the hub it asks for a licence."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "google/gemma-3-4b-it"
    parameters = 4.3
    dtype = "bf16"
