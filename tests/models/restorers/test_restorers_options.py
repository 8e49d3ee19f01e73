"""Offload and compiling of the restoration decoders: the same pictures, and nothing left where it should not be."""

from __future__ import annotations

import functools
import importlib

import accelerate.hooks
import numpy as np
import pytest
import torch
from restoring import DECODERS, SHORT
from tiny_restoration import guide

import models
from models.base import Job
from models.t2i._diffusers import options as settings

SIZE = (128, 64)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=DECODERS)
def decoder(request, monkeypatch):
    monkeypatch.setattr(importlib.import_module(f"models.t2i.{request.param}"), "SHORT", SHORT)
    return request.param


@pytest.fixture
def load(restorer, decoder):
    def loaded(**options):
        model, files = models.create("t2i", decoder), restorer(decoder)
        model.load(str(files.model_dir), "cpu", torch.float32, frozenset({"full"}), base=str(files.base), **options)
        return model

    return loaded


def pictures(model, *seeds):
    jobs = [Job(str(seed), f"caption {seed}", guide(*SIZE), SIZE, seed, None, 2) for seed in seeds]
    return np.stack([np.asarray(picture).astype(int) for picture in model.generate(jobs)])


@pytest.mark.parametrize("kind", ["model", "sequential"])
def test_offloaded_pictures_are_the_same(load, monkeypatch, kind):
    """The libraries' own hooks with the CPU in the GPU's place, as in test_diffusers_offload.py."""
    place, cpu = accelerate.hooks.set_module_tensor_to_device, {"cpu:0": "cpu"}
    monkeypatch.setattr(
        accelerate.hooks,
        "set_module_tensor_to_device",
        lambda module, name, device, **options: place(module, name, cpu.get(str(device), device), **options),
    )
    monkeypatch.setattr(settings, "_refuse_offload", lambda *_: None)
    expected = pictures(load(), 1, 2)
    model = load(offload=kind)
    for _ in range(2):
        assert np.abs(pictures(model, 1, 2) - expected).max() <= 1
    parts = [part for part in model._pipe.components.values() if hasattr(part, "parameters")]
    own = [getattr(model, name) for name in model.parts_beside]
    if kind == "sequential":
        held = {weight.device.type for part in parts for name, weight in part.named_parameters()}
        assert held == {"meta"}
    else:
        assert all(hasattr(part, "_hf_hook") for part in parts)
    assert {weight.device.type for part in own for weight in part.parameters()} <= {"cpu"}


def test_compiled_pictures_are_the_same(load, monkeypatch):
    """Traced as ever, and run by torch itself: what is compiled here is not the compiler."""
    expected = pictures(load(), 1)
    traced = []

    def run(graph, example):
        traced.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=run))
    model = load(compile=True)
    for _ in range(2):
        assert np.abs(pictures(model, 1) - expected).max() <= 1
    assert traced and model._pipe.unet._compiled_call_impl
