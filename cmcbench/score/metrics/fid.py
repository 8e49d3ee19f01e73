"""FID: how far the reconstructions as a set are from their ground truths as a set.

The Frechet distance between two Gaussians fitted to Inception features (Heusel et al., GANs trained by a two time-scale
update rule converge to a local Nash equilibrium, NeurIPS 2017), pictures resized as clean-fid does (Parmar et al., On
aliased resizing and surprising subtleties in GAN evaluation, CVPR 2022), which is pyiqa's FID. The network is pyiqa's;
the distance is computed without the square root of a 2048x2048 matrix, which has no full rank below 2,049 images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import SetMetric
from .pyiqa import create, pyiqa_version

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SIDE = 299  # pixels, of Inception's input
SMALLEST = 100  # images; with fewer the value tells more of the number of images than of the pictures
FULL_RANK = 2049  # images from which a covariance of 2,048 features can have full rank


class Fid(SetMetric):
    """Lower is better, from 0."""

    name = "fid"
    lower_is_better = True
    smallest = SMALLEST

    def __init__(self) -> None:
        self.identity = f"pyiqa {pyiqa_version()}, clean"

    def load(self, device: str) -> None:
        self.device = device
        model = create(self.name, device).net.model
        self.network = lambda batch: model(batch, False, False)[0]

    def prepare(self, picture: Image.Image) -> np.ndarray:
        return prepared(picture)[None]

    def embed(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            found = self.network(torch.from_numpy(inputs).to(self.device))
        return found.flatten(1).double().cpu().numpy()

    def measure(self, truth: np.ndarray, made: np.ndarray) -> float:
        return frechet_distance(truth[:, 0], made[:, 0])

    def caution(self, images: int) -> str:
        if images >= FULL_RANK:
            return ""
        return (
            f"fid of {images:,} images is biased upwards and comparable with that of as many images only "
            f"(the paper has 1,000; the covariances have full rank from {FULL_RANK:,} on)"
        )


def prepared(picture: Image.Image) -> np.ndarray:
    """An RGB PIL image as Inception takes it: (3, 299, 299), float32, about -1 to 1; each plane resized without
    rounding.
    """
    import numpy as np
    from PIL import Image

    planes = np.asarray(picture, dtype=np.float32)
    resized = [
        np.asarray(Image.fromarray(planes[:, :, channel]).resize((SIDE, SIDE), resample=Image.Resampling.BICUBIC)).clip(
            0, 255
        )
        for channel in range(3)
    ]
    return (np.stack(resized) - 128) / 128


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the means and covariances (1 / (n - 1)) of features (n, d).

    With X the centred features over sqrt(n - 1), C = X'X, and tr((C1 C2)^(1/2)) is the sum of the singular values of X1
    X2': a matrix of n by n, exact for singular covariances too. Raises ValueError below two images.
    """
    import numpy as np

    if min(len(one), len(other)) < 2:
        raise ValueError("a covariance needs two images")
    means = [features.mean(axis=0) for features in (one, other)]
    centred = [
        _triangular((features - mean) / np.sqrt(len(features) - 1)) for features, mean in zip((one, other), means)
    ]
    cross = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum((each**2).sum() for each in centred)
    return float(max(0.0, ((means[0] - means[1]) ** 2).sum() + spread - 2 * cross))


def _triangular(features: np.ndarray) -> np.ndarray:
    """The same, or the triangular factor of QR where there are more images than features: it has the same X'X, and (as
    X = QR
    with orthonormal Q) the same singular values of products."""
    import numpy as np

    return np.asarray(np.linalg.qr(features, mode="r")) if len(features) > features.shape[1] else features
