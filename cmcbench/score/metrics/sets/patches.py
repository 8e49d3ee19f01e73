"""Patches of pictures in torch-fidelity's Inception: what FID/256 and KID/256 are made of.

Each picture is cut into a grid of square patches, and where both sides reach one and a half patches into a second grid
shifted by half a patch right and down; what is left over at the right and below is not seen (Mentzer et al.,
High-fidelity generative image compression, NeurIPS 2020; NeuralCompression's update_patch_fid cuts so). The network
resizes each patch to 299x299 as TensorFlow 1 did, without antialiasing.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ....errors import BadInput, ImageProblem, RunFailed, first_line
from ..base import Features
from ..pyiqa import environment

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

LIST = "requirements-field.txt"
WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"


class InceptionPatches(Features):
    """2,048 features of each patch of `side` pixels. Raises BadInput where torch-fidelity is not installed."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.key = f"patches {side}"
        self.identity = (
            f"torch-fidelity {_version()} inception-v3-compat, patches of {side} px, grid and grid shifted by"
            f" {side // 2} px"
        )

    def load(self, device: str) -> None:
        import torch

        try:
            part = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
            # torch-fidelity asks torch to unpickle whatever is in the weights file, and prints what it downloads
            with environment(TORCH_FORCE_WEIGHTS_ONLY_LOAD="1"), contextlib.redirect_stdout(sys.stderr):
                network = part.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
        except Exception as error:  # no network, a damaged file: torch-fidelity raises what its parts raise
            raise RunFailed(
                f"torch-fidelity's Inception cannot be made ready: {first_line(error)[:200].rstrip('.')}. It (95 MB) is"
                f" downloaded at its first use to {torch.hub.get_dir()}/checkpoints/{WEIGHTS}; where there is no"
                " network, put that file there."
            ) from None
        self.network: Any = network.to(device)

    def prepare(self, picture: Image.Image) -> np.ndarray:
        import numpy as np

        return patches(np.asarray(picture), self.side)

    def embed(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return self.network(torch.from_numpy(inputs).to(self.device))[0].float().cpu().numpy()


def patches(picture: np.ndarray, side: int) -> np.ndarray:
    """The patches of an RGB picture (height, width, 3) uint8: (k, 3, side, side) uint8, row by row, the shifted grid
    last. Raises ImageProblem for a picture smaller than one.
    """
    import numpy as np

    height, width = picture.shape[:2]
    if min(height, width) < side:
        raise ImageProblem(f"is {width}x{height}, smaller than a patch of {side}x{side}")
    shifts = [0, side // 2] if min(height, width) >= 1.5 * side else [0]
    found = [
        picture[top : top + side, left : left + side]
        for shift in shifts
        for top in range(shift, height - side + 1, side)
        for left in range(shift, width - side + 1, side)
    ]
    return np.ascontiguousarray(np.stack(found).transpose(0, 3, 1, 2))


def _version() -> str:
    try:
        return metadata.version("torch-fidelity")
    except metadata.PackageNotFoundError:
        raise BadInput(
            f"FID and KID of patches are made with torch-fidelity, which is not installed: pip install -r {LIST}"
        ) from None
