"""What the transformers family refuses, each in one line: weights, files, layouts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from captioning import edit, edit_weights, refusal

pytestmark = pytest.mark.usefixtures("one_thread")


def without(part: str) -> Callable[[dict[str, torch.Tensor]], Any]:
    return lambda weights: weights.pop(next(key for key in weights if part in key))


def filled(part: str, value: float) -> Callable[[dict[str, torch.Tensor]], Any]:
    return lambda weights: [tensor.fill_(value) for key, tensor in weights.items() if part in key]


@pytest.mark.parametrize(
    "change, words",
    [
        (filled("multi_modal_projector", 0), "is blind"),
        (filled("lm_head", float("nan")), "computes NaN in torch.float32"),
        (without("o_proj"), "lacks 1 of the model's weights"),
        (lambda weights: weights.update({"language_model.lm_head.weight": torch.zeros(3, 64)}), "does not load on cpu"),
    ],
)
def test_spoilt_weights(spoilt, change, words):
    folder = spoilt()
    edit_weights(folder, change)
    assert words in refusal(folder)


def test_weights_cut_short(spoilt):
    folder = spoilt()
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "does not load on cpu" in refusal(folder)


def test_pickled_weights(spoilt):
    folder = spoilt()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "holds no *.safetensors" in refusal(folder)


def test_image_tokens_that_the_model_does_not_know(spoilt):
    folder = spoilt("blip_2")
    edit(folder / "config.json", image_token_index=7)  # as where the tokenizer was saved without <image>
    assert "is blind" in refusal(folder)


@pytest.mark.parametrize(
    "file, words",
    [("chat_template.jinja", "no chat template for images"), ("processor_config.json", "the processor in")],
)
def test_missing_files(spoilt, file, words):
    folder = spoilt()
    (folder / file).unlink()
    assert words in refusal(folder)


def test_diffusers_folder(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    assert "script-t2i.py" in refusal(tmp_path)


@pytest.mark.parametrize("content, words", [(None, "no config.json"), ("{", "JSON object"), ("[1]", "JSON object")])
def test_bad_config(tmp_path, content, words):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert words in refusal(tmp_path)


@pytest.mark.parametrize(
    "config, words",
    [
        ({"model_type": "llava", "architectures": ["LlavaLlamaForCausalLM"]}, "llava-hf/llava-1.5-7b-hf"),
        ({"model_type": "llava_llama"}, "llava-hf/llava-1.5-7b-hf"),
        ({"model_type": "llava", "mm_vision_tower": "openai/clip"}, "llava-hf/llava-1.5-7b-hf"),
        ({"model_type": "share4v", "mm_vision_tower": "x"}, "not of 1.5's design (mm_projector_type=None)"),
        ({"model_type": "qwen", "visual": {}, "auto_map": {"AutoModelForCausalLM": "x.Y"}}, "add --model_name Qwen"),
        ({"model_type": "florence2", "vision_config": {"dim_embed": [8]}}, "--model_name florence2"),
        ({"model_type": "mplug_owl2"}, "add --model_name mplugowl2"),
        ({"model_type": "llama"}, "no image-to-text class"),
        ({"model_type": "new", "auto_map": {"AutoModel": "x.Y"}}, "its remote code has AutoModel"),
        ({"model_type": "new", "auto_map": {"AutoModelForImageTextToText": "x.Y"}}, "--trust_remote_code"),
    ],
)
def test_foreign_layouts(tmp_path, config, words):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert words in refusal(tmp_path)


def test_trusted_remote_code_goes_on_to_the_weights(tmp_path):
    config = {"model_type": "new", "auto_map": {"AutoModelForImageTextToText": "x.Y"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "holds no *.safetensors" in refusal(tmp_path, trust_remote_code=True)
