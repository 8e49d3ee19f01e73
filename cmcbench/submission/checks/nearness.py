"""Pictures that are nearer to the ground truth than their bits allow.

A decoder is told `bits` bits. Of a picture's transform coefficients, whatever the transform, it cannot know more than
so many, at a bit each: real codecs take four to eight. So the best approximation of the ground truth by `bits`
coefficients of full precision, in the best of several transforms, is nearer than any decoder comes. A generative
decoder stays far below it, since what it adds is not the original's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ImageProblem
from ...files.images import list_images, read_rgb
from ...runtime.messages import progress
from .documents import Opened
from .faults import Faults
from .pictures import sha256_of
from .tables import SubmittedScores

if TYPE_CHECKING:
    import numpy as np

BLOCKS = (8, 32)  # sides of the block transforms; beside them one of the whole picture, and Haar's for screens
CORNER = 768  # of the whole picture's transform, whose high frequencies hold nothing that few coefficients would take
HAAR = 6  # levels
MARGIN = 1.0  # dB above the bound from which on a picture is a fault
FEWEST = 64  # pictures that are compared, where there are so many


@dataclass(frozen=True)
class Compared:
    """count: of the pictures compared. closest: the least distance to the bound in dB, None where none was."""

    count: int
    closest: float | None


def check_nearness(opened: Opened, results: Path, truth: Path, count: int, seed: int, faults: Faults) -> Compared:
    """Compare a random choice of the rows whose bits are known. results: Result/NAME. Pictures and ground truths that
    are not those of the submission are left out: they have been reported.
    """
    rows = sorted((row for row in opened.rows if row.spent.get("bits")), key=lambda row: (row.name, row.mode))
    chosen = random.Random(seed).sample(rows, min(max(count, FEWEST), len(rows)))
    places = {mode: list_images(results / mode, "pictures") for mode in opened.submission["modes"]}
    originals = list_images(truth, "pictures")
    done, closest = 0, math.inf
    with progress(len(chosen), 0, "nearness") as bar:
        for row in chosen:
            bar.update()
            one, other = originals.get(row.stem), places[row.mode].get(row.stem)
            if not one or not other:
                continue
            if (sha256_of(one)[:16], sha256_of(other)[:16]) != (row.ground_truth, row.reconstruction):
                continue
            try:
                found, allowed = _pair(row, one, other)
            except ImageProblem as error:
                faults.add("nearness", f"{row.where}: cannot be read ({error})")
                continue
            done, closest = done + 1, min(closest, allowed - found)
            if found > allowed + MARGIN:
                faults.add(
                    "nearness",
                    f"{row.where}: is nearer to the ground truth ({found:.1f} dB) than {int(row.spent['bits'])} bits"
                    f" allow any decoder ({allowed:.1f} dB)",
                )
    return Compared(done, closest if done and math.isfinite(closest) else None)


def _pair(row: SubmittedScores, truth: Path, reconstruction: Path) -> tuple[float, float]:
    """(PSNR of the luma, what the row's bits allow at most), both in dB. Raises ImageProblem."""
    import numpy as np

    original, made = read_rgb(truth)[0], read_rgb(reconstruction)[0]
    if made.size != original.size:
        made = made.resize(original.size)
    luma, other = (np.asarray(image.convert("L"), dtype=np.float32) for image in (original, made))
    return psnr(float(np.mean((luma - other) ** 2))), bound(luma, int(row.spent["bits"]))


def psnr(error: float) -> float:
    """Mean squared error of 8-bit values as dB; infinite for 0."""
    return 10 * math.log10(255**2 / error) if error > 0 else math.inf


def bound(luma: np.ndarray, bits: int) -> float:
    """The highest PSNR in dB that an approximation of `luma` (height x width, 0 to 255) by `bits` coefficients has.

    Rounding to 8 bits is allowed for: what is nearer than half a level is the picture itself.
    """
    import numpy as np

    total = float(np.sum(luma.astype(np.float64) ** 2))
    best = 0.0
    for coefficients in _transforms(luma):
        energy = coefficients.ravel().astype(np.float64) ** 2
        kept = energy if bits >= energy.size else np.partition(energy, energy.size - bits)[energy.size - bits :]
        best = max(best, float(np.sum(kept)))
    left = max(0.0, total - best) / luma.size
    return psnr(left) if left > 1 / 12 else math.inf


def _transforms(luma: np.ndarray) -> Iterator[np.ndarray]:
    """The picture's coefficients in each of the orthonormal transforms."""
    import numpy as np

    height, width = luma.shape
    for side in BLOCKS:
        padded = np.pad(luma, ((0, -height % side), (0, -width % side)), mode="edge")
        blocks = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side).transpose(0, 2, 1, 3)
        matrix = _cosines(side, side)
        # Padding adds energy of its own; it is taken off, so that it is never kept for the picture's
        share = luma.size / padded.size
        yield (matrix @ blocks @ matrix.T) * np.float32(math.sqrt(share) if share < 1 else 1)
    yield _cosines(min(CORNER, height), height) @ luma @ _cosines(min(CORNER, width), width).T
    yield _haar(luma)


def _cosines(rows: int, size: int) -> np.ndarray:
    """The first rows of the orthonormal DCT-II matrix of a size."""
    import numpy as np

    angles = np.pi / size * np.outer(np.arange(rows), np.arange(size) + 0.5)
    matrix = np.sqrt(2 / size) * np.cos(angles)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def _haar(luma: np.ndarray) -> np.ndarray:
    """Haar's wavelets, all coefficients in one row; sides are cut to what the levels divide."""
    import numpy as np

    step = 1 << HAAR
    rest = luma[: luma.shape[0] // step * step, : luma.shape[1] // step * step]
    found = []
    for _ in range(HAAR):
        if not rest.size:
            break
        for axis in (0, 1):
            even, odd = (np.take(rest, range(start, rest.shape[axis], 2), axis) for start in (0, 1))
            rest, detail = (even + odd) / np.sqrt(2), (even - odd) / np.sqrt(2)
            found.append(detail.ravel())
    return np.concatenate([*found, rest.ravel()]).astype(np.float32)
