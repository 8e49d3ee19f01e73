"""DiffBIR from its authors' files: pictures as theirs in each version, in batches and alone, at any size."""

from pathlib import Path

import diffusers
import numpy as np
import pytest
import tiny_ldm
import tiny_restoration as tiny
import torch

import models
from models._weights import read
from models.base import Job
from models.t2i import diffbir
from models.t2i._restoration import pictures
from models.t2i._restoration.stage_one import BSRNet

GOLDEN = Path(__file__).parents[2] / "golden" / "diffbir.npz"
SIZE, SMALL = (460, 320), (115, 80)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(tiny.sd21(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, base):
    """loaded("v2") is that version with its tiny checkpoint, loaded once."""
    kept = {}

    def load(version):
        if version not in kept:
            file = tiny.diffbir(tmp_path_factory.mktemp(version), version)
            kept[version] = model = models.create("t2i", "diffbir")
            model.load(str(file), "cpu", torch.float32, frozenset({"full"}), base=base)
        return kept[version]

    return load


@pytest.fixture
def quarter(monkeypatch):
    """Pictures have a quarter of the authors' sides, where the size is not what is told."""
    monkeypatch.setattr(diffbir, "SHORT", diffbir.SHORT // 4)
    monkeypatch.setattr(diffbir, "CLEANER_TILE", diffbir.CLEANER_TILE // 4)


def job(seed=8, prompt="a boat on a lake", steps=3, size=SIZE, **other):
    fields = {"name": "a", "guide": tiny.guide(*size), "size": size, "strength": None, **other}
    return Job(prompt=prompt, seed=seed, steps=steps, **fields)


def pixels(picture):
    return np.asarray(picture).astype(int)


@pytest.mark.parametrize("version", ["v2", "v1", "v2.1"])
def test_a_picture_is_the_authors(loaded, version):
    """Every 8th pixel of what their code makes of the same checkpoint, guide, caption and noise."""
    made = loaded(version).generate([job()])[0]
    assert made.size == SIZE
    assert np.abs(pixels(made)[::8, ::8] - np.load(GOLDEN)[version]).max() <= 1


@pytest.mark.parametrize("version", ["v2"])
def test_a_batch_equals_its_pictures_alone(loaded, quarter, version):
    model = loaded(version)
    jobs = [job(seed, f"caption {seed}", 1, SMALL, guide=tiny.guide(*SMALL).rotate(90 * seed)) for seed in (1, 2)]
    both = [pixels(picture) for picture in model.generate(jobs)]
    assert np.abs(both[1] - pixels(model.generate(jobs[1:])[0])).max() <= 1
    assert np.abs(both[1] - both[0]).mean() > 5


def test_a_base_in_folders_is_the_base_in_one_file(loaded, quarter, tmp_path):
    pipe = loaded("v2")._pipe
    parts = {name: getattr(pipe, name) for name in ("vae", "text_encoder", "tokenizer", "unet")}
    nothing = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    scheduler = diffusers.DDIMScheduler(steps_offset=1, clip_sample=False)
    diffusers.StableDiffusionPipeline(**parts, **nothing, scheduler=scheduler).save_pretrained(tmp_path)
    model = models.create("t2i", "diffbir")
    file = tiny.diffbir(tmp_path / "control", "v2")
    model.load(str(file), "cpu", torch.float32, frozenset({"full"}), base=str(tmp_path))
    made, expected = (pixels(each.generate([job(steps=2, size=SMALL)])[0]) for each in (model, loaded("v2")))
    assert np.array_equal(made, expected)


def test_names_are_those_that_diffusers_converts(tmp_path):
    """Two blocks a level, as the real ones have."""
    from diffusers.loaders import single_file_utils as diffusers_own

    size = {"channels": (64, 64, 128), "layers": 2}
    control, base = tiny.diffbir(tmp_path, "v2", **size), tiny.sd21(tmp_path, **size)
    model = models.create("t2i", "diffbir")
    model.load(str(control), "cpu", torch.float32, frozenset({"full"}), base=str(base))
    pipe, whole = model._pipe, dict(read(base, ("state_dict",)))
    found = dict(read(control))
    config = {**pipe.controlnet.config, "in_channels": 8}
    expected = diffusers_own.convert_controlnet_checkpoint(found, config)
    both = expected.pop("conv_in.weight")
    expected |= {"conv_in.weight": both[:, :4], "controlnet_cond_embedding.weight": both[:, 4:]}
    for part, theirs in (
        (pipe.controlnet, expected),
        (pipe.unet, diffusers_own.convert_ldm_unet_checkpoint(dict(whole), pipe.unet.config)),
        (pipe.vae, diffusers_own.convert_ldm_vae_checkpoint(dict(whole), pipe.vae.config)),
    ):
        ours = part.state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_each_version_has_its_authors_numbers(loaded):
    found = {version: loaded(version) for version in ("v2", "v1", "v2.1")}
    numbers = {version: (model.steps, model.guidance, model.prompt("")) for version, model in found.items()}
    assert numbers["v2"] == numbers["v1"] == (50, 4.0, "")
    steps, guidance, prompt = numbers["v2.1"]
    assert (steps, guidance) == (10, 6.0) and prompt.startswith("Cinematic, High Contrast")
    assert found["v2.1"].prompt("a boat") == f"a boat, {prompt}" and found["v2"].prompt("a boat") == "a boat"
    schedules = {version: model._pipe.scheduler for version, model in found.items()}
    assert schedules["v2.1"].alphas_cumprod[-1] < 1e-6 < schedules["v2"].alphas_cumprod[-1]


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_the_first_stage_enlarges_small_pictures_and_keeps_large_ones(loaded, version, request):
    def cleaned(*size):
        with torch.inference_mode():
            return loaded(version)._cleaned(torch.rand(1, 3, *size)).shape[2:]

    assert cleaned(96, 130) == (512, 693)
    request.getfixturevalue("quarter")
    assert cleaned(96, 130) == (128, 173) and cleaned(136, 131) == (136, 131)


def test_bsrnet_in_strips_is_bsrnet_whole():
    sizes = {name: list(size) for name, size in tiny_ldm.bsrnet(8, 1, 4).items()}
    network, picture = BSRNet(sizes), torch.rand(1, 3, 150, 20)
    with torch.inference_mode():
        strips = network(picture)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("models.t2i._restoration.stage_one.STRIP", 1000)
            assert torch.allclose(strips, network(picture), atol=1e-6) and strips.shape == (1, 3, 600, 80)


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_with_vae_tiling_the_first_stage_works_in_tiles(loaded, quarter, version, monkeypatch):
    """Tiles blend into what the picture as a whole becomes, but for what a tile does not see around it."""
    assert diffbir.CLEANER_TILE == 512 // 4
    model, seen = loaded(version), []
    cleaner = model._cleaner.forward
    monkeypatch.setattr(model._cleaner, "forward", lambda tile: (seen.append(tile.shape[2:]), cleaner(tile))[1])
    picture = pictures.to_tensor([tiny.guide(256, 128)])
    with torch.inference_mode():
        whole = model._cleaned(picture)
        monkeypatch.setattr(model._pipe.vae, "use_tiling", True)
        made = model._cleaned(picture)
    assert seen == [(128, 256)] + [(128, 128)] * 3 and made.shape == whole.shape
    assert (made - whole).abs().mean() < 0.02 * whole.std() and not torch.equal(made, whole)


def test_with_vae_tiling_the_denoiser_works_in_tiles_too(loaded, monkeypatch):
    model, seen = loaded("v2"), []

    def denoised(latents, condition, time, text):
        seen.append(tuple(latents.shape))
        return torch.zeros_like(latents)

    monkeypatch.setattr(model, "_denoised", denoised)
    latents = torch.rand(1, 4, 80, 128)
    rest = (latents, torch.tensor(5), torch.rand(1, 77, 64), torch.rand(1, 77, 64))
    model._noise(latents, *rest)
    monkeypatch.setattr(model._pipe.vae, "use_tiling", True)
    model._noise(latents, *rest)
    assert seen == [(2, 4, 80, 128)] + [(8, 4, 64, 64)] + [(4, 4, 64, 64)]  # 2 x 3 tiles of 64, at most 4 to a call
