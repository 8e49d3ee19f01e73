"""Encoders by their names: the published rows and today's, and Florence-2's tasks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from captioning import pictures
from named_encoders import ENCODERS, PROMPT, load, refusal
from safetensors.torch import load_file, save_file

from models import ModelError, create, names
from models.base import Caption

pytestmark = pytest.mark.usefixtures("one_thread")


# By name


@pytest.mark.parametrize("name, checkpoint, dtype, kind", ENCODERS)
def test_every_encoder_by_its_name(checkpoints, name, checkpoint, dtype, kind):
    model = create("i2t", name)
    assert name.lower().replace(".", "-") in names("i2t")
    assert (model.default_dir, model.dtype) == (checkpoint, dtype) and 0.1 < model.parameters < 10
    images, model = pictures(), load(name, checkpoints[kind])
    captions = model.caption(images, PROMPT, 10)
    assert len({caption.text for caption in captions}) > 1
    assert captions == [model.caption([image], PROMPT, 10)[0] for image in images]
    for caption in captions:
        assert caption.text.isprintable() and not {"generate", "paragraph", "<image>"} & set(
            caption.text.lower().split()
        )
        assert kind == "blip" or (caption.finish_reason == "stop" and caption.text.endswith("."))


@pytest.mark.parametrize("name, dtype, kind", [(name, dtype or "fp16", kind) for name, _, dtype, kind in ENCODERS])
def test_every_encoder_in_the_precision_of_a_gpu(checkpoints, name, dtype, kind):
    precision = {"bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
    model = create("i2t", name)
    model.load(str(checkpoints[kind]), "cpu", precision)
    kept = {tensor.dtype for tensor in model.model.parameters()} - {precision}
    assert kept <= ({torch.float32} if kind in ("blip_2", "instructblip") else set())  # their Q-Former stays in float32
    assert all(caption.text.isprintable() and caption.text for caption in model.caption(pictures(), PROMPT, 10))


@pytest.mark.parametrize("name, kind", [(name, kind) for name, *_, kind in ENCODERS if kind != "authors"])
def test_a_missing_weight_is_refused(checkpoints, tmp_path, name, kind):
    folder = Path(shutil.copytree(checkpoints[kind], tmp_path / kind))
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(key for key in weights if key.endswith(("norm.weight", "norm1.weight"))))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "lacks 1 of the model's weights" in refusal(name, folder)


def test_qwen_loads_another_checkpoint(checkpoints):
    assert load("Qwen", checkpoints["qwen2_5_vl"]).caption(pictures()[:1], PROMPT, 10)[0].text


def test_a_refusal_is_no_caption(checkpoints, monkeypatch):
    model, texts = (
        load("llava", checkpoints["llava"]),
        ["A boat.", "I'm sorry, but I can't assist with that." + " No." * 40],
    )
    monkeypatch.setattr(model, "_read", lambda row: Caption(texts.pop(0)))
    caption, error = model.caption(pictures()[:2], PROMPT, 10)
    assert caption == Caption("A boat.") and isinstance(error, ModelError)
    assert str(error) == "refused: I'm sorry, but I can't assist with that." + (" No." * 40)[:40]


# Florence-2


@pytest.mark.parametrize(
    "words, task",
    [
        (1, "What does the image describe?"),
        (10, "What does the image describe?"),
        (11, "Describe in detail what is shown in the image."),
        (20, "Describe in detail what is shown in the image."),
        (21, "Describe with a paragraph what is shown in the image."),
        (300, "Describe with a paragraph what is shown in the image."),
    ],
)
def test_florence_gets_a_task_by_the_word_count(checkpoints, monkeypatch, words, task):
    model, asked = load("florence2", checkpoints["florence2"]), []
    generate = model.model.generate
    monkeypatch.setattr(model.model, "generate", lambda **inputs: (asked.append(inputs), generate(**inputs))[1])
    (caption,) = model.caption(pictures()[:1], PROMPT, words)
    text = model.processor.tokenizer.decode(asked[0]["input_ids"][0])
    assert text == "<image>" * 5 + f"<s>{task}</s>"
    assert asked[0]["max_new_tokens"] == (1056 if words < 300 else 2048)  # of 2048 positions
    assert caption.usage == {"output_tokens": 10}  # the forced <s>, seven words, the full stop, </s>


@pytest.mark.parametrize("name", ["never-heard-of", "llava"])
def test_florence_under_another_name_is_sent_to_its_adapter(checkpoints, name):
    assert "--model_name florence2" in refusal(name, checkpoints["florence2"])


def test_florence_in_its_authors_layout(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "florence2", "vision_config": {"dim_embed": [8]}}')
    assert "florence-community/Florence-2-large" in refusal("florence2", tmp_path)
