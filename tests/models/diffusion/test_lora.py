"""LoRA weights whole or not at all, from a file, the hub and its cache; and steps that a scheduler has."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from diffusion_options import load
from safetensors.torch import load_file, save_file

from models.base import ModelError

pytestmark = pytest.mark.usefixtures("one_thread")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
STEPS = [("full", 0.5), ("text", None)]


@pytest.fixture
def weights(lora):
    return load_file(lora("sd15") / "pytorch_lora_weights.safetensors")


@pytest.mark.parametrize(
    "extra, words",
    [
        ({"text_encoder_9.q_proj.lora_A.weight": 2, "text_encoder_9.q_proj.lora_B.weight": 2}, "2 of its"),
        ({"foreign.to_q.lora_A.weight": 2, "foreign.to_q.lora_B.weight": 2}, "foreign.to_q"),
        ({"unet.down_blocks.0.x.dora_scale": 1}, "1 of its .*dora_scale"),
        ({"unet.down_blocks.0.x.hada_w1_a": 1, "unet.down_blocks.0.x.hada_w1_b": 1}, "2 of its"),
        ({"unet.down_blocks.0.x.lokr_w1": 1}, "DoRA or LoKr"),
    ],
)
def test_tensors_that_would_have_no_effect_are_counted(checkpoint, weights, tmp_path, extra, words):
    file = tmp_path / "half.safetensors"
    save_file(weights | {key: torch.ones(2, 4 * size) for key, size in extra.items()}, file)
    with pytest.raises(ModelError, match=words) as failure:
        load(checkpoint("sd15"), {"text"}, lora=str(file))
    assert "--lora" in str(failure.value) and "\n" not in str(failure.value)


@pytest.fixture
def cached(lora, tmp_path, monkeypatch):
    """The hub's cache with that LoRA as some/lora, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--some--lora"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    shutil.copytree(lora("sd15"), repository / "snapshots" / COMMIT)
    return repository


@pytest.mark.parametrize(
    "name",
    [
        "some/lora",
        "some/lora/pytorch_lora_weights.safetensors",
        f"some/lora@{COMMIT}",
        "https://huggingface.co/some/lora/blob/main/pytorch_lora_weights.safetensors",
    ],
)
def test_a_lora_in_the_hubs_cache_needs_no_network(checkpoint, cached, name):
    model = load(checkpoint("sd15"), {"text"}, lora=name)
    assert model.identity == {"lora_revision": COMMIT}
    assert load(checkpoint("sd15"), {"text"}, lora=str(cached)).identity == {"lora_revision": COMMIT}


def test_a_lora_as_a_checkpoint_is_told_what_it_is(weights, tmp_path):
    file = tmp_path / "x.safetensors"
    save_file(weights, file)
    with pytest.raises(ModelError, match="give it with --lora"):
        load(file)
    save_file({"model.diffusion_model.x": torch.ones(1)}, file)
    with pytest.raises(ModelError, match="single file.*--model_dir FOLDER.*from_single_file"):
        load(file)
    (tmp_path / "x.ckpt").write_bytes(b"")
    with pytest.raises(ModelError, match="can run code"):
        load(tmp_path / "x.ckpt")


@pytest.fixture
def lcm(checkpoint, tmp_path):
    """A tiny latent consistency model: a scheduler that knows 50 steps at strength 1."""
    folder = tmp_path / "lcm"
    shutil.copytree(checkpoint("sd15"), folder)
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"_class_name": "LatentConsistencyModelPipeline", "scheduler": ["diffusers", "LCMScheduler"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"_class_name": "LCMScheduler"}))
    return folder


@pytest.mark.parametrize(
    "steps, strengths, words",
    [
        (40, [("full", 0.5)], "--steps 40 at strength 0.5.*give --steps 25"),
        (60, [("text", None)], "--steps 60.*give --steps 50"),
        (45, [("pixel", 0.8), ("text", None)], "strength 0.8.*give --steps 40"),
        (1, [("full", 0.5)], "leaves no step: give --steps 2"),
    ],
)
def test_more_steps_than_a_distilled_checkpoint_has(lcm, steps, strengths, words):
    with pytest.raises(ModelError, match=words):
        load(lcm, steps=steps, strengths=strengths)


def test_the_steps_that_are_named_work(lcm):
    load(lcm, steps=25, strengths=STEPS)


def test_other_schedulers_have_the_steps_of_their_training(checkpoint):
    load(checkpoint("sd15"), steps=40, strengths=STEPS)
    with pytest.raises(ModelError, match="--steps 5000.*give --steps"):
        load(checkpoint("sd15"), steps=5000, strengths=STEPS)


@pytest.mark.parametrize("part", ["unet", "scheduler", "tokenizer", "text_encoder", "vae"])
@pytest.mark.parametrize("value", [None, [], [None], {}, "x", 5])
def test_nulls_in_the_index_are_told(checkpoint, tmp_path, part, value):
    folder = tmp_path / "null"
    shutil.copytree(checkpoint("sd15"), folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, part: value}))
    with pytest.raises(ModelError):
        load(folder)
