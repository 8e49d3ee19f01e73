"""LLaVA-OneVision."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "llava-hf/llava-onevision-qwen2-7b-ov-hf"
    parameters = 8.0
