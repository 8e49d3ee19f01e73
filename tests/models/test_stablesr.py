"""StableSR's adapter: the whole decode, what a picture depends on, and the checkpoints that are refused."""

from __future__ import annotations

import pickle
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import stablesr_reference as reference
import tiny_stablesr
import torch
from conftest import ROOT, write_captions
from PIL import Image

import models
from models._weights import read
from models.base import Job, ModelError
from models.t2i import stablesr

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


@pytest.fixture(scope="module")
def loaded(folder):
    return load(folder)


@pytest.fixture
def model(loaded, monkeypatch):
    """Small tiles and a small least size, so that pictures have several tiles and take no time."""
    for name, value in (("SHORT", 64), ("TILE", 8), ("STRIDE", 4)):
        monkeypatch.setattr(stablesr, name, value)
    return loaded


def job(seed=1, size=(104, 72), prompt="two ships", steps=3):
    pixels = np.random.default_rng(seed).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    return Job(f"{seed}.png", prompt, Image.fromarray(pixels).resize(size), size, 900 + seed, None, steps)


def pixels(picture):
    return np.asarray(picture).astype(int)


def differ(one, other):
    return max(abs(pixels(a) - pixels(b)).max() for a, b in zip(one, other, strict=True))


def expected(folder, loaded, job, prompt, steps):
    """The whole decode by the reference's formulas alone: reference to tiles, to latents, to pixels, to 8 bits."""
    main, fused = ({name: value for name, value in read(folder / file, ("state_dict",))} for file in FILES)
    height, width = (side + -side % 32 for side in job.size[::-1])
    source = torch.Generator("cpu").manual_seed(job.seed)
    picture = torch.from_numpy(np.asarray(job.guide)).permute(2, 0, 1)[None] / 127.5 - 1
    rows, columns = (np.pad(np.arange(size), (0, whole - size), "reflect") for size, whole in
                     zip(job.size[::-1], (height, width), strict=True))  # fmt: skip
    canvas = picture[:, :, rows][:, :, :, columns]
    mean, deviation, seen = reference.encode(fused, canvas)
    latent = (mean + deviation * torch.randn(mean.shape, generator=source)) * 0.18215
    tokens = loaded._pipe.tokenizer([prompt], padding="max_length", max_length=77, return_tensors="pt").input_ids
    text = reference.words(main, tokens)

    def predict(noisy, time):
        def one(tile, structure):
            return reference.unet(main, tile, time, text, reference.structure(main, structure, time))

        return reference.tiled(one, noisy.float(), latent, 8, 4)

    made = reference.sample(predict, latent, steps, lambda: torch.randn(latent.shape, generator=source)).float()
    made = reference.decode(fused, made / 0.18215, seen)[..., : job.size[1], : job.size[0]]
    made = reference.adain(made, picture)
    return (((made + 1) / 2).clamp(0, 1) * 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()


def test_the_whole_decode_is_that_of_the_formulas(folder, loaded, model):
    one = job()
    made = model.generate([one])[0]
    with torch.inference_mode():
        wanted = expected(folder, loaded, one, one.prompt, one.steps)
    assert made.size == one.size and made.mode == "RGB" and pixels(made).std() > 10
    assert abs(pixels(made) - wanted.astype(int)).max() <= 1


def test_a_small_reference_is_enlarged_to_512(loaded):
    """The short side, with the authors' constants as they are: one tile across, two down."""
    assert (stablesr.SHORT, stablesr.MULTIPLE, stablesr.TILE, stablesr.STRIDE) == (512, 32, 64, 32)
    made = loaded.generate([job(size=(40, 51), steps=2)])[0]
    assert made.size == (512, 652)


def test_a_batch_equals_its_images_in_any_order(model):
    jobs = [job(seed, prompt=prompt) for seed, prompt in enumerate(("two ships", "", "a man", "two ships"))]
    batch = model.generate(jobs)
    assert differ(batch, [model.generate([each])[0] for each in jobs]) <= 1
    assert differ(model.generate(jobs[::-1]), batch[::-1]) <= 1


def test_what_a_picture_depends_on(model):
    one = [job()]
    made = model.generate(one)
    assert differ(model.generate(one), made) == 0
    for change in ({"prompt": "quite another"}, {"seed": 8}, {"guide": job(5).guide}, {"steps": 4}):
        assert differ(model.generate([replace(one[0], **change)]), made) > 3, change


def test_the_benchmark_is_told_of_modes_steps_and_prompt():
    model = models.create("t2i", "stablesr")
    assert model.modes == {"full", "image"} and not model.accepts_strength
    assert (model.steps, model.image_prompt, model.guidance) == (200, "", 1)


def test_a_picture_that_overflows_is_no_black_one(model, monkeypatch):
    monkeypatch.setattr(model, "_sample", lambda latents, *_: latents * float("nan"))
    with pytest.raises(ModelError, match="pixels that are no numbers in 1.png: float32 overflowed"):
        model.generate([job()])
    monkeypatch.undo()
    model.generate([job()])  # what the failed one left behind is forgotten


@pytest.mark.parametrize("steps", [1, 1001])
def test_steps_that_the_schedule_does_not_have(model, steps):
    with pytest.raises(ModelError, match=f"--steps {steps}: stablesr takes 2 to 1000"):
        model.generate([job(steps=steps)])


def test_a_job_without_a_reference(model):
    with pytest.raises(ModelError, match="there is no reference to restore"):
        model.generate([replace(job(), guide=None)])


# --- checkpoints


def test_files_folder_and_converted_files_are_the_same_model(folder, loaded, copied, caplog):
    model = load(copied, copied / FILES[0], convert=True)
    for file in FILES:
        (copied / file).unlink()  # the safetensors beside it are read from now on
    for other in (model, load(copied), load(copied, copied / FILES[0])):
        for part in ("unet", "vae", "text_encoder"):
            ours, theirs = (getattr(each._pipe, part).state_dict() for each in (other, loaded))
            assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert caplog.text.count("S-Lab License 1.0: for non-commercial use only") == 3


@pytest.mark.parametrize(
    "name, what", [("stablesr_768v_000139.ckpt", "768v, which predicts vel"), ("StableSR_Turbo.ckpt", "turbo, which")]
)
def test_other_versions_are_refused_by_name_unread(folder, tmp_path, name, what):
    (tmp_path / name).write_bytes(b"gigabytes that nobody reads")
    for given in (tmp_path, tmp_path / name):
        for refuse in (lambda: models.create("t2i", "stablesr").inspect(str(given)), lambda: load(folder, given)):
            with pytest.raises(ModelError, match=f"{name} in --model_dir .* is StableSR {what}"):
                refuse()


@pytest.mark.parametrize("file", FILES)
def test_a_folder_without_one_of_the_files(copied, file):
    (copied / file).unlink()
    with pytest.raises(ModelError, match=f"has no {file}: stablesr needs {FILES[0]} and {FILES[1]}, side by side"):
        models.create("t2i", "stablesr").inspect(str(copied))


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="there is no '.*nowhere.ckpt': --model_dir takes a folder"):
        models.create("t2i", "stablesr").inspect(str(tmp_path / "nowhere.ckpt"))


