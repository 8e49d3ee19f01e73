"""CLIPSIM: how alike CLIP finds a reconstruction and its ground truth.

The cosine of the angle between the two image embeddings of CLIP (Radford et al., Learning transferable visual models
from natural language supervision, ICML 2021), each picture prepared as the checkpoint's processor says: the short side
resized to 224 pixels, the middle square cut out. The benchmark's paper names the metric and no checkpoint; ViT-B/32 is
the usual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ImageProblem, RunFailed, first_line
from ...files.manifest import checkpoint
from .base import AtOnce, Metric
from .pairs import Pair, Pairs, Picture

if TYPE_CHECKING:
    from PIL import Image


DEFAULT_CLIP = "openai/clip-vit-base-patch32"
BATCH = 16  # pictures of 224x224 at once


class ClipImages(Metric):
    """What metrics made of CLIP share. model: a folder or a name on the hub of a CLIP checkpoint in safetensors."""

    def __init__(self, model: str = DEFAULT_CLIP) -> None:
        self.model = model
        self.identity = f"CLIP {checkpoint(model)}"
        self.at_once = AtOnce()

    def load(self, device: str) -> None:
        from transformers import CLIPImageProcessor, CLIPModel

        self.device = device
        try:
            self.processor = CLIPImageProcessor.from_pretrained(self.model)
            network, told = CLIPModel.from_pretrained(
                self.model, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True
            )
        except (
            Exception
        ) as error:  # no network, no such folder, a damaged file: transformers raises what its parts raise
            raise self._absent(first_line(error)[:200]) from None
        missing = sorted(map(str, [*told["missing_keys"], *told["mismatched_keys"]]))
        if missing:
            raise self._absent(
                f"{self.model} is no CLIP checkpoint; it lacks {len(missing)} tensors, {missing[0]} among them"
            )
        self.network = network.to(device).eval()

    def _absent(self, reason: str) -> RunFailed:
        remedy = (
            ""
            if Path(self.model).is_dir()
            else f" {self.model} is downloaded at its first use (0.6 GB); where there is no network,"
        )
        return RunFailed(
            f"metric {self.name} cannot be made ready: {reason.rstrip('.')}.{remedy or ' Else'} "
            "name the folder of a CLIP checkpoint in safetensors with --clip_model."
        )

    def embedded(self, pictures: Sequence[Image.Image], at_once: int | None) -> list[Any]:
        """Embeddings of length 1, as float64 on the CPU. at_once: pictures that the device should take together."""
        return self.at_once.each(self._embed, pictures, max(BATCH, at_once or 0))

    def _embed(self, pictures: Sequence[Image.Image]) -> list[Any]:
        import torch

        with torch.inference_mode():
            pixels = self.processor(images=list(pictures), return_tensors="pt")["pixel_values"].to(self.device)
            found = self.network.visual_projection(self.network.vision_model(pixels).pooler_output).double().cpu()
        lengths = found.norm(dim=-1, keepdim=True)
        if not math.isfinite(float(lengths.sum())) or float(lengths.min()) == 0:
            raise ImageProblem("CLIP gives an embedding without a direction")
        return list(found / lengths)


class Clipsim(ClipImages):
    """Of a reconstruction and its ground truth; higher is better, -1 to 1."""

    name = "clipsim"
    needs_truth = True

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        return self.score_pairs(Pairs([Pair(Picture(truth), Picture(each)) for each in pictures], None))

    def score_pairs(self, pairs: Pairs) -> list[float]:
        images = [each.image for each in (*pairs.truths, *(pair.made for pair in pairs))]
        found = self.embedded(images, pairs.at_once)
        made = found[len(pairs.truths) :]
        return [float((found[place] * each).sum().clamp(-1, 1)) for place, each in zip(pairs.places, made, strict=True)]
