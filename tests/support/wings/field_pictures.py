"""Pictures, features and weights that the numbers of public implementations in tests/golden/field.json were made of.

They follow from the samples and from seeds, so that nothing else needs to be kept.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from bench import ROOT, SAMPLES
from PIL import Image

GOLDEN = ROOT / "tests" / "golden" / "field.json"
CROPS = {"even": (256, 192), "odd": (237, 183), "large": (421, 389)}  # width, height


def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text())


def picture(kind: str, number: int = 0) -> np.ndarray:
    """A ground truth, (height, width, 3) uint8: a sample repeated to fill the crop of this kind."""
    width, height = CROPS[kind]
    with Image.open(sorted(SAMPLES.glob("*.png"))[number]) as image:
        pixels = np.asarray(image.convert("RGB"))
    return np.ascontiguousarray(np.tile(pixels, (4, 4, 1))[:height, :width])


def made(truth: np.ndarray) -> np.ndarray:
    """Its reconstruction: 8 levels, the rows below the middle shifted by three pixels."""
    coarse = truth // 32 * 32 + 16
    coarse[len(truth) // 2 :] = np.roll(coarse[len(truth) // 2 :], 3, axis=1)
    return coarse


def features(images: int, each: int, width: int, seed: int) -> list[np.ndarray]:
    """(each, width) features of so many images, as one would expect them: an image's are alike."""
    random = np.random.RandomState(seed)
    centres = random.normal(0.4, 0.3, (images, 1, width))
    return list((centres + random.normal(0, 0.2 + 0.01 * seed, (images, each, width))).astype(np.float32))


def random_weights(network: Any) -> None:
    """Fill a network's parameters with numbers that do not depend on torch's generator, scaled to keep its values."""
    import torch

    random = np.random.RandomState(7)
    for name, value in sorted(network.state_dict().items()):
        shape = tuple(value.shape)
        if name.endswith(("running_var", "bn.weight")):
            new = np.ones(shape)
        elif len(shape) > 1:
            new = random.normal(0, 1.4 / np.sqrt(np.prod(shape[1:])), shape)
        else:
            new = np.zeros(shape)
        value.copy_(torch.from_numpy(np.asarray(new, dtype=np.float32)).to(value.dtype))
