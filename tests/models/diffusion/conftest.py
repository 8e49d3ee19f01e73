"""Tiny diffusers checkpoints, loaded once a session or copied to be damaged; LoRA weights for them."""

from __future__ import annotations

import functools
import logging
import shutil

import diffusion_jobs
import pytest
import torch
from diffusion_options import kind, load

from models.t2i._diffusers.model import Model


@pytest.fixture(scope="session")
def loaded(checkpoint):
    """loaded("sdxl") is a Model with that tiny checkpoint, loaded once a session for all its modes."""
    return functools.cache(lambda name: diffusion_jobs.load(Model(), checkpoint(name)))


@pytest.fixture
def copy(checkpoint, tmp_path):
    """A copy of the tiny SDXL to damage."""
    return shutil.copytree(checkpoint("sdxl"), tmp_path / "copy")


@pytest.fixture(scope="session")
def plain(checkpoint):
    """plain("sdxl") is that tiny checkpoint loaded without options, once a session."""
    return functools.cache(lambda name: load(checkpoint(name), kind=kind(name)))


@pytest.fixture
def said(monkeypatch):
    """What is said to the user, line by line."""
    lines, handler = [], logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    monkeypatch.setattr(logging.getLogger("cmcbench"), "handlers", [handler])
    return lines


@pytest.fixture(scope="session")
def lora(checkpoint, tmp_path_factory):
    """lora("sdxl") is a folder with LoRA weights for that tiny checkpoint's denoiser, made by diffusers and peft."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    @functools.cache
    def make(name, scale=1.0):
        pipe = load(checkpoint(name), {"text"})._pipes["text"]
        part = "unet" if hasattr(pipe, "unet") else "transformer"
        denoiser = getattr(pipe, part)
        denoiser.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v", "to_out.0"]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            weights = {
                key: scale * torch.randn_like(value) for key, value in get_peft_model_state_dict(denoiser).items()
            }
        folder = tmp_path_factory.mktemp("lora")
        type(pipe).save_lora_weights(folder, **{f"{part}_lora_layers": weights})
        return folder

    return make
