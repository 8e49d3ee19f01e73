"""Every decoder's own file, on a tiny checkpoint of its architecture: modes, sizes, batches, and what the picture
depends on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import diffusers
import pytest
import torch
from diffusion_jobs import differ, guide, load
from every_decoder import CASES, DECODERS, EDIT, ODD, task

import models
from models.base import ModelError
from models.t2i._diffusers import model as family

pytestmark = pytest.mark.usefixtures("one_thread")


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
