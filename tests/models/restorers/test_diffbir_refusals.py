"""What DiffBIR refuses, by name and before gigabytes are read: versions, bases, damage, code."""

import json
import os
import shutil

import pytest
import tiny_ldm
import tiny_restoration as tiny
import torch

import models
from models.base import ModelError
from models.t2i._restoration import checkpoint


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The folder with v2's files, and the base's file."""
    folder = tmp_path_factory.mktemp("diffbir")
    return tiny.diffbir(folder, "v2").parent, tiny.sd21(tmp_path_factory.mktemp("base"))


@pytest.fixture
def folder(files, tmp_path):
    return shutil.copytree(files[0], tmp_path / "copy")


@pytest.fixture
def base(files):
    return files[1]


def refusal(where, base):
    model = models.create("t2i", "diffbir")
    with pytest.raises(ModelError) as caught:
        model.load(str(where), "cpu", torch.float32, frozenset({"full"}), base=str(base))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change(path, work):
    weights = torch.load(path, weights_only=True)
    work(weights)
    torch.save(weights, path)


def test_a_folder_a_file_and_a_hub_name_tell_the_version(folder):
    names = tuple(tiny.CONTROLS.values())
    assert checkpoint.find_file(str(folder), names) == checkpoint.File("v2.pth", str(folder), True)
    assert checkpoint.find_file(str(folder / "v2.pth"), names).name == "v2.pth"
    assert checkpoint.find_file("some/hub", names) == checkpoint.File("v2.pth", "some/hub", False)
    assert checkpoint.find_file("some/hub/DiffBIR_v2.1.pt", names) == checkpoint.File(
        "DiffBIR_v2.1.pt", "some/hub", False
    )


def test_other_versions_are_refused_by_name(folder, base, tmp_path):
    (folder / "v2.pth").rename(folder / "v1_face.pth")
    assert "none of v2.pth, v1_general.pth, DiffBIR_v2.1.pt" in refusal(folder / "v1_face.pth", base)
    assert "(but BSRNet.pth, v1_face.pth)" in refusal(folder, base)
    assert "none of v2.pth" in refusal("lxq007/DiffBIR-v2/v1_face.pth", base)
    assert "there is no" in refusal(tmp_path / "nowhere.pth", base)


def test_a_control_that_is_none(folder, base):
    torch.save(tiny_ldm.filled(tiny_ldm.ldm_unet(tiny.CHANNELS, tiny.TEXT), 1), folder / "v2.pth")
    assert "is no DiffBIR: it holds no ControlNet that takes 8 channels" in refusal(folder, base)


@pytest.mark.parametrize(
    "name, words",
    [
        ("input_blocks.1.0.in_layers.2.weight", "lacks"),
        ("middle_block_out.0.bias", "lacks 1 (controlnet_mid_block.bias)"),
        ("zero_convs.1.0.weight", "lacks 1 (controlnet_down_blocks.1.weight)"),
        ("input_blocks.1.1.norm.weight", "incomplete or another version"),
    ],
)
def test_a_control_with_gaps(folder, base, name, words):
    change(folder / "v2.pth", lambda weights: weights.pop(name))
    assert words in refusal(folder, base)


@pytest.mark.parametrize(
    "name", ["extra.weight", "middle_block.7.weight", "zero_convs.9.0.weight", "time_embed.4.bias"]
)
def test_a_control_with_more_than_it_should_have(folder, base, name):
    change(folder / "v2.pth", lambda weights: weights.update({name: torch.zeros(3)}))
    assert "beyond this model's, 1" in refusal(folder, base)


def test_a_first_stage_that_is_missing_or_another(folder, base, monkeypatch):
    def nothing(url, path, progress):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", nothing)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder / "hub"))
    (folder / "BSRNet.pth").rename(folder / "other.pth")
    assert "v2.pth needs BSRNet.pth, which is not beside it: fetch https://" in refusal(folder, base)
    torch.save({"a.weight": torch.zeros(2, 2)}, folder / "BSRNet.pth")
    assert "BSRNet.pth is no BSRNet, which cleans here" in refusal(folder, base)
    torch.save(tiny_ldm.filled(tiny_ldm.swinir(12, 2, 2), 2), folder / "BSRNet.pth")  # v1's, so renamed
    assert "BSRNet.pth is no BSRNet, which cleans here" in refusal(folder, base)
    torch.save(tiny_ldm.filled({**tiny_ldm.bsrnet(8, 2, 4), "extra": (3,)}, 2), folder / "BSRNet.pth")
    assert "beyond this model's, 1 (extra)" in refusal(folder, base)


def test_a_base_of_another_width_or_kind(folder, base, checkpoint, tmp_path):
    assert "--base" in refusal(folder, checkpoint("sdxl"))
    assert "text embeddings 32 wide, and this DiffBIR was trained on 64" in refusal(folder, checkpoint("sd15"))
    assert "--base: there is no folder" in refusal(folder, tmp_path / "nowhere")
    other = tiny.sd21(tmp_path / "other", text=128)
    assert "sd21.ckpt has text embeddings 128 wide, and this DiffBIR was trained on 64" in refusal(folder, other)
    other = tiny.sd21(tmp_path / "other", channels=(64, 64))
    assert "has a UNet [64, 64] wide, and this DiffBIR was trained on [64, 128]" in refusal(folder, other)
    torch.save(tiny_ldm.filled(tiny_ldm.bsrnet(8, 1, 4), 1), other)
    assert "it is no Stable Diffusion 2" in refusal(folder, other)


def test_a_base_in_folders_is_told_by_its_configurations(folder, checkpoint, tmp_path):
    """Stable Diffusion 2.1 of 768 px has all of the base's sizes, and predicts v."""
    other = shutil.copytree(checkpoint("sd15"), tmp_path / "sd15")
    for part, key, value, said in (
        ("text_encoder/config", "hidden_size", 64, "has a UNet [16, 32] wide, and this DiffBIR was trained on [64, 12"),
        ("unet/config", "block_out_channels", [64, 128], "cannot load"),
        ("scheduler/scheduler_config", "prediction_type", "v_prediction", "has a UNet that predicts v_prediction, and"),
    ):
        file = other / f"{part}.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
        assert said in refusal(folder, other)


