"""Qwen-Image-Edit of November 2025, which edits the reference as the prompt says. It takes no strength."""

from typing import Any

from ._diffusers.edit import Model as Family


class Model(Family):
    default_dir = "Qwen/Qwen-Image-Edit-2511"
    parameters = 28.9
    dtype = "bf16"
    modes = frozenset({"full", "image"})

    def load(self, *args: Any, negative_prompt: str | None = None, **options: Any) -> None:
        # Its guidance works against a negative prompt only; a blank is what its model card gives
        super().load(*args, negative_prompt=" " if negative_prompt is None else negative_prompt, **options)
