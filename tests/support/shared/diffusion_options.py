"""Tiny diffusers checkpoints loaded with options, and jobs for them."""

from __future__ import annotations

import torch
from diffusion_jobs import job

from models.t2i import animatediff
from models.t2i._diffusers.model import Model

LONG = "a red house (near+ the [river]0.5) and a tree. " * 6  # some 190 of the tiny tokenizer's tokens


def load(folder, modes=None, device="cpu", kind=Model, dtype=torch.float32, **options):
    model = kind()
    model.inspect(str(folder))
    model.load(str(folder), device, dtype, frozenset(modes or model.modes), **options)
    return model


def kind(name):
    return animatediff.Model if name == "animatediff" else Model


def some(model, text=False, seeds=(1,), **other):
    fixed = {} if text or model.accepts_strength else {"strength": None}
    return [job(seed, text=text, **{**fixed, **other}) for seed in seeds]
