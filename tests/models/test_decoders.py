"""Every decoder's own file, on a tiny checkpoint of its architecture: modes, sizes, batches, and what the picture
depends on."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import diffusers
import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus
from safetensors.torch import load_file, save_file
from test_diffusers_family import differ, guide, job, load

import models
from models.base import ModelError
from models.t2i import animatediff
from models.t2i._diffusers import model as family

ALL = {"full", "image", "pixel", "text"}
EDIT = {"full", "image", "text"}
# name on the command line -> tiny checkpoint, modes, the size that comes out for ODD
ODD = (150, 100)
DECODERS = {
    "real": ("sdxl", ALL, (128, 96)),
    "sdxl": ("sdxl", ALL, (128, 96)),
    "sd15": ("sd15", ALL, (128, 96)),
    "instructpix": ("instructpix", {"full", "image"}, (128, 96)),
    "ssd1b": ("ssd1b", ALL, (128, 96)),
    "pg20": ("sdxl", ALL, (128, 96)),
    "pg25": ("pg25", ALL, (128, 96)),
    "dreamlike": ("sd15", ALL, (128, 96)),
    "animate": ("sdxl", ALL, (128, 96)),
    "animatediff": ("motion_adapter", ALL, (128, 96)),
    "sd3": ("sd3", ALL, (128, 96)),
    "flux": ("flux", ALL, (128, 96)),
    "flux-kontext": ("flux_kontext", EDIT, (128, 96)),
    "flux2": ("flux2", EDIT, (128, 96)),
    "qwen-image": ("qwen_image", ALL, (144, 96)),
    "qwen-image-edit": ("qwen_image_edit_plus", {"full", "image"}, (144, 96)),
    "z-image": ("z_image", ALL, (128, 96)),
    "kandinsky3": ("kandinsky3", ALL, (128, 64)),
    "pixart": ("pixart", {"text"}, (128, 96)),
    "sana": ("sana", {"text"}, (128, 96)),
}
GUIDED = [name for name, (_, modes, _) in DECODERS.items() if "full" in modes]
TEXT = [name for name, (_, modes, _) in DECODERS.items() if "text" in modes]
CASES = [(name, text) for name in DECODERS for text in (False, True) if name in (TEXT if text else GUIDED)]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", autouse=True)
def small_area():
    """Qwen-Image-Edit brings every guide to an area of 1024x1024, which takes seconds even where all else is tiny."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", 256 * 256)
        yield


@pytest.fixture(scope="module")
def decoder(checkpoint):
    """decoder("flux") is that adapter with its tiny checkpoint, loaded for all its modes."""

    def make(name):
        model = models.create("t2i", name)
        if model.base is not None:
            model.base = str(checkpoint("sd15"))
        return load(model, checkpoint(DECODERS[name][0]))

    return functools.cache(make)


def task(model, seed=1, text=False, **other):
    strength = 0.5 if model.accepts_strength and not text else None
    return job(seed, text=text, **{"size": ODD, "steps": 4, "strength": strength, **other})


def test_every_decoder_is_here():
    families = {name for name in models.names("t2i") if isinstance(models.create("t2i", name), family.Model)}
    assert families - {"diffbir", "pasd", "stablesr"} == set(DECODERS)  # restoration has tests of its own


@pytest.mark.parametrize("name", DECODERS)
def test_the_modes_are_known_before_and_after_loading(name, decoder):
    before, after = models.create("t2i", name), decoder(name)
    assert before.modes == after.modes == DECODERS[name][1]
    assert before.accepts_strength == after.accepts_strength
    assert before.default_dir and before.parameters > 1


@pytest.mark.parametrize("name, text", CASES)
def test_size_and_what_the_picture_depends_on(decoder, name, text):
    model = decoder(name)
    first = task(model, text=text)
    one = model.generate([first])
    assert one[0].size == DECODERS[name][2] and one[0].mode == "RGB"
    assert differ(one, model.generate([first])) == 0
    changes = [{"prompt": "quite another"}, {"seed": 8}]
    if not text:
        edge = first.guide.copy()
        edge.paste("white", (edge.width - 6, 0, edge.width, edge.height))  # what cropping would take away
        changes += [{"guide": guide(99, ODD)}, {"guide": edge}]
    if first.strength:
        changes += [{"strength": 1.0}]
    for change in changes:
        assert differ(one, model.generate([replace(first, **change)])) > 0, change


@pytest.mark.parametrize("name, text", CASES)
def test_a_batch_equals_its_images(decoder, name, text):
    model = decoder(name)
    jobs = [task(model, seed, text) for seed in (1, 2, 3)]
    assert model.max_batch in (None, 1)
    if model.max_batch is None:
        batch = model.generate(jobs)
        assert differ(batch, [model.generate([each])[0] for each in jobs]) <= 1
        assert differ(batch[:1], batch[1:2]) > 0


