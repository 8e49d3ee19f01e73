"""Qwen-VL-Chat, the published default, which cannot run here: without --model_dir its successor runs, under its own
name.
Other Qwen checkpoints run by --model_dir."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "Qwen/Qwen-VL-Chat"
    parameters = 9.6
    runs_instead = "qwen2.5-vl"
    why_instead = (
        "Qwen-VL-Chat, the published encoder, does not run here: its remote code fails in generate under transformers 5"
    )