def test_a_tokenizer_that_is_not_the_bases(folder, base, tmp_path):
    alone = shutil.copy(base, tmp_path / "base.ckpt")
    (tmp_path / "tokenizer").mkdir()
    assert "base.ckpt needs a tokenizer: put the folder tokenizer of sd2-community" in refusal(folder, alone)


@pytest.mark.parametrize(
    "name, words",
    [
        ("model.diffusion_model.extra.weight", "model.diffusion_model.extra.weight"),
        ("first_stage_model.extra.weight", "first_stage_model.extra.weight"),
        ("cond_stage_model.model.extra.weight", "cond_stage_model.model.extra.weight"),
        ("control_model.extra.weight", "control_model.extra.weight"),
    ],
)
def test_a_base_with_more_than_it_should_have(folder, base, tmp_path, name, words):
    weights = dict(tiny_weights(base), **{name: torch.zeros(3)})
    torch.save(weights, tmp_path / "base.ckpt")
    shutil.copytree(base.parent / "tokenizer", tmp_path / "tokenizer")
    assert words in refusal(folder, tmp_path / "base.ckpt")


def test_what_training_left_in_a_base_is_dropped_by_name(folder, base, tmp_path):
    weights = dict(tiny_weights(base))
    names = ["model_ema.decay", "alphas_cumprod_prev", "sqrt_recipm1_alphas_cumprod", "posterior_log_variance_clipped"]
    weights.update({name: torch.zeros(3) for name in names})
    torch.save(weights, tmp_path / "base.ckpt")
    shutil.copytree(base.parent / "tokenizer", tmp_path / "tokenizer")
    models.create("t2i", "diffbir").load(str(folder), "cpu", torch.float32, {"full"}, base=str(tmp_path / "base.ckpt"))


def tiny_weights(base):
    from models._weights import read

    return read(base, ("state_dict",))


@pytest.mark.parametrize("name", ["v2.pth", "BSRNet.pth"])
def test_links_that_lead_nowhere(folder, base, name):
    (folder / name).unlink()
    (folder / name).symlink_to(name)
    assert f"{name} is a link to nowhere, no file: fetch it again" in refusal(folder, base)
    (folder / name).unlink()
    (folder / name).mkdir()
    assert f"{name} is a folder, no file" in refusal(folder, base)


class Canary:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["v2.pth", "BSRNet.pth", "base.ckpt"])
def test_damaged_files_and_code_are_refused(folder, base, tmp_path, name):
    broken = folder / name
    if name == "base.ckpt":
        shutil.copy(base, broken)
        base = broken
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    assert f"{name} is truncated or damaged" in refusal(folder, base)
    torch.save({"conv_first.weight": Canary(tmp_path / "canary")}, broken)
    assert f"{name} would run code" in refusal(folder, base) and not (tmp_path / "canary").exists()