def test_importing_all_imports_no_library():
    code = "import sys, models; [models.create('t2i', name) for name in models.names('t2i')]"
    code += "; print({'torch', 'diffusers', 'transformers', 'cmcbench'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("set()\n", "")


# --- guidance that a checkpoint wants


@pytest.mark.parametrize(
    "name, option, own, given",
    [
        ("z-image", "guidance", 0.0, 4.0),
        ("qwen-image", "negative_prompt", " ", "blurred"),
        ("qwen-image-edit", "negative_prompt", " ", ""),
    ],
)
def test_what_a_checkpoint_wants_unless_the_user_says_otherwise(monkeypatch, name, option, own, given):
    seen = []
    monkeypatch.setattr(family.Model, "load", lambda self, *arguments, **options: seen.append(options))
    model = models.create("t2i", name)
    for said in ({}, {option: None}, {option: given}):
        model.load(None, "cpu", torch.float32, model.modes, lora=None, **said)
    assert seen == [{option: value, "lora": None} for value in (own, own, given)]


# --- edit models


@pytest.mark.parametrize("name", ["instructpix", "flux-kontext", "flux2", "qwen-image-edit"])
def test_an_edit_model_is_not_another_model(checkpoint, name):
    with pytest.raises(ModelError, match="no edit model"):
        models.create("t2i", name).inspect(str(checkpoint("sd15")))


def test_the_older_qwen_image_edit(checkpoint):
    model = load(models.create("t2i", "qwen-image-edit"), checkpoint("qwen_image_edit"))
    one, other = (model.generate([task(model, steps=1, seed=1, guide=each)]) for each in (guide(1), guide(2)))
    assert one[0].size == (144, 96) and differ(one, other) > 0


def test_kontext_equals_the_bare_pipeline_at_the_size_asked_for(decoder, checkpoint):
    bare = diffusers.FluxKontextPipeline.from_pretrained(checkpoint("flux_kontext"))
    one = task(decoder("flux-kontext"), size=(128, 96))
    options = {"width": 128, "height": 96, "max_area": 128 * 96, "_auto_resize": False, "num_inference_steps": 4}
    options["image"] = one.guide.resize((128, 96))
    expected = bare(prompt=one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    assert differ(decoder("flux-kontext").generate([one]), expected) == 0


def test_flux2_equals_the_bare_pipeline(decoder, checkpoint):
    bare = diffusers.Flux2KleinPipeline.from_pretrained(checkpoint("flux2"))
    one = task(decoder("flux2"))
    options = {"image": one.guide.resize((128, 96)), "num_inference_steps": 4}  # the size is then the guide's
    expected = bare(prompt=one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    assert differ(decoder("flux2").generate([one]), expected) == 0


def test_flux2_dev_equals_the_bare_pipeline(checkpoint):
    """The large one has another text encoder, and guidance as an input of its transformer."""
    bare = diffusers.Flux2Pipeline.from_pretrained(checkpoint("flux2_dev"))
    model = load(models.create("t2i", "flux2"), checkpoint("flux2_dev"))
    assert model.modes == EDIT and not model.accepts_strength
    for text in (False, True):
        one = task(model, text=text, steps=2)
        options = {"width": 128, "height": 96, "num_inference_steps": 2}
        options["image"] = None if text else one.guide.resize((128, 96))
        expected = bare(prompt=one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
        made = model.generate([one])
        assert differ(made, expected) == 0
        for change in ({"prompt": "quite another"}, {"seed": 8}):
            assert differ(made, model.generate([replace(one, **change)])) > 0
    guided = models.create("t2i", "flux2")
    guided.load(str(checkpoint("flux2_dev")), "cpu", torch.float32, frozenset({"full"}), guidance=1.5)
    one = task(model, steps=2)
    assert differ(model.generate([one]), guided.generate([one])) > 0
    with pytest.raises(ModelError, match="no negative prompt"):
        guided.load(str(checkpoint("flux2_dev")), "cpu", torch.float32, frozenset({"full"}), negative_prompt="ugly")


def test_a_processor_without_words_is_told(checkpoint, tmp_path):
    """FLUX.2 dev's has the tokenizer's place, and is looked into like one."""
    folder = shutil.copytree(checkpoint("flux2_dev"), tmp_path / "cut")
    file = folder / "tokenizer" / "tokenizer.json"
    words = json.loads(file.read_text())
    words["model"]["vocab"], words["model"]["merges"] = dict(list(words["model"]["vocab"].items())[:20]), []
    file.write_text(json.dumps(words))
    with pytest.raises(ModelError, match="incomplete. It lacks tokenizer"):
        load(models.create("t2i", "flux2"), folder)


# --- AnimateDiff


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
