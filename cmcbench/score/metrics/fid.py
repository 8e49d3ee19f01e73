"""FID: how far the reconstructions as a set are from their ground truths as a set.

The Frechet distance between two Gaussians fitted to Inception features (Heusel et al., GANs trained by a two time-scale
update rule converge to a local Nash equilibrium, NeurIPS 2017), pictures resized as clean-fid does (Parmar et al., On
aliased resizing and surprising subtleties in GAN evaluation, CVPR 2022), which is pyiqa's FID. The network is pyiqa's;
the distance is computed without the square root of a 2048x2048 matrix, which has no full rank below 2,049 images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import ImageProblem
from ...statistics import resample_counts
from .base import Features, Measured, SetMetric
from .pyiqa import create, pyiqa_version

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SIDE = 299  # pixels, of Inception's input
SMALLEST = 100  # images; with fewer the value tells more of the number of images than of the pictures
DRAWS = 20  # resamples of the images: their spread is known within a sixth, and each takes as long as the value
Z = 1.96  # standard errors of a 95 % interval. A resample's own FID is biased upwards, since it repeats images
ENOUGH = 2049  # features from which no caution is said; Inception's covariances of 2,048 can have full rank then
TRUTHS, MADE = "ground truths", "reconstructions"


class CleanInception(Features):
    """pyiqa's Inception of whole pictures, prepared as clean-fid does: one input a picture, 2,048 features."""

    key = "clean"

    def load(self, device: str) -> None:
        model = create("fid", device).net.model
        self.network = lambda batch: model(batch, False, False)[0]

    def prepare(self, picture: Image.Image) -> np.ndarray:
        return prepared(picture)[None]

    def embed(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            found = self.network(torch.from_numpy(inputs).to(self.device))
        return found.flatten(1).double().cpu().numpy()


class Frechet(SetMetric):
    """The Frechet distance of any features; lower is better, from 0.

    full_rank: images from which a covariance can have full rank, once something was measured.
    """

    full_rank = ENOUGH
    others = ""  # what a caution says of others' numbers of images

    def __init__(self, name: str, features: Features, identity: str, smallest: int = 2) -> None:
        self.name, self.features, self.identity, self.smallest = name, features, identity, smallest

    def measure(self, truth: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> Measured:
        import numpy as np

        owner = owners(truth)
        one, other = checked_set(self.name, truth, TRUTHS), checked_set(self.name, made, MADE)
        self.full_rank = one.shape[1] + 1
        draws = [frechet_distance(one, other, counts[owner]) for counts in resample_counts(len(truth), DRAWS)]
        value = frechet_distance(one, other)
        error = Z * float(np.std(draws, ddof=1))
        return Measured(value, max(0.0, value - error), value + error)

    def caution(self, images: int, features: int) -> str:
        if features >= ENOUGH:
            return ""
        what = f"{images:,} images" if features == images else f"{features:,} patches of {images:,} images"
        return (
            f"{self.name} of {what} is biased upwards and comparable with that of as many images only "
            f"({self.others}the covariances have full rank from {self.full_rank:,} on)"
        )


class Fid(Frechet):
    """Of whole pictures, prepared as clean-fid and pyiqa do."""

    smallest = SMALLEST
    others = "the paper has 1,000; "

    def __init__(self) -> None:
        super().__init__("fid", CleanInception(), f"pyiqa {pyiqa_version()}, clean", self.smallest)


def owners(features: Sequence[np.ndarray]) -> np.ndarray:
    """The place of the image that each row of the joined features belongs to."""
    import numpy as np

    return np.repeat(np.arange(len(features)), [len(each) for each in features])


def checked_set(name: str, features: Sequence[np.ndarray], what: str) -> np.ndarray:
    """All features of one side, (n, d), float64. Raises ImageProblem where they are all the same."""
    import numpy as np

    joined = np.concatenate(list(features)).astype(np.float64)
    if np.ptp(joined, axis=0).max() <= 1e-6 * max(1e-6, float(np.abs(joined).max())):
        raise ImageProblem(f"all {len(features)} {what} look the same to {name}, and so there is no set to compare")
    return joined


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


def frechet_distance(one: np.ndarray, other: np.ndarray, counts: np.ndarray | None = None) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the means and covariances (1 / (n - 1)) of features (n, d).

    counts: how often each row of both counts, None: once. With X the centred features over sqrt(n - 1), C = X'X, and
    tr((C1 C2)^(1/2)) is the sum of the singular values of X1 X2': a matrix of n by n, exact for singular covariances
    too. Raises ValueError below two images.
    """
    import numpy as np

    if min(len(one), len(other)) < 2:
        raise ValueError("a covariance needs two images")
    means, centred = zip(*(_centred(features, counts) for features in (one, other)))
    cross = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum((each**2).sum() for each in centred)
    return float(max(0.0, ((means[0] - means[1]) ** 2).sum() + spread - 2 * cross))


def _centred(features: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The mean of features (n, d), and a matrix whose product with itself, X'X, is their covariance."""
    import numpy as np

    if counts is None:
        mean = features.mean(axis=0)
        return mean, _triangular((features - mean) / np.sqrt(len(features) - 1))
    there = counts > 0
    features, weights = features[there], counts[there].astype(np.float64)
    total = weights.sum()
    mean = weights @ features / total
    return mean, _triangular((features - mean) * np.sqrt(weights / (total - 1))[:, None])


def _triangular(features: np.ndarray) -> np.ndarray:
    """The same, or the triangular factor of QR where there are more images than features: it has the same X'X, and (as
    X = QR
    with orthonormal Q) the same singular values of products."""
    import numpy as np

    return np.asarray(np.linalg.qr(features, mode="r")) if len(features) > features.shape[1] else features
