"""Qwen-VL-Chat, the published default encoder, from its authors' files. Other Qwen checkpoints run by --model_dir."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import sources
from ._native import Model as Family
from ._native import Sampling, squashed
from ._qwen import layout
from ._qwen.tokenizer import NAME, Tokenizer

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from ._qwen.network import QwenVL


class Model(Family):
    default_dir = "Qwen/Qwen-VL-Chat"
    parameters = 9.6
    licence = (
        "Qwen-VL-Chat's weights are under the Tongyi Qianwen LICENSE AGREEMENT, which asks for a licence of its own "
        "above 100 million monthly users."
    )
    published = Sampling(top_p=0.3, temperature=1.0, tokens=512)  # generation_config.json of the checkpoint
    own_files = (NAME,)

    def _refuse_name(self, name: str) -> None:
        source = sources.parse(name)
        if source.on_hub:  # a folder is judged by its files
            layout.refuse_name(source.name)

    def _recognises(self, config: dict[str, Any]) -> bool:
        return layout.recognises(config)

    def _check(self, name: str, config: dict[str, Any], folder: Path) -> None:
        layout.check(name, config, folder)

    def _tokenizer(self, config: dict[str, Any], folder: Path) -> Tokenizer:
        return Tokenizer(folder / NAME)

    def _network(self, config: dict[str, Any], folder: Path, device: str, dtype: torch.dtype, convert: bool) -> QwenVL:
        special = self.processor.tokenizer.special
        network = layout.load(config, folder, special["<imgpad>"], device, dtype, convert)
        ends = [special[token] for token in ("<|im_end|>", "<|im_start|>", "<|endoftext|>")]
        network.generation_config.eos_token_id = ends
        self.side = layout.image_size(config)
        return network

    def _prompt(self, question: str) -> list[int]:
        """The published script's: no "Picture 1:", nothing between the image and the question."""
        tokenizer = self.processor.tokenizer
        special, encode = tokenizer.special, tokenizer.encode
        start, end, line = [special["<|im_start|>"]], [special["<|im_end|>"]], encode("\n")
        image = [special["<img>"], *[special["<imgpad>"]] * layout.QUERIES, special["</img>"]]
        system = [*start, *encode("system"), *line, *encode("You are a helpful assistant."), *end, *line]
        user = [*start, *encode("user"), *line, *image, *encode(question), *end, *line]
        return [*system, *user, *start, *encode("assistant"), *line]

    def _pixels(self, image: Image.Image) -> torch.Tensor:
        return squashed(image, self.side)
