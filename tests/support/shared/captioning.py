"""Tiny captioners of the transformers family: loaded, refused, spoilt, and the pictures that they are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from models import ModelError
from models.i2t._transformers import model as family

KINDS = [
    "llava",
    "llava_next",
    "llava_onevision",
    "qwen2_5_vl",
    "qwen3_vl",
    "internvl",
    "gemma3",
    "idefics3",
    "smolvlm",
]
KINDS += ["instructblip", "blip_2", "blip"]
PROMPT = "Generate an informative paragraph in 10 words based on the image. Considering Light and Color"


def load(folder: Any, **options: Any) -> family.Model:
    model = family.Model()
    model.load(str(folder), "cpu", torch.float32, seed=42, **options)
    return model


def refusal(folder: Any, **options: Any) -> str:
    """The one line that a checkpoint is refused with."""
    with pytest.raises(ModelError) as caught:
        load(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pictures() -> list[Image.Image]:
    """Smooth colours in different sizes and aspects."""
    sizes = [(64, 64), (200, 90), (50, 170), (300, 300), (97, 131)]
    colours = np.random.default_rng(1).integers(0, 255, (len(sizes), 3, 3, 3), dtype=np.uint8)
    return [Image.fromarray(c).resize(size, Image.Resampling.BICUBIC) for c, size in zip(colours, sizes)]


def edit(path: Path, drop: tuple[str, ...] = (), **changes: Any) -> None:
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if key not in drop}))


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
