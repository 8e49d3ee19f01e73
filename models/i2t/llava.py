"""LLaVA 1.5, converted for transformers: the benchmark's LLAVA row. Which LLaVA was published is not known."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "llava-hf/llava-1.5-7b-hf"
    parameters = 7.1
