"""--lora on tiny checkpoints: what it changes, and what does not fit."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from diffusion_jobs import differ
from diffusion_options import load, some
from safetensors.torch import load_file, save_file

from models.base import ModelError
from models.t2i._diffusers.model import Model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux"])
def test_a_lora_changes_every_mode(checkpoint, plain, lora, name):
    changed = load(checkpoint(name), lora=str(lora(name)))
    for text in (True, False):
        jobs = some(changed, text)
        assert differ(changed.generate(jobs), plain(name).generate(jobs)) > 1


def test_a_lora_by_file_and_in_half_precision(checkpoint, lora):
    file = lora("sdxl") / "pytorch_lora_weights.safetensors"
    jobs = some(Model(), text=True)
    expected = load(checkpoint("sdxl"), {"text"}, lora=str(lora("sdxl"))).generate(jobs)
    assert differ(load(checkpoint("sdxl"), {"text"}, lora=str(file)).generate(jobs), expected) == 0
    assert load(checkpoint("sdxl"), {"text"}, dtype=torch.bfloat16, lora=str(file)).generate(jobs)


def test_a_lora_of_zeros_changes_nothing(checkpoint, plain, lora):
    jobs = some(plain("sdxl"))
    assert (
        differ(load(checkpoint("sdxl"), lora=str(lora("sdxl", 0.0))).generate(jobs), plain("sdxl").generate(jobs)) <= 1
    )


def damaged(folder, weights):
    save_file(weights, folder / "one.safetensors")
    return folder


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda weights: {key: value.repeat(2, 2) for key, value in weights.items()}, "does not fit"),
        (lambda weights: {f"other.{key}": value for key, value in weights.items()}, "does not fit"),
        (lambda weights: {key.replace("lora", "strange"): value for key, value in weights.items()}, "does not fit"),
        (lambda weights: {**weights, "unet.nowhere.to_q.lora_A.weight": torch.ones(2, 8)}, "does not fit"),
    ],
)
def test_a_lora_that_does_not_fit(checkpoint, lora, tmp_path, change, words):
    weights = load_file(lora("sdxl") / "pytorch_lora_weights.safetensors")
    with pytest.raises(ModelError, match=words) as caught:
        load(checkpoint("sdxl"), {"text"}, lora=str(damaged(tmp_path, change(weights))))
    assert "--lora" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "files, named, words",
    [
        ([], "no/such/lora.safetensors", "no file"),
        ([], "absent.safetensors", "no file"),
        ([], ".", "no safetensors file"),
        (["a.safetensors", "b.safetensors"], ".", "2 safetensors files: name one"),
        (["a.bin"], "a.bin", "no .safetensors file"),
        (["a.safetensors"], "a.safetensors", "is damaged"),
    ],
)
def test_a_lora_that_is_none(checkpoint, tmp_path, monkeypatch, files, named, words):
    monkeypatch.chdir(tmp_path)
    for file in files:
        (tmp_path / file).write_bytes(b"no weights")
    with pytest.raises(ModelError, match=words):
        load(checkpoint("sdxl"), {"text"}, lora=named)


def test_a_lora_from_the_hub_without_network(checkpoint):
    with pytest.raises(ModelError, match="--lora some/lora: there is no file .* hf download some/lora") as caught:
        load(checkpoint("sdxl"), {"text"}, lora="some/lora")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("package, option", [("peft", {"lora": "some/lora"}), ("compel", {"long_prompts": True})])
def test_a_package_that_is_missing(checkpoint, monkeypatch, package, option):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    with pytest.raises(ModelError, match=f"pip install '{package}>="):
        load(checkpoint("sdxl"), **option)
