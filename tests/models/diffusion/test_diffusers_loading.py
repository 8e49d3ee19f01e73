"""How diffusers checkpoints are loaded: once for all modes, in either variant, and damaged ones not at all."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from diffusion_jobs import UNET, load
from safetensors.torch import load_file, save_file

from models.base import ModelError
from models.t2i import real
from models.t2i._diffusers.model import Model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3", "flux"])
def test_one_load_serves_all_modes(loaded, name):
    text, image = (loaded(name)._pipes[kind] for kind in ("text", "image"))
    assert "Img2Img" not in type(text).__name__ and "Img2Img" in type(image).__name__
    assert all(part is image.components[key] for key, part in text.components.items() if part is not None)


@pytest.mark.parametrize("modes, image", [({"text"}, False), ({"image", "full"}, True)])
def test_only_the_pipeline_that_is_needed(checkpoint, modes, image):
    pipes = load(real.Model(), checkpoint("sdxl"), modes)._pipes
    assert {"Img2Img" in type(pipe).__name__ for pipe in pipes.values()} == {image}


def test_filters_are_off(loaded):
    for pipe in loaded("sd15")._pipes.values():
        assert pipe.safety_checker is None and pipe.feature_extractor is None
    assert all(pipe.watermark is None for pipe in loaded("sdxl")._pipes.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fp16_files", [False, True])
def test_either_variant_serves_either_dtype(copy, dtype, fp16_files):
    for file in copy.glob("*/*.safetensors") if fp16_files else ():
        file.rename(file.with_suffix(".fp16.safetensors"))
    pipes = load(Model(), copy, dtype=dtype)._pipes
    assert {module.dtype for pipe in pipes.values() for module in (pipe.unet, pipe.vae, pipe.text_encoder)} == {dtype}


@pytest.mark.parametrize("dtype, wanted", [(torch.float16, "fp16"), (torch.float32, "full")])
def test_of_both_variants_the_matching_one_is_read(copy, dtype, wanted):
    for file in list(copy.glob("*/*.safetensors")):
        shutil.copy(file, file.with_suffix(".fp16.safetensors"))
    other = copy / (UNET if wanted == "fp16" else UNET.replace(".safe", ".fp16.safe"))
    save_file({key: weight * 0 for key, weight in load_file(other).items()}, other, {"format": "pt"})
    assert load(Model(), copy, {"text"}, dtype)._pipes["text"].unet.conv_in.weight.abs().sum() > 0


def test_the_hub_says_it_in_other_words(copy, monkeypatch):
    from diffusers import StableDiffusionXLPipeline

    def refuse(*_, variant, **__):
        raise OSError(f"Could not find the necessary `safetensors` weights in {{...}} (variant={variant})")

    monkeypatch.setattr(StableDiffusionXLPipeline, "from_pretrained", refuse)
    with pytest.raises(ModelError, match="only pickles"):
        load(Model(), copy)


def test_pickles_are_refused(copy):
    for file in copy.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"pickles \(.bin\) of text_encoder, text_encoder_2, unet, vae"):
        load(Model(), copy)


@pytest.mark.parametrize("file", [UNET, "text_encoder/model.safetensors"])
@pytest.mark.parametrize("fp16_files", [False, True])
def test_truncated_weights(copy, file, fp16_files):
    (copy / file).write_bytes((copy / file).read_bytes()[:1000])
    for part in copy.glob("*/*.safetensors") if fp16_files else ():
        part.rename(part.with_suffix(".fp16.safetensors"))
    with pytest.raises(ModelError, match="cannot load") as caught:
        load(Model(), copy)
    assert "no file named" not in str(caught.value) and "no such" not in str(caught.value)


@pytest.mark.parametrize("file", [UNET, "text_encoder_2/model.safetensors"])
def test_missing_weights(copy, file):
    weights = load_file(copy / file)
    kept = {key: weights[key] for key in weights if not key.endswith("norm1.weight")}  # of several layers
    save_file(kept, copy / file, {"format": "pt"})
    with pytest.raises(ModelError, match="lacks .*norm1.weight"):
        load(Model(), copy)


@pytest.mark.parametrize("part, words", [("unet", "cannot load"), ("tokenizer", "lacks"), ("scheduler", "cannot load")])
def test_missing_parts(copy, part, words):
    shutil.rmtree(copy / part)
    with pytest.raises(ModelError, match=words):
        load(Model(), copy)


def test_a_part_with_code_of_its_own_is_not_run(copy):
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "unet": ["own", "Unet"]}))
    (copy / "unet/own.py").write_text("raise SystemExit('this code was run')")
    with pytest.raises(ModelError, match="cannot load"):
        load(Model(), copy)


def test_an_absent_device(checkpoint):
    with pytest.raises(ModelError, match="--device"):
        Model().load(str(checkpoint("pixart")), "cuda:99", torch.float32, frozenset({"text"}))
