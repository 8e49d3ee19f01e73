"""LLaVA 1.5 as transformers reads it, the benchmark's LLAVA row (which checkpoint of LLaVA it used is not published)."""

from . import _transformers


class Model(_transformers.Model):
    default_dir = "llava-hf/llava-1.5-7b-hf"
