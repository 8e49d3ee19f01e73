"""How well a picture shows what its caption says, to CLIP (Hessel et al., CLIPScore: a reference-free evaluation metric
for image captioning, EMNLP 2021).

Here it is the cosine of the angle between the embeddings of picture and caption; their CLIPScore is 2.5 times it where
it is positive, torchmetrics' 100 times. A caption is cut after the checkpoint's tokens, 77.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ....errors import ImageProblem, RunFailed, first_line
from ..clipsim import DEFAULT_CLIP, ClipImages
from ..pairs import Pairs

if TYPE_CHECKING:
    from PIL import Image


class Clipscore(ClipImages):
    """Higher is better, -1 to 1, of pictures whose caption was sent. of_truth: of the ground truth instead of the
    reconstruction, the level to compare it with. captions: the digest of a file that the user named, "" for none.
    """

    needs_caption = True

    def __init__(self, model: str = DEFAULT_CLIP, captions: str = "", of_truth: bool = False) -> None:
        super().__init__(model)
        self.name = "clipscore_truth" if of_truth else "clipscore"
        self.needs_truth = of_truth
        self.of_truth = of_truth
        self.identity += f", captions {captions}" if captions else ""
        self.known: tuple[str, Any] = ("", None)  # the last caption and its embedding

    def load(self, device: str) -> None:
        super().load(device)
        from transformers import AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(self.model)
        except Exception as error:  # a checkpoint without its tokenizer: transformers raises what its parts raise
            raise RunFailed(
                f"metric {self.name} cannot be made ready: {self.model} has no tokenizer that can be read"
                f" ({first_line(error)[:200].rstrip('.')}). Name a whole CLIP checkpoint with --clip_model."
            ) from None

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        raise ImageProblem("its caption is not known")  # pairs have theirs: `score_pairs`

    def score_pairs(self, pairs: Pairs) -> list[float]:
        if self.of_truth:
            seen = self.embedded([each.image for each in pairs.truths], pairs.at_once)
            seen = [seen[place] for place in pairs.places]
        else:
            seen = self.embedded([pair.made.image for pair in pairs], pairs.at_once)
        said = [self._said(pair.caption) for pair in pairs]
        return [float((one * other).sum().clamp(-1, 1)) for one, other in zip(seen, said, strict=True)]

    def _said(self, caption: str) -> Any:
        """The embedding of a caption, of length 1, float64 on the CPU; that of the last one is kept, since the modes of
        an image mostly share it.
        """
        import torch

        if self.known[0] != caption:
            most = self.network.config.text_config.max_position_embeddings
            tokens = self.tokenizer([caption], truncation=True, max_length=most, return_tensors="pt")
            with torch.inference_mode():
                words = self.network.text_model(
                    input_ids=tokens["input_ids"].to(self.device),
                    attention_mask=tokens["attention_mask"].to(self.device),
                )
                found = self.network.text_projection(words.pooler_output).double().cpu()[0]
            length = float(found.norm())
            if not math.isfinite(length) or length == 0:
                raise ImageProblem("CLIP gives a caption's embedding without a direction")
            self.known = caption, found / length
        return self.known[1]
