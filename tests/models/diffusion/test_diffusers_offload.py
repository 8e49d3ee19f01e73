"""Offload, tiling and compiling: the same pictures, and nothing left where it should not be."""

from __future__ import annotations

import shutil

import accelerate.hooks
import pytest
from diffusion_jobs import ALL, differ
from diffusion_options import load, some

from models.base import ModelError
from models.t2i._diffusers import options as settings

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("device", ["cpu", "mps"])
@pytest.mark.parametrize("kind", ["model", "sequential"])
def test_offload_wants_a_gpu(checkpoint, tmp_path, device, kind):
    """Before any weights are read: a folder of the index alone will do."""
    shutil.copy(checkpoint("sdxl") / "model_index.json", tmp_path)
    with pytest.raises(ModelError, match=f"--offload {kind} needs .* not '{device}'"):
        load(tmp_path, ALL, device, offload=kind)


def test_sequential_offload_is_not_compiled(checkpoint):
    with pytest.raises(ModelError, match="--compile"):
        load(checkpoint("sdxl"), device="cuda", offload="sequential", compile=True)


@pytest.mark.parametrize("kind, wanted", [("model", 2), ("sequential", 1)])
def test_offload_instead_of_moving_to_the_gpu(checkpoint, monkeypatch, kind, wanted):
    """There is no GPU here: diffusers' functions are replaced, and only who is called with what can be seen."""
    from diffusers import DiffusionPipeline

    calls = []
    monkeypatch.setattr(
        DiffusionPipeline, f"enable_{kind}_cpu_offload", lambda pipe, device: calls.append((pipe, device))
    )
    monkeypatch.setattr(DiffusionPipeline, "to", lambda *_: pytest.fail("moved as a whole"))
    model = load(checkpoint("sdxl"), device="cuda:1", offload=kind)
    assert [device for _, device in calls] == ["cuda:1"] * wanted
    assert [pipe for pipe, _ in calls] == list(model._pipes.values())[:wanted]


@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_twins_do_not_break_each_others_hooks(checkpoint, plain, monkeypatch, name):
    """Diffusers' own hooks with the CPU as the device that they move modules to: all but the copy to a GPU is real."""
    monkeypatch.setattr(settings, "_refuse_offload", lambda *_: None)
    model = load(checkpoint(name), offload="model")
    for text in (True, False, True, False):
        jobs = some(model, text, (1, 2))
        assert differ(model.generate(jobs), plain(name).generate(jobs)) <= 1
        assert all(hasattr(pipe.vae, "_hf_hook") and len(pipe._all_hooks) > 2 for pipe in model._pipes.values())


@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_layers_are_fetched_one_by_one(checkpoint, plain, monkeypatch, name):
    """Accelerate's own hooks, set once for the twins: no weight is anywhere but in the CPU's store between two layers.

    They ask for the device "cpu:0", which no tensor calls itself: a copy that is one on a GPU alone is spared here.
    """
    place = accelerate.hooks.set_module_tensor_to_device
    cpu = {"cpu:0": "cpu"}
    monkeypatch.setattr(
        accelerate.hooks,
        "set_module_tensor_to_device",
        lambda module, name, device, **options: place(module, name, cpu.get(str(device), device), **options),
    )
    monkeypatch.setattr(settings, "_refuse_offload", lambda *_: None)
    model = load(checkpoint(name), offload="sequential")
    parts = [part for pipe in model._pipes.values() for part in pipe.components.values() if hasattr(part, "parameters")]
    for text in (True, False, True, False):
        jobs = some(model, text, (1, 2))
        assert differ(model.generate(jobs), plain(name).generate(jobs)) <= 1
        assert {weight.device.type for part in parts for weight in part.parameters()} == {"meta"}


def test_tiling(checkpoint):
    model = load(checkpoint("sdxl"), vae_tiling=True)
    assert all(pipe.vae.use_tiling for pipe in model._pipes.values()) and model.generate(some(model))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_pictures_are_the_same(checkpoint, plain):
    model = load(checkpoint("pixart"), compile=True)
    assert model._pipes["text"].transformer._compiled_call_impl
    jobs = some(model, text=True)
    assert differ(model.generate(jobs), plain("pixart").generate(jobs)) <= 1


def test_the_twin_is_compiled_too(checkpoint):
    assert load(checkpoint("sdxl"), compile=True)._pipes["image"].unet._compiled_call_impl
