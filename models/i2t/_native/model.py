"""What an encoder read from its authors' files shares with others of its kind; the rest is the transformers family."""

from __future__ import annotations

import sys
from abc import abstractmethod
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ... import sources
from ...base import ModelError, first_line
from .._budget import Budget
from .._transformers import Model as Family
from .._transformers import template
from .._transformers.checkpoint import SMALL_FILES, fetch, hush, pinned, read_config
from .sampling import Draws, Sampling, image_seed

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from transformers import BatchFeature, PreTrainedModel

WEIGHTS = ["pytorch_model*", "model*.safetensors*"]
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def squashed(image: Image.Image, side: int) -> torch.Tensor:
    """(3, side, side), float32, CLIP's normalisation: the whole picture, bicubic, its aspect not kept."""
    import numpy as np
    import torch
    from PIL import Image

    pixels = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
    scaled = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    return (scaled - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_STD)[:, None, None]


class Model(Family):
    """Loads, asks and reads as the family does. Subclasses say which files are theirs and what network reads them."""

    converts = True
    licence: str = ""  # of the weights, said at each load
    published: Sampling | None = None
    own_files: tuple[str, ...] = ()  # small files beyond the usual, such as a tokenizer of its own format
    own = False  # whether the checkpoint is the authors'; another one is the family's, in all that follows
    sampling: Sampling | None = None  # that in use, None: greedy

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, **options: Any) -> None:
        """Load, then prove that images arrive. Raises ModelError.

        Options used: seed (int), convert (bool: keep pickled weights as safetensors), sampling ("greedy" or
        "published"), max_tokens (int or None), no_probe (bool), prompt (str) and words (int); for a checkpoint that is
        not the authors' those of the family.
        """
        if options.get("command"):
            raise ModelError("--command: this model runs here, without a program. To use yours, --model_name command.")
        name = model_dir or str(self.default_dir)
        self._refuse_name(name)
        folder = fetch(name, [*SMALL_FILES, *self.own_files])
        self.revision = sources.commit_of(folder)
        config, name = read_config(folder), pinned(name, folder)
        sampling = options.get("sampling") or "greedy"
        self.own = self._recognises(config)
        if not self.own:
            if sampling != "greedy":
                raise ModelError(f"{name} has no published sampling: leave out --sampling {sampling}.")
            if options.get("convert"):
                raise ModelError(f"{name} has no pickled weights that could be kept: leave out --convert.")
            return super().load(model_dir, device, dtype, **options)
        self._check(name, config, folder)
        folder = fetch(name, [*SMALL_FILES, *self.own_files, *WEIGHTS])
        print(f"note: {self.licence}", file=sys.stderr)
        hush()
        self.network(config, folder, device, dtype, bool(options.get("convert")))
        self.sampling = self.published if sampling == "published" else None
        self.seed = int(options.get("seed") or 0)
        self._be_greedy()
        self._budget, self._opening, self._special = Budget(options.get("max_tokens")), "", set()
        asked = self._prompt(self._request(options.get("prompt") or "What is it?", options.get("words") or 10))
        self.identity = {"sampling": sampling, "rendered_prompt": template.digest(" ".join(map(str, asked)))}
        if not options.get("no_probe"):
            self._prove_sight(name)

    def network(self, config: dict[str, Any], folder: Path, device: str, dtype: torch.dtype, convert: bool) -> None:
        """Read network and tokenizer. A device without memory for them is a ModelError."""
        tokenizer = self._tokenizer(config, folder)
        self.processor, self.template = SimpleNamespace(tokenizer=tokenizer), ""  # prompts are written by _prompt
        try:
            self.model = self._network(config, folder, device, dtype, convert)
        except ModelError:
            raise
        except (RuntimeError, MemoryError) as error:  # torch's out-of-memory errors are RuntimeErrors
            raise ModelError(
                f"{folder} does not load on {device} as {dtype}: {first_line(error)}. Is there memory?"
            ) from error

    @abstractmethod
    def _refuse_name(self, name: str) -> None:
        """Raise ModelError for a sibling that its name alone gives away, before anything is read or downloaded."""

    @abstractmethod
    def _recognises(self, config: dict[str, Any]) -> bool:
        """Whether config.json is the authors'; any other checkpoint goes to the transformers family."""

    @abstractmethod
    def _check(self, name: str, config: dict[str, Any], folder: Path) -> None:
        """Raise ModelError for what is not the one design that the network is written for. No weights are read."""

    @abstractmethod
    def _tokenizer(self, config: dict[str, Any], folder: Path) -> Any:
        """What has bos_token_id, eos_token_id, pad_token_id and decode(ids, skip_special_tokens) -> str."""

    @abstractmethod
    def _network(
        self, config: dict[str, Any], folder: Path, device: str, dtype: torch.dtype, convert: bool
    ) -> PreTrainedModel:
        """The network with all its weights; its generation_config names the ids that end a caption."""

    @abstractmethod
    def _prompt(self, question: str) -> list[int]:
        """The ids of a whole prompt with a place for each of the image's tokens."""

    @abstractmethod
    def _pixels(self, image: Image.Image) -> torch.Tensor:
        """(3, side, side), float32, normalised."""

    def _inputs(self, images: list[Image.Image], prompt: str) -> BatchFeature:
        """What `generate` gets: one prompt for all images, so that no row is padded."""
        import torch
        from transformers import BatchFeature, LogitsProcessorList

        if not self.own:
            return super()._inputs(images, prompt)
        ids = torch.tensor([self._prompt(prompt)] * len(images))
        pixels = torch.stack([self._pixels(image) for image in images])
        batch = BatchFeature({"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels})
        batch = batch.to(self.model.device, self.model.dtype)
        if self.sampling:
            draws = Draws(self.sampling, [image_seed(self.seed, image) for image in images])
            batch["logits_processor"] = LogitsProcessorList([draws])
        return batch

    def _room(self, prompt_tokens: int) -> int:
        room = super()._room(prompt_tokens)
        return min(room, self.sampling.tokens) if self.sampling else room
