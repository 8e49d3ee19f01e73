"""Every codec, and pictures to code with it."""

from __future__ import annotations

import numpy as np
from bench import SAMPLES
from PIL import Image

from cmcbench.codecs import FAMILY, create

CODECS = {name: create(name) for name in FAMILY}
VIDEO = {
    "vvc": "vvc",
    "hevc": "hevc",
    "avc": "h264",
    "av1": "obu",
    "avif": "obu",
}  # and what ffmpeg calls their streams


def photo(width: int, height: int) -> Image.Image:
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:
        return image.convert("RGB").crop((100, 100, 100 + width, 100 + height))


def noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


def error(first: Image.Image, second: Image.Image) -> float:
    """Mean absolute difference in 8-bit steps."""
    return np.abs(np.asarray(first).astype(int) - np.asarray(second)).mean()
