"""PASD from its authors' files: pictures as theirs, in batches and alone, and what is refused before it is read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_restoration as tiny
import torch

import models
from models.base import Job, ModelError
from models.t2i import pasd

GOLDEN = Path(__file__).parents[2] / "golden" / "pasd.npy"
SIZE, SMALL = (640, 480), (128, 96)
UNET, CONTROL = (f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "controlnet"))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.pasd(tmp_path_factory.mktemp("pasd") / "pasd")


@pytest.fixture(scope="module")
def base(checkpoint):
    return str(checkpoint("sd15"))


def load(folder, base, **options):
    model = models.create("t2i", "pasd")
    model.load(str(folder), "cpu", torch.float32, frozenset({"full"}), base=base, **options)
    return model


@pytest.fixture(scope="module")
def loaded(folder, base):
    return load(folder, base)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture
def half(monkeypatch):
    """Pictures have half of the authors' sides, where the size is not what is told."""
    monkeypatch.setattr(pasd, "SHORT", pasd.SHORT // 2)


def job(seed=11, prompt="a boat on a lake", steps=3, size=SIZE, **other):
    fields = {"name": "a", "guide": tiny.guide(*size), "size": size, "strength": None, **other}
    return Job(prompt=prompt, seed=seed, steps=steps, **fields)


def pixels(picture):
    return np.asarray(picture).astype(int)


def refusal(folder, base, **options):
    with pytest.raises(ModelError) as caught:
        load(folder, base, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_picture_is_the_authors(loaded):
    """Every 16th pixel of what their code makes of the same checkpoint, guide, caption and noise."""
    made = loaded.generate([job()])[0]
    assert made.size == (1024, 768)  # the short side enlarged to 768
    assert np.abs(pixels(made)[::16, ::16] - np.load(GOLDEN)).max() <= 1


def test_a_batch_equals_its_pictures_alone(loaded, half):
    jobs = [job(seed, f"caption {seed}", 2, SMALL, guide=tiny.guide(*SMALL).rotate(90 * seed)) for seed in (1, 2)]
    both = [pixels(picture) for picture in loaded.generate(jobs)]
    assert np.abs(both[1] - pixels(loaded.generate(jobs[1:])[0])).max() <= 1
    assert np.abs(both[1] - both[0]).mean() > 5


def test_large_latents_go_through_the_denoiser_in_tiles(loaded, half, monkeypatch):
    whole = pixels(loaded.generate([job(steps=1, size=SMALL)])[0])
    seen = []
    denoised = loaded._denoised
    monkeypatch.setattr(
        loaded, "_denoised", lambda latents, *rest: (seen.append(latents.shape), denoised(latents, *rest))[1]
    )
    monkeypatch.setattr(pasd, "TILE", 8)
    monkeypatch.setattr(pasd, "OVERLAP", 4)
    tiled = pixels(loaded.generate([job(steps=1, size=SMALL)])[0])
    assert seen == [(8, 4, 8, 8), (4, 4, 8, 8)]  # 2 x 3 tiles at most 4 to a call, with and without the caption
    assert tiled.shape == whole.shape and 0 < np.abs(tiled - whole).mean() < 40


def test_the_authors_words_stand_after_the_caption(loaded):
    assert loaded.prompt("a boat") == "a boat, clean, high-resolution, 8k"
    assert loaded.prompt(loaded.image_prompt) == "clean, high-resolution, 8k"
    assert (loaded.steps, loaded.guidance) == (20, 9.0) and loaded.negative.startswith("blurry, dotted")


@pytest.mark.parametrize(
    "size, enlarged",
    [((640, 480), (1024, 768)), ((1024, 1000), (1024, 1000)), ((100, 1024), (768, 7864)), ((779, 1003), (776, 1000))],
)
def test_small_pictures_are_enlarged_and_sides_are_multiples(size, enlarged):
    assert pasd._enlarged(tiny.guide(*size), 8).size == enlarged


@pytest.mark.parametrize(
    "part, change, words",
    [
        ("unet", {"addition_embed_type": "text_time"}, "PASD-SDXL"),
        ("controlnet", {"use_rrdb": True}, "pasd_rrdb"),
    ],
)
def test_other_versions_are_told_by_their_configuration(copy, base, part, change, words):
    file = copy / part / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    (copy / UNET).unlink()  # not needed to tell
    assert words in refusal(copy, base)


@pytest.mark.parametrize(
    "file, old, new, words",
    [
        (UNET, ".pixel_attentions.0.norm", ".attentions.0.attn2_plus", "pasd_light"),
        (CONTROL, ".to_rgbs.0", ".preprocesser.0", "pasd_rrdb"),
        (UNET, ".pixel_attentions.", ".others.", "stock UNet"),
        (UNET, "conv_out.weight", "conv_outer.weight", "lacks 1 (conv_out.weight)"),
        (CONTROL, "mid_block.resnets.0.norm1.bias", "extra", "has, beyond this model's, 1 (extra)"),
    ],
)
def test_other_versions_are_told_by_their_weights(copy, base, file, old, new, words):
    def rename(tensors):
        for name in [name for name in tensors if old in name]:
            tensors[name.replace(old, new)] = tensors.pop(name)

    tiny.resaved(copy / file, rename)
    assert words in refusal(copy, base)


def test_a_checkpoint_in_its_authors_folders_is_found(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "runs" / "pasd" / "checkpoint-100000")
    model = models.create("t2i", "pasd")
    model.inspect(str(tmp_path))
    assert model._unet["cross_attention_dim"] == 32


def test_parts_that_are_missing(copy, base, tmp_path):
    assert "there is no folder" in refusal(tmp_path / "nowhere", base)
    assert "is a file. --model_dir takes a folder" in refusal(copy / UNET, base)
    shutil.rmtree(copy / "unet")
    assert "has no unet/config.json" in refusal(copy, base)
    shutil.copytree(copy / "controlnet", tmp_path / "alone")
    assert "has no unet/config.json" in refusal(tmp_path / "alone", base)


def test_bases_that_do_not_fit(folder, copy, base, checkpoint, tmp_path):
    assert "no Stable Diffusion" in refusal(folder, str(checkpoint("sdxl")))
    assert "is a file: this PASD takes a folder in diffusers' layout" in refusal(folder, str(folder / UNET))
    assert "--base: there is no folder" in refusal(folder, str(tmp_path / "nowhere"))
    config = copy / "unet" / "config.json"
    config.write_text(config.read_text().replace('"cross_attention_dim": 32', '"cross_attention_dim": 48'))
    assert "text embeddings 32 wide, and this PASD was trained on 48" in refusal(copy, base)


class Canary:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        import os

        return os.mkdir, (self.path,)


def test_damaged_files_and_code_are_refused(copy, base, tmp_path):
    weights = copy / UNET
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "truncated or damaged" in refusal(copy, base)
    weights.unlink()
    torch.save({"conv_in.weight": Canary(tmp_path / "canary")}, weights.with_suffix(".bin"))
    assert "would run code" in refusal(copy, base) and not (tmp_path / "canary").exists()


def test_options_without_effect_are_refused(folder, base):
    assert "takes no LoRA" in refusal(folder, base, lora="x")
    assert "no effect at guidance 1" in refusal(folder, base, guidance=1.0, negative_prompt="blurry")
    assert "--offload model needs" in refusal(folder, base, offload="model")


def test_without_guidance_the_negative_prompt_means_nothing(folder, base, half):
    model = load(folder, base, guidance=1.0)
    made = pixels(model.generate([job(steps=1, size=SMALL)])[0])
    model.guidance = 9.0
    assert np.abs(made - pixels(model.generate([job(steps=1, size=SMALL)])[0])).max() > 1


def test_a_job_without_a_reference_is_refused(loaded):
    with pytest.raises(ModelError, match="no reference to restore"):
        loaded.generate([job(guide=None)])


@pytest.mark.parametrize(
    "part, change",
    [("unet", {"act_fn": 1}), ("unet", {"transformer_layers_per_block": [0]}), ("controlnet", {"norm_num_groups": 0})],
)
def test_configurations_that_make_no_network(copy, base, part, change):
    file = copy / part / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert f"the configuration in {copy / part} makes no network: " in refusal(copy, base)
