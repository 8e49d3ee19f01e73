"""DINOv2 (Oquab et al., DINOv2: learning robust visual features without supervision, TMLR 2024): what it sees in whole
pictures.

Each picture is resized to 224x224, whatever its shape, so that nothing of it is cut off (bicubic with antialiasing, as
Stein et al., Exposing flaws of generative model evaluation metrics, NeurIPS 2023, do for their Frechet distance); the
features are those of the class token after the last norm.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import RunFailed, first_line
from ...files.manifest import checkpoint
from .base import Features

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

BASE, LARGE = "facebook/dinov2-base", "facebook/dinov2-large"
SIDE = 224  # pixels
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


class WholePictures(Features):
    """Features of the class token, one input a picture. model: a folder or a name on the hub of a DINOv2 checkpoint in
    safetensors, "" for the large one, which Frechet distances are made of.
    """

    def __init__(self, model: str = "") -> None:
        self.model = model or LARGE
        self.identity = f"DINOv2 {checkpoint(self.model)}, {SIDE} px"
        self.key = self.identity

    def load(self, device: str) -> None:
        from transformers import Dinov2Model

        try:
            network, told = Dinov2Model.from_pretrained(
                self.model, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True
            )
        except Exception as error:  # no network, no such folder: transformers raises what its parts raise
            raise self._absent(first_line(error)[:200]) from None
        missing = sorted(map(str, [*told["missing_keys"], *told["mismatched_keys"]]))
        if missing:
            raise self._absent(
                f"{self.model} is no DINOv2 checkpoint; it lacks {len(missing)} tensors, {missing[0]} among them"
            )
        self.network: Any = network.to(device).eval()

    def _absent(self, reason: str) -> RunFailed:
        there = Path(self.model).is_dir()
        remedy = "Else" if there else f"{self.model} is downloaded at its first use; where there is no network,"
        return RunFailed(
            f"DINOv2 cannot be made ready: {reason.rstrip('.')}. {remedy} name the folder of a DINOv2 checkpoint in"
            " safetensors with --dino_model."
        )

    def prepare(self, picture: Image.Image) -> np.ndarray:
        import numpy as np
        from PIL import Image

        resized = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        mean, deviation = (np.array(each, dtype=np.float32) for each in (MEAN, DEVIATION))
        planes = (np.asarray(resized, dtype=np.float32) / 255 - mean) / deviation
        return np.ascontiguousarray(planes.transpose(2, 0, 1))[None]

    def embed(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            found = self.network(pixel_values=torch.from_numpy(inputs).to(self.device))
        return found.last_hidden_state[:, 0].double().cpu().numpy()
