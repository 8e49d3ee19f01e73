"""InternVL 3, converted for transformers."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "OpenGVLab/InternVL3-8B-hf"
    parameters = 7.9
    dtype = "bf16"
