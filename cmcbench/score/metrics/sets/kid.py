"""KID: the squared maximum mean discrepancy between two sets of features, whose expectation is 0 for sets of one kind
whatever their size (Binkowski et al., Demystifying MMD GANs, ICLR 2018).

The kernel is (x'y / d + 1)^3, the estimator the unbiased one, which is negative about as often as not where the sets
are alike. The value is torch-fidelity's: the mean over 100 pairs of subsets of 1,000 features drawn with its seed; of
all features where there are fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....statistics import resample_counts
from ..base import Features, Measured, SetMetric
from ..fid import MADE, TRUTHS, Z, checked_set, owners

if TYPE_CHECKING:
    import numpy as np

SUBSETS, SUBSET_SIZE, SEED = 100, 1000, 2020  # torch-fidelity's
DRAWS = 1000  # resamples of the images, for the interval
MOST = 6000  # features whose kernels the interval is made of: with more, evenly chosen ones of each image


class Kid(SetMetric):
    """Lower is better, about 0 for sets that are alike; negative values stay."""

    def __init__(self, name: str, features: Features, identity: str, smallest: int = 2) -> None:
        self.name, self.features, self.smallest = name, features, smallest
        self.identity = f"{identity}, {SUBSETS} subsets of {SUBSET_SIZE} or all, seed {SEED}"

    def measure(self, truth: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> Measured:
        sides = [checked_set(self.name, side, what) for side, what in ((truth, TRUTHS), (made, MADE))]
        value = kernel_distance(*sides)
        error = Z * spread(truth, made)
        return Measured(value, value - error, value + error)

    def caution(self, images: int, features: int) -> str:
        if features >= SUBSET_SIZE:
            return ""
        return (
            f"{self.name} of {features:,} features of {images:,} images is made of one subset, all of them "
            f"({SUBSETS} of {SUBSET_SIZE:,} where there are more); its interval is wide"
        )


def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(x'y / d + 1)^3 of all pairs of rows of (n, d) and (m, d)."""
    return (one @ other.T / one.shape[1] + 1) ** 3


def discrepancy(one: np.ndarray, other: np.ndarray) -> float:
    """The unbiased squared MMD of features (n, d) and (n, d), n from 2."""
    n = len(one)
    within = 0.0
    for side in (one, other):
        found = kernel(side, side)
        within += (found.sum() - found.trace()) / (n * (n - 1))
    return float(within - 2 * kernel(one, other).sum() / n**2)


def kernel_distance(one: np.ndarray, other: np.ndarray) -> float:
    """KID of two sets of as many features, as torch-fidelity draws its subsets."""
    import numpy as np

    n = len(one)
    if n <= SUBSET_SIZE:  # every subset is the whole
        return discrepancy(one, other)
    random = np.random.RandomState(SEED)
    drawn = []
    for _ in range(SUBSETS):
        first, second = (random.choice(n, SUBSET_SIZE, replace=False) for _ in range(2))
        drawn.append(discrepancy(one[first], other[second]))
    return float(np.mean(drawn))


def spread(truth: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> float:
    """The standard error of the unbiased estimate over images: its standard deviation over resamples of them.

    An image that is drawn twice is not compared with its copy, which would make the set look narrower than it is. Draws
    of a single image over and over are passed over.
    """
    import numpy as np

    step = -(-sum(map(len, truth)) // MOST)
    truth, made = ([each[::step] for each in side] for side in (truth, made))
    sizes = np.array([len(each) for each in truth], dtype=float)
    one, other = (np.concatenate(list(side)).astype(np.float64) for side in (truth, made))
    blocks = [_by_image(a, b, owners(truth)) for a, b in ((one, one), (other, other), (one, other))]
    alone = [_alone(each, owners(truth)) for each in (one, other)]
    found = []
    for counts in resample_counts(len(sizes), DRAWS).astype(float):
        if np.count_nonzero(counts) > 1:
            found.append(_resampled(counts, sizes, blocks, alone))
    return float(np.std(found, ddof=1)) if len(found) > 1 else 0.0


def _resampled(counts: np.ndarray, sizes: np.ndarray, blocks: list[np.ndarray], alone: list[np.ndarray]) -> float:
    """The estimate for images that are drawn `counts` times. blocks: sums of kernels by pairs of images, alone: of each
    feature with itself, by image.
    """

    def total(block: np.ndarray, own: np.ndarray) -> float:
        return float(counts @ block @ counts - counts**2 @ block.diagonal() + counts @ own)

    pairs = (counts @ sizes) ** 2 - (counts * sizes) @ (counts * sizes)
    within = pairs + counts @ (sizes * (sizes - 1))
    between = pairs + counts @ sizes**2
    sides = sum(total(block, block.diagonal() - own) for block, own in zip(blocks[:2], alone))
    return sides / within - 2 * total(blocks[2], blocks[2].diagonal()) / between


def _by_image(one: np.ndarray, other: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Sums of kernels by pairs of images, (images, images), a few rows of features at a time."""
    import numpy as np

    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    rows = np.zeros((len(one), len(starts)))
    for start in range(0, len(one), 512):
        rows[start : start + 512] = np.add.reduceat(kernel(one[start : start + 512], other), starts, axis=1)
    return np.add.reduceat(rows, starts, axis=0)


def _alone(features: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Sums of kernels of each feature with itself, by image."""
    import numpy as np

    return np.bincount(owner, ((features**2).sum(axis=1) / features.shape[1] + 1) ** 3)