def test_a_hub_that_does_not_answer(folder):
    models.create("t2i", "stablesr").inspect("Iceclear/StableSR")  # asks nobody
    with pytest.raises(ModelError, match="stablesr_000117.ckpt of that name on the hub"):
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
    (copied / "base" / "unet" / "config.json").unlink()
    with pytest.raises(ModelError, match="cannot read the configurations of --base"):
        load(copied)


@pytest.mark.parametrize(
    "option, what",
    [
        ({"guidance": 4.0}, "samples without guidance"),
        ({"negative_prompt": "blurred"}, "no effect at guidance 1"),
        ({"lora": "some.safetensors"}, "takes no LoRA"),
        ({"offload": "model"}, "needs an Nvidia"),
    ],
)
def test_options_that_mean_nothing_here(folder, option, what):
    with pytest.raises(ModelError, match=what):
        load(folder, **option)


# --- through the script


@pytest.fixture
def ready(bench):
    """Two samples, wide as most photos, so that the benchmark's size needs no enlarging; and their references."""
    for name, at in (("NSI_pgc_000.png", 0), ("SCI_game_001.png", 1)):
        with Image.open(sorted((ROOT / "samples" / "GT").glob("*.png"))[at]) as image:
            for kind in ("GT", "Ref/image"):
                (bench.folder / kind).mkdir(parents=True, exist_ok=True)
                image.convert("RGB").resize((64, 32)).save(bench.folder / kind / name)
    write_captions(bench.folder / "Text" / "gpt4v.csv", {"NSI_pgc_000.png": "a street", "SCI_game_001.png": "a window"})
    tiny_stablesr.make(bench.folder / "model", tiny_stablesr.QUICK)
    return bench


def decode(bench, name, *arguments, **environment):
    flags = ["--model_name", "stablesr", "--model_dir", "model", "--base", "model/base", "--steps", 2]
    return (*flags, "--device", "cpu", "--result_name", name, *arguments)
