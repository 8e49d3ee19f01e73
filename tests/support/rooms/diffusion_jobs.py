"""Jobs for tiny diffusers checkpoints, the models that do them, and how far pictures differ."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from models.base import Job

ALL = frozenset({"full", "image", "pixel", "text"})
EVEN, ODD = (128, 96), (200, 133)  # divisible by the tiny models' multiple of 32, and floored by it to 192x128
UNET = "unet/diffusion_pytorch_model.safetensors"


def load(model, folder, modes=None, dtype=torch.float32, **options):
    model.inspect(str(folder))
    model.load(str(folder), "cpu", dtype, frozenset(modes or model.modes), **options)
    return model


def guide(seed=0, size=EVEN):
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((size[0] + 9, size[1] + 5))  # not the working size: the family resizes


def job(seed=7, size=EVEN, text=False, strength=0.5, **other):
    fields = {"name": f"{seed}.png", "prompt": f"the red house number {seed}", "steps": 4, "seed": seed, "size": size}
    fields.update({"guide": None, "strength": None} if text else {"guide": guide(seed, size), "strength": strength})
    return Job(**{**fields, **other})


def pixels(images):
    return [np.asarray(image).astype(int) for image in images]


def differ(one, other):
    return max(np.abs(a - b).max() for a, b in zip(pixels(one), pixels(other), strict=True))
