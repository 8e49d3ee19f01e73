"""The adapter: mPLUG-Owl2's prompt, pictures and published sampling; loading and asking are shared with its kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base import ModelError
from .._native import Model as Native
from .._native import Sampling, squashed
from . import layout
from .pieces import Pieces

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from .network import Owl2

LONGEST_SIDE = 1 << 14  # px; such a picture is squared first, which then takes 0.8 GB


class Model(Native):
    """mPLUG-Owl2 of Llama 2, greedy as every encoder here; its authors' example samples."""

    licence = (
        "mPLUG-Owl2: MIT (code) and Apache-2.0 (weights), on Llama 2, whose own licence holds too:"
        " https://ai.meta.com/llama/license/"
    )
    published = Sampling(top_p=1.0, top_k=50, temperature=0.7, tokens=512)  # README of X-PLUG/mPLUG-Owl, mPLUG-Owl2

    def _refuse_name(self, name: str) -> None:
        if not Path(name).expanduser().is_dir():  # a folder is judged by its config.json
            layout.refuse_name(name)

    def _recognises(self, config: dict[str, Any]) -> bool:
        return layout.recognises(config)

    def _check(self, name: str, config: dict[str, Any], folder: Path) -> None:
        layout.check(name, config, folder)
        self.side = layout.image_size(config)

    def _tokenizer(self, config: dict[str, Any], folder: Path) -> Pieces:
        return Pieces(folder, int(config["vocab_size"]))

    def _network(self, config: dict[str, Any], folder: Path, device: str, dtype: torch.dtype, convert: bool) -> Owl2:
        return layout.load(config, folder, device, dtype, convert)

    def _prompt(self, question: str) -> list[int]:
        """Text before and after the image are encoded apart, so that each begins with a space of its own."""
        from .network import IMAGE

        pieces: Pieces = self.processor.tokenizer
        before, after = pieces.ids("USER: "), pieces.ids(f"{question} ASSISTANT:")
        return [pieces.bos_token_id, *before, *[IMAGE] * self.model.image_tokens, *after]

    def _pixels(self, image: Image.Image) -> torch.Tensor:
        """The whole picture, its aspect not kept: first to a square of its longest side, as the authors do."""
        longest = max(image.size)
        if longest > LONGEST_SIDE:
            raise ModelError(f"the image is {image.width}x{image.height} px, the longest side may be {LONGEST_SIDE}.")
        return squashed(image.convert("RGB").resize((longest, longest)), self.side)
