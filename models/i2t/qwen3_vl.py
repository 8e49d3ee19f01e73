"""Qwen3-VL."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "Qwen/Qwen3-VL-8B-Instruct"
    parameters = 8.8
    dtype = "bf16"
