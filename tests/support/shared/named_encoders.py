"""Encoders by their names: the published rows and today's, loaded and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models import ModelError, create
from models.i2t._transformers import model as family

PROMPT = "Generate an informative paragraph in 10 words based on the image. Considering Light and Color"
# name on the command line, checkpoint, --dtype auto on a GPU, the tiny checkpoint of its architecture
ENCODERS = [
    ("blip", "Salesforce/blip-image-captioning-large", None, "blip"),
    ("blip2", "Salesforce/blip2-opt-2.7b", None, "blip_2"),
    ("florence2", "florence-community/Florence-2-large", None, "florence2"),
    ("gemma3", "google/gemma-3-4b-it", "bf16", "gemma3"),
    ("InstructBLIP", "Salesforce/instructblip-vicuna-7b", None, "instructblip"),
    ("internvl3", "OpenGVLab/InternVL3-8B-hf", "bf16", "internvl"),
    ("LLaVA", "llava-hf/llava-1.5-7b-hf", None, "llava"),
    ("llava-onevision", "llava-hf/llava-onevision-qwen2-7b-ov-hf", None, "llava_onevision"),
    ("qwen2.5-vl", "Qwen/Qwen2.5-VL-7B-Instruct", "bf16", "qwen2_5_vl"),
    ("Qwen3-VL", "Qwen/Qwen3-VL-8B-Instruct", "bf16", "qwen3_vl"),
    ("smolvlm", "HuggingFaceTB/SmolVLM-Instruct", "bf16", "idefics3"),
    ("sharegpt4v", "Lin-Chen/ShareGPT4V-7B", None, "authors"),
]


def load(name: str, folder: Path) -> family.Model:
    model = create("i2t", name, str(folder))
    model.load(str(folder), "cpu", torch.float32)
    return model


def refusal(name: str, folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(name, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)
