"""Prompts as embeddings, and prompts that CLIP cuts."""

from __future__ import annotations

import pytest
import torch
from diffusion_jobs import differ, job
from diffusion_options import LONG, kind, load, some

from models.t2i._diffusers import prompts
from models.t2i._diffusers.prompts import Prompts

pytestmark = pytest.mark.usefixtures("one_thread")


# --- prompts as embeddings


EMBEDDED = (
    "sd15",
    "sdxl",
    "sd3",
    "flux",
    "flux_kontext",
    "pixart",
    "sana",
    "instructpix",
    "sdxl_instructpix",
    "animatediff",
)


def test_every_family_of_embeddings_is_compared(plain):
    compared = {type(pipe).__name__ for name in EMBEDDED for pipe in plain(name)._pipes.values()}
    # DiffBIR's, which encodes prompts as Stable Diffusion does; tests/models/restorers compares its pictures
    assert compared == set(prompts.FAMILIES) - {"StableDiffusionControlNetPipeline"}


@pytest.mark.parametrize(
    "name, negative",
    [
        *((name, None) for name in EMBEDDED),
        *((name, "ugly") for name in ("sd15", "sdxl", "sd3", "pixart", "instructpix")),
    ],
)
def test_embeddings_give_the_pictures_of_the_prompt(checkpoint, plain, monkeypatch, name, negative):
    model = load(checkpoint(name), kind=kind(name), negative_prompt=negative) if negative else plain(name)
    for text in {"text" in model.modes, model.modes == {"text"}}:
        jobs = some(model, text)
        ours = model.generate(jobs)
        with monkeypatch.context() as patch:
            patch.setattr(prompts, "FAMILIES", {})
            assert differ(model.generate(jobs), ours) == 0


@pytest.mark.parametrize("name, encoders", [("sd15", 1), ("sdxl", 2), ("sd3", 3), ("flux", 2), ("pixart", 1)])
def test_a_caption_is_encoded_once(checkpoint, name, encoders):
    model = load(checkpoint(name))
    calls = []
    for part in prompts._encoders(model._pipes["text"]):
        getattr(model._pipes["text"], part).register_forward_hook(lambda *_: calls.append(1))
    for text in (True, False, False) if "image" in model.modes else (True, True):
        for seed in (1, 2, 3):
            model.generate(some(model, text, [seed]))
    # SDXL's embedding of no negative prompt is zeros if its configuration says so, Flux has none
    negatives = (
        0 if name == "flux" or (name == "sdxl" and model._pipes["text"].config.force_zeros_for_empty_prompt) else 1
    )
    assert len(calls) == (3 + negatives) * encoders


def test_memory_for_embeddings_is_bounded(plain, monkeypatch):
    pipe = plain("sd15")._pipes["text"]
    one = Prompts(pipe, None, False)
    ((_, arguments),) = one.groups(pipe, ["a house"])
    size = arguments["prompt_embeds"].nbytes
    small = Prompts(pipe, None, False, limit=2 * size)
    texts = ["a house", "a tree", "a dog"]
    for _ in range(2):
        ((_, again),) = small.groups(pipe, texts)
    assert (
        list(small._kept) == texts[:2] and sum(row["prompt_embeds"].nbytes for row in small._kept.values()) == 2 * size
    )
    assert torch.equal(again["prompt_embeds"], one.groups(pipe, texts)[0][1]["prompt_embeds"])


# --- prompts that CLIP cuts


@pytest.mark.parametrize(
    "name, cut", [("sd15", True), ("sdxl", True), ("instructpix", True), ("sd3", False), ("flux", False)]
)
def test_a_cut_prompt_is_said_once(checkpoint, said, name, cut):
    model = load(checkpoint(name))
    for prompt in ("short", LONG, LONG + "more"):
        model.generate(some(model, "text" in model.modes, prompt=prompt))
    assert len(said) == cut
    if cut:
        tokens = len(model._pipes["text"].tokenizer(LONG).input_ids)
        assert (
            said[0].startswith(f"note: a prompt has {tokens} tokens, of which CLIP sees 77")
            and "--long_prompts" in said[0]
        )


def test_a_cut_negative_prompt_is_said(checkpoint, said):
    load(checkpoint("sd15"), negative_prompt=LONG)
    assert len(said) == 1 and "negative prompt" in said[0]


@pytest.mark.parametrize("name", ["sd15", "sdxl", "instructpix", "sdxl_instructpix", "animatediff"])
def test_long_prompts_are_used_whole(checkpoint, plain, said, name):
    one, other = LONG + "A dog.", LONG + "Zebras!"
    cut, whole = plain(name), load(checkpoint(name), kind=kind(name), long_prompts=True)
    text = "text" in cut.modes
    pictures = {
        model: [model.generate(some(model, text, prompt=each)) for each in (one, other)] for model in (cut, whole)
    }
    assert differ(*pictures[cut]) == 0 and differ(*pictures[whole]) > 0
    short = some(cut, text, prompt="short")
    assert differ(cut.generate(short), whole.generate(short)) == 0


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
@pytest.mark.parametrize("negative", [None, "ugly", LONG])
def test_short_and_long_prompts_in_one_batch(checkpoint, said, name, negative):
    model = load(checkpoint(name), long_prompts=True, negative_prompt=negative)
    for text in (True, False):
        jobs = [
            job(seed, text=text, prompt=each) for seed, each in enumerate((LONG, "short", LONG * 2, "a tree", LONG))
        ]
        assert differ(model.generate(jobs), [model.generate([each])[0] for each in jobs]) <= 1
    assert said == []


def test_a_caption_is_no_weighting_syntax(checkpoint, monkeypatch):
    """The tokens that are encoded are the caption's own, brackets and signs included."""
    model = load(checkpoint("sd15"), {"text"}, long_prompts=True)
    pipe, seen = model._pipes["text"], []
    pipe.text_encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model._prompts._whole(LONG)
    special = set(pipe.tokenizer.all_special_ids)
    kept = [token for ids in seen for token in ids[0].tolist() if token not in special]
    assert kept == [token for token in pipe.tokenizer(LONG).input_ids if token not in special]
    assert all(ids.shape == (1, 77) for ids in seen) and len(seen) > 2
