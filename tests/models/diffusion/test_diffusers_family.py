"""The diffusers family on tiny checkpoints of the real architectures, against diffusers called as published."""

from __future__ import annotations

import logging

import pytest
import tiny_t2i
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForText2Image, StableDiffusionInstructPix2PixPipeline
from diffusion_jobs import EVEN, ODD, differ, guide, job, load, pixels

from models.base import ModelError
from models.t2i._diffusers.model import Model

pytestmark = pytest.mark.usefixtures("one_thread")


CASES = [(name, text) for name in ("sd15", "sdxl", "sd3", "flux") for text in (False, True)]
CASES += [("pixart", True), ("instructpix", False), ("sdxl_instructpix", False)]


@pytest.mark.parametrize("name, text", CASES)
def test_a_batch_equals_its_images_in_any_order(loaded, name, text):
    model = loaded(name)
    strength = 0.5 if model.accepts_strength else None
    jobs = [job(seed, ODD, text, strength) for seed in (1, 2, 3)]
    batch = model.generate(jobs)
    assert [image.size for image in batch] == [(192, 128)] * 3 and {image.mode for image in batch} == {"RGB"}
    assert differ(batch, [model.generate([one])[0] for one in jobs]) <= 1
    assert differ(batch, model.generate(jobs[::-1])[::-1]) <= 1
    assert differ(batch[:1], batch[1:2]) > 20 and all(image.std() > 5 for image in pixels(batch))


@pytest.mark.parametrize("name, size", [("sd15", EVEN), ("sd15", ODD), ("sdxl", EVEN), ("sdxl", (1024, 683))])
def test_equal_to_the_published_call(loaded, checkpoint, name, size):
    unfiltered = {"safety_checker": None} if name == "sd15" else {}
    bare = AutoPipelineForImage2Image.from_pretrained(checkpoint(name), use_safetensors=True, **unfiltered)
    one = job(5, size, strength=0.8)
    options = {"image": one.guide.resize(size), "num_inference_steps": one.steps, "strength": one.strength}
    expected = bare(one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    ours = loaded(name).generate([one])
    assert ours[0].size == tuple(side // 32 * 32 for side in size) and differ(ours, expected) == 0


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux", "pixart"])
def test_text_mode_equals_the_bare_pipeline(loaded, checkpoint, name):
    bare = AutoPipelineForText2Image.from_pretrained(checkpoint(name), use_safetensors=True)
    one = job(5, ODD, text=True)
    options = {"width": 192, "height": 128, "num_inference_steps": one.steps}
    expected = bare(one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    assert differ(loaded(name).generate([one]), expected) == 0


def test_instructpix_equals_the_bare_pipeline(loaded, checkpoint):
    bare = StableDiffusionInstructPix2PixPipeline.from_pretrained(checkpoint("instructpix"), safety_checker=None)
    one = job(5, ODD, strength=None)
    options = {"image": one.guide.resize(ODD), "num_inference_steps": one.steps}
    expected = bare(one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    assert differ(loaded("instructpix").generate([one]), expected) == 0


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3"])
def test_modes_leave_no_trace_in_each_other(loaded, name):
    """The twins share one scheduler."""
    first = loaded(name).generate([job()])
    text = loaded(name).generate([job(text=True)])
    assert differ(loaded(name).generate([job()]), first) == 0
    assert differ(loaded(name).generate([job(text=True)]), text) == 0


INPUTS = [{"guide": guide(99)}, {"prompt": "another"}, {"seed": 8}, {"strength": 1.0}]
CHANGES = [(name, change) for name in ("sd15", "sdxl", "sd3") for change in INPUTS]
CHANGES += [("instructpix", change) for change in INPUTS[:3]]


@pytest.mark.parametrize("name, change", CHANGES)
def test_every_input_matters(loaded, name, change):
    fixed = {} if loaded(name).accepts_strength else {"strength": None}
    assert differ(loaded(name).generate([job(**fixed)]), loaded(name).generate([job(**{**fixed, **change})])) > 2


def test_a_strength_without_steps_is_refused(loaded):
    with pytest.raises(ModelError, match="--steps 4 x --strength 0.2"):
        loaded("sd15").generate([job(strength=0.2)])
    assert loaded("sd15").generate([job(strength=0.25)])


def test_pixels_that_are_no_numbers(checkpoint):
    model = load(Model(), checkpoint("sdxl"), {"text"})
    torch.nn.init.constant_(model._pipes["text"].vae.decoder.conv_out.bias, float("nan"))
    with pytest.raises(ModelError, match="in 1.png, 2.png: float32 overflowed; fetch the checkpoint again"):
        model.generate([job(1, text=True), job(2, text=True)])


def test_nothing_is_printed_while_generating(loaded, capfd, monkeypatch):
    said = []
    handler = logging.Handler()
    handler.emit = said.append
    for name in ("diffusers", "transformers"):  # whose own handlers hold on to an older stderr
        monkeypatch.setattr(logging.getLogger(name), "handlers", [handler])
    loaded("sdxl").generate([job(prompt="a long prompt " * 99), job()])
    assert said == [] and capfd.readouterr() == ("", "")


def test_builders_give_the_same_bytes_each_time(checkpoint, tmp_path):
    again = tiny_t2i.sd15(tmp_path / "again")
    files = [file.relative_to(again) for file in again.rglob("*") if file.is_file()]
    assert all((again / file).read_bytes() == (checkpoint("sd15") / file).read_bytes() for file in files)
    assert len(files) > 10
