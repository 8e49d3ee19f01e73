"""AnimateDiff from a motion module or a whole pipeline, and what is neither."""

from __future__ import annotations

import shutil

import diffusers
import pytest
import torch
from diffusion_jobs import differ, load
from every_decoder import ALL, ODD, task
from safetensors.torch import load_file, save_file

from models.base import ModelError
from models.t2i import animatediff

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def motion(checkpoint, tmp_path):
    """A copy of the motion module to damage."""
    return shutil.copytree(checkpoint("motion_adapter"), tmp_path / "motion")


@pytest.fixture
def animated(checkpoint, monkeypatch):
    monkeypatch.setattr(animatediff.Model, "base", str(checkpoint("sd15")))
    return animatediff.Model()


def test_a_motion_module_equals_the_bare_pipelines(decoder, checkpoint):
    adapter = diffusers.MotionAdapter.from_pretrained(checkpoint("motion_adapter"))
    bare = diffusers.AnimateDiffPipeline.from_pretrained(checkpoint("sd15"), motion_adapter=adapter)
    schedule = {"beta_schedule": "linear", "clip_sample": False, "timestep_spacing": "linspace", "steps_offset": 1}
    bare.scheduler = diffusers.DDIMScheduler.from_pretrained(checkpoint("sd15"), subfolder="scheduler", **schedule)
    model, options = decoder("animatediff"), {"width": 128, "height": 96, "num_inference_steps": 4}
    one = task(model, text=True)
    frames = bare(one.prompt, num_frames=1, generator=torch.Generator().manual_seed(one.seed), **options).frames
    assert differ(model.generate([one]), frames[0]) == 0
    twin = diffusers.AnimateDiffVideoToVideoPipeline(**bare.components)
    one = task(model)
    options.update(video=[one.guide.resize(ODD)], strength=one.strength)
    frames = twin(prompt=one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).frames
    assert differ(model.generate([one]), frames[0]) == 0


def test_animatediff_takes_a_whole_pipeline_and_an_sdxl(checkpoint):
    for name, parts in (("animatediff", "UNetMotionModel"), ("sdxl", "UNet2DConditionModel")):
        model = load(animatediff.Model(), checkpoint(name))
        assert model.modes == ALL and type(model._pipes["text"].unet).__name__ == parts
        assert [model.generate([task(model, text=text)])[0].size for text in (True, False)] == [(128, 96)] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_motion_module_has_the_dtype_of_all(animated, motion, dtype):
    if dtype == torch.float16:
        weights = motion / "diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".fp16.safetensors"))
    pipes = load(animated, motion, dtype=dtype)._pipes
    assert {part.dtype for pipe in pipes.values() for part in (pipe.unet, pipe.vae, pipe.text_encoder)} == {dtype}


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda weights: weights.write_bytes(weights.read_bytes()[:1000]), "cannot load"),
        (lambda weights: weights.rename(weights.with_suffix(".bin")), "cannot load|pickles"),
        (lambda weights: save_file(dict(list(load_file(weights).items())[9:]), weights, {"format": "pt"}), "lacks"),
    ],
)
def test_a_damaged_motion_module(animated, motion, damage, words):
    damage(motion / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ModelError, match=words) as caught:
        load(animated, motion)
    assert "\n" not in str(caught.value)


def test_a_motion_module_of_another_size(animated, motion):
    diffusers.MotionAdapter(block_out_channels=(8, 16), motion_norm_num_groups=4).save_pretrained(motion)
    with pytest.raises(ModelError, match="does not fit"):
        load(animated, motion)


def test_a_base_that_is_no_sd15(animated, checkpoint, monkeypatch):
    monkeypatch.setattr(animatediff.Model, "base", str(checkpoint("sdxl")))
    with pytest.raises(ModelError, match="no Stable Diffusion 1.5"):
        load(animated, checkpoint("motion_adapter"))


def test_the_base_of_a_motion_module_can_be_named(checkpoint):
    model = animatediff.Model()
    model.base = str(checkpoint("sd15"))  # as step 2 does for --base
    assert load(model, checkpoint("motion_adapter"))._base.name == model.base != animatediff.Model.base


def test_what_is_neither(animated, tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="no model_index.json"):
        animated.inspect(str(tmp_path))
    with pytest.raises(ModelError, match="no folder"):
        animated.inspect("/no/such/folder")
