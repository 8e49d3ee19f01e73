"""Qwen2.5-VL, the successor of Qwen-VL-Chat."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "Qwen/Qwen2.5-VL-7B-Instruct"
    parameters = 8.3
    dtype = "bf16"
