"""Qwen-VL. The published default, Qwen-VL-Chat, is refused with its successors' names; those run by --model_dir."""

from . import _transformers


class Model(_transformers.Model):
    default_dir = "Qwen/Qwen-VL-Chat"
    parameters = 9.6
