"""StableSR's checkpoints and options: the authors' files in each shape, and all that is refused, by its name."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
import tiny_stablesr
import torch

import models
from models._weights import read
from models.base import ModelError

FILES = (tiny_stablesr.MODEL, tiny_stablesr.FUSED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_stablesr.make(tmp_path_factory.mktemp("stablesr"))


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the checkpoint that a test may damage."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def load(folder, model_dir=None, **options):
    model = models.create("t2i", "stablesr")
    options = {"base": str(folder / "base"), **options}
    model.load(str(model_dir or folder), "cpu", torch.float32, model.modes, **options)
    return model


def test_files_folder_and_converted_files_are_the_same_model(folder, copied, caplog):
    loaded = load(folder)
    model = load(copied, copied / FILES[0], convert=True)
    assert all((copied / f"{file}.safetensors").is_file() for file in FILES)
    for other in (model, load(copied), load(copied, copied / FILES[0])):
        for part in ("unet", "vae", "text_encoder"):
            ours, theirs = (getattr(each._pipe, part).state_dict() for each in (other, loaded))
            assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert caplog.text.count("S-Lab License 1.0: for non-commercial use only") == 4


@pytest.mark.parametrize(
    "name, what", [("stablesr_768v_000139.ckpt", "StableSR 768v"), ("Turbo.ckpt", "StableSR turbo")]
)
def test_other_versions_are_refused_by_name_unread(folder, tmp_path, name, what):
    (tmp_path / name).write_bytes(b"gigabytes that nobody reads")
    for given, said in ((tmp_path / name, f"{name} is {what}, and this"), (tmp_path, f"holds none of .*but {name}")):
        with pytest.raises(ModelError, match=said):
            models.create("t2i", "stablesr").inspect(str(given))
        with pytest.raises(ModelError, match=said):
            load(folder, given)


def test_a_file_of_another_name(folder, copied):
    (copied / FILES[0]).rename(copied / "model.ckpt")
    with pytest.raises(ModelError, match=f"is none of {FILES[0]}"):
        load(folder, copied / "model.ckpt")


def test_a_folder_without_one_of_the_files(copied):
    (copied / FILES[1]).unlink()
    with pytest.raises(ModelError, match=f"{FILES[0]} needs {FILES[1]}, which is not beside it; Iceclear/StableSR on"):
        load(copied)
    (copied / FILES[0]).unlink()
    with pytest.raises(ModelError, match=f"holds none of {FILES[0]}"):
        models.create("t2i", "stablesr").inspect(str(copied))


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="there is no '.*nowhere.ckpt'. --model_dir takes a file, a folder"):
        models.create("t2i", "stablesr").inspect(str(tmp_path / "nowhere.ckpt"))


def test_a_hub_that_does_not_answer(folder):
    models.create("t2i", "stablesr").inspect("Iceclear/StableSR")  # asks nobody
    with pytest.raises(ModelError, match=f"no {FILES[0]} of that name on the hub"):
        load(folder, "nobody/nothing")


@pytest.mark.parametrize(
    "file, name, what",
    [
        (0, "structcond_stage_model.fea_tran.2.skip_connection.bias", "lacks 1 (denoiser.structure.fea_tran.2."),
        (0, "model.diffusion_model.output_blocks.4.0.spade.mlp_beta.bias", "lacks 1 (denoiser.unet.up_blocks.1."),
        (0, "model.diffusion_model.middle_block.0.spade.mlp_shared.0.weight", "has no UNet with SPADE (model.diff"),
        (0, "cond_stage_model.model.transformer.resblocks.1.ln_2.weight", "lacks 1 (text.encoder.layers.1.layer_norm2"),
        (1, "decoder.fusion_layer_2.encode_enc_2.1.rdb3.conv5.weight", "lacks 1 (decoder.fusion_layer_2."),
        (1, "decoder.fusion_layer_1.encode_enc_2.0.rdb1.conv1.weight", "has no feature wrapping (decoder.fus"),
    ],
)
def test_every_name_is_needed(copied, file, name, what):
    weights = dict(read(copied / FILES[file], ("state_dict",)))
    weights = {each: value.clone() for each, value in weights.items() if each != name}
    tiny_stablesr.save(weights, copied / FILES[file])
    with pytest.raises(ModelError) as error:
        load(copied)
    assert str(copied / FILES[file]) in str(error.value) and what in str(error.value)


@pytest.mark.parametrize("file, name", [(0, "structcond_stage_model.out.2.weight"), (1, "quantize.embedding.weight")])
def test_no_name_is_left_over(copied, file, name):
    weights = {each: value.clone() for each, value in read(copied / FILES[file], ("state_dict",))}
    tiny_stablesr.save({**weights, name: torch.zeros(3)}, copied / FILES[file])
    with pytest.raises(ModelError, match=f"has, beyond this model's, 1 .*{name}"):
        load(copied)


def test_the_files_of_each_other(copied):
    (copied / FILES[0]).replace(copied / "x")
    (copied / FILES[1]).replace(copied / FILES[0])
    (copied / "x").replace(copied / FILES[1])
    with pytest.raises(ModelError, match=f"has no structure encoder .* it is no {FILES[0]}"):
        load(copied)


class Canary:
    """What a pickle can hold: a call that leaves a file behind."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_would_run_code_or_is_cut_off(copied, file, tmp_path):
    whole = (copied / file).read_bytes()
    (copied / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=f"{file} is truncated or damaged"):
        load(copied)
    canary = tmp_path / "canary"
    torch.save({"state_dict": {"betas": Canary(canary)}}, copied / file)
    with pytest.raises(ModelError, match=f"{file} would run code"):
        load(copied)
    (copied / file).write_bytes(pickle.dumps({"state_dict": Canary(canary)}))
    with pytest.raises(ModelError, match=f"{file} (would run code|is truncated)"):
        load(copied)
    assert not canary.exists()
    (copied / file).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 6480000000\n")
    with pytest.raises(ModelError, match=f"{file} is a Git-LFS pointer"):
        load(copied)


def test_a_base_of_another_width(copied):
    tiny_stablesr.base(copied / "base", unet_widths=(12, 12, 24, 24))
    with pytest.raises(ModelError, match=r"is of size \[32, 8\], its configuration says \[48, 12\]"):
        load(copied)
    config = copied / "base" / "text_encoder" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": 768'))
    with pytest.raises(ModelError, match="has text embeddings 768 wide, and stablesr was trained on 32"):
        load(copied)


def test_a_base_that_is_none(copied):
    with pytest.raises(ModelError, match="--base"):
        load(copied, base=str(copied))
    config = copied / "base" / "unet" / "config.json"
    config.write_text(config.read_text().replace('"CrossAttnDownBlock2D",', "", 1))
    with pytest.raises(ModelError, match="the configurations of --base .* make no network: Must provide"):
        load(copied)
    config.unlink()
    with pytest.raises(ModelError, match="cannot read the configurations of --base"):
        load(copied)


@pytest.mark.parametrize(
    "option, what",
    [
        ({"guidance": 4.0}, "samples without guidance"),
        ({"negative_prompt": "blurred"}, "no effect at guidance 1"),
        ({"lora": "some.safetensors"}, "takes no LoRA"),
        ({"steps": 1}, "--steps 1: stablesr takes 2 to 1000"),
        ({"offload": "model"}, "needs an Nvidia"),
    ],
)
def test_options_that_mean_nothing_here(folder, option, what):
    with pytest.raises(ModelError, match=what):
        load(folder, **option)
