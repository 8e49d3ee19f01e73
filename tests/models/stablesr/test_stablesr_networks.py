"""StableSR's networks and sampler against the same formulas written out once more (tests/stablesr_reference.py)."""

from __future__ import annotations

import pytest
import stablesr_reference as reference
import tiny_stablesr
import torch

import models
from models._weights import read
from models.t2i import stablesr
from models.t2i._restoration import ldm_names
from models.t2i._stablesr import Fusion, SelfAttention, Spade


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_stablesr.make(tmp_path_factory.mktemp("stablesr"))


@pytest.fixture(scope="module")
def weights(folder):
    """The names of both of the authors' files."""
    files = (tiny_stablesr.MODEL, tiny_stablesr.FUSED)
    return [{name: value.clone() for name, value in read(folder / file, ("state_dict",))} for file in files]


@pytest.fixture(scope="module")
def model(folder):
    model = models.create("t2i", "stablesr")
    model.load(str(folder), "cpu", torch.float32, model.modes, base=str(folder / "base"))
    return model


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(3)
        yield


def near(ours, theirs, limit=1e-5):
    """Within `limit` of the largest value, and no constant that anything would be near to."""
    assert ours.shape == theirs.shape and theirs.std() > 1e-2
    return (ours - theirs).abs().max() <= limit * theirs.abs().max()


def test_spade_normalises_scales_and_shifts():
    spade = Spade(channels=8, structure=6, hidden=5, groups=4)
    for parameter in spade.parameters():
        parameter.copy_(torch.randn_like(parameter))
    h, maps = torch.randn(2, 8, 4, 6), torch.randn(2, 6, 4, 6)
    groups = h.unflatten(1, (4, 2))
    mean, variance = groups.mean((2, 3, 4), keepdim=True), groups.var((2, 3, 4), unbiased=False, keepdim=True)
    normal = ((groups - mean) / (variance + 1e-5).sqrt()).flatten(1, 2)
    normal = normal * spade.param_free_norm.weight[:, None, None] + spade.param_free_norm.bias[:, None, None]
    seen = spade.mlp_shared[0](maps).clamp(min=0)
    assert near(spade(h, maps), normal * (1 + spade.mlp_gamma(seen)) + spade.mlp_beta(seen))


def test_attention_takes_q_k_and_v_head_by_head():
    layer, h = SelfAttention(channels=16, groups=4), torch.randn(2, 16, 3, 5)
    w = {f"a.{name}": value for name, value in layer.state_dict().items()}
    assert near(layer(h), reference.attention(w, "a", h))


def test_the_structure_encoder_gives_four_maps_that_depend_on_the_time(model, weights):
    latent = torch.randn(2, 4, 16, 24)
    ours = model._structure(latent, torch.tensor([417, 20]))
    assert [tuple(each.shape) for each in ours] == [(2, tiny_stablesr.MAPS, 16 >> k, 24 >> k) for k in range(4)]
    for row, time in enumerate((417, 20)):
        for each, expected in zip(ours, reference.structure(weights[0], latent[row : row + 1], time), strict=True):
            assert near(each[row : row + 1], expected)


def test_the_denoiser_is_the_unet_with_spade_in_every_resnet(model, weights):
    noisy, latent, text = torch.randn(2, 4, 16, 8), torch.randn(2, 4, 16, 8), torch.randn(2, 77, tiny_stablesr.TEXT)
    ours = model._denoiser(noisy, torch.tensor([603, 603]), text, latent)
    assert near(ours, reference.unet(weights[0], noisy, 603, text, reference.structure(weights[0], latent, 603)))
    assert sum(name.endswith("spade.mlp_gamma.weight") for name in model._pipe.unet.state_dict()) == 22


def test_the_text_encoder_leaves_out_its_last_layer(model, weights):
    tokens = torch.randint(len(model._pipe.tokenizer), (2, 77))
    assert near(model._pipe.text_encoder(tokens)[0], reference.words(weights[0], tokens))


def test_the_autoencoder_fuses_what_its_encoder_saw(model, weights):
    picture, latent = torch.rand(2, 3, 64, 96) * 2 - 1, torch.randn(2, 4, 8, 12)
    seen = model._pipe.vae.encode(picture).latent_dist
    mean, deviation, features = reference.encode(weights[1], picture)
    assert near(seen.mean, mean) and near(seen.std, deviation)
    ours = model._pipe.vae.decode(latent).sample
    assert near(ours, reference.decode(weights[1], latent, features))
    assert not near(ours, reference.decode(weights[1], latent, features, weight=1), 1e-2)  # half of it, not all


def test_feature_wrapping_alone():
    fusion = Fusion(channels=8, growth=3, groups=4)
    for parameter in fusion.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.3)
    w = {"f." + name.replace("conv_shortcut", "conv_out"): value for name, value in fusion.state_dict().items()}
    encoded, decoded = torch.randn(2, 8, 4, 6), torch.randn(2, 8, 4, 6)
    assert near(fusion(encoded, decoded, 0.7), reference.fused(w, "f", encoded, decoded, 0.7))
    assert torch.equal(fusion(encoded, decoded, 0.0), decoded)


def test_an_autoencoder_in_tiles_fuses_each_tile_with_its_own_features(model, weights):
    """Tiles of 32 px every 24: what no other tile is blended into equals that tile made alone."""
    vae = model._pipe.vae
    picture, latent = torch.rand(1, 3, 56, 56) * 2 - 1, torch.randn(1, 4, 7, 7)
    before = vae.use_tiling, vae.tile_sample_min_size, vae.tile_latent_min_size
    vae.use_tiling, vae.tile_sample_min_size, vae.tile_latent_min_size = True, 32, 4
    try:
        vae.encode(picture)
        made = vae.decode(latent).sample
    finally:
        vae.use_tiling, vae.tile_sample_min_size, vae.tile_latent_min_size = before
    for row, column in ((0, 0), (0, 24), (24, 0), (24, 24)):
        tile = picture[..., row : row + 32, column : column + 32]
        at = (..., slice(row // 8, row // 8 + 4), slice(column // 8, column // 8 + 4))
        alone = reference.decode(weights[1], latent[at], reference.encode(weights[1], tile)[2])
        own = (..., slice(8 if row else 0, 24), slice(8 if column else 0, 24))  # 8 px are blended
        place = (..., slice(row + own[1].start, row + 24), slice(column + own[2].start, column + 24))
        assert near(made[place], alone[own])
    assert not any(model._wrapping._seen.values())


def test_names_of_latent_diffusion_are_those_that_diffusers_converts(model, weights):
    from diffusers.loaders import single_file_utils as diffusers_own

    plain = {name: value for name, value in weights[0].items() if name.startswith(tiny_stablesr.UNET)}
    theirs = diffusers_own.convert_ldm_unet_checkpoint(dict(plain), model._pipe.unet.config)
    ours = {ldm_names.unet(name.removeprefix(tiny_stablesr.UNET)): value for name, value in plain.items()}
    assert ours.keys() == theirs.keys() == model._pipe.unet.state_dict().keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    stage = {name: value for name, value in weights[0].items() if name.startswith("first_stage_model.")}
    theirs = diffusers_own.convert_ldm_vae_checkpoint(dict(stage), model._pipe.vae.config)
    ours = dict(
        ldm_names.autoencoder(name.removeprefix("first_stage_model."), value, 4) for name, value in stage.items()
    )
    assert ours.keys() == theirs.keys() and len(ours) > 200
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


# --- the sampler, over networks that are formulas


@pytest.fixture
def formula(model, monkeypatch):
    """A denoiser that is a formula of all that it gets, and the times that it was called with."""
    times = []

    def noise_in(noisy, time, text, latent):
        times.append(int(time[0]))
        return 0.3 * noisy + 0.1 * latent + 0.05 * text.mean((1, 2))[:, None, None, None] + time[0] / 5000

    monkeypatch.setattr(model, "_denoiser", noise_in)
    return times


def draws(seed, shape):
    source = torch.Generator("cpu").manual_seed(seed)
    return lambda: torch.randn(shape, generator=source)


@pytest.mark.parametrize("steps", [2, 7, 200])
def test_sampling_is_spaced_ddpm_on_the_original_times(model, formula, steps):
    latent, text = torch.randn(1, 4, 64, 64), torch.randn(1, 77, 32)
    made = model._sample(latent, text, steps, [torch.Generator("cpu").manual_seed(5)])

    def predict(noisy, time):
        return 0.3 * noisy + 0.1 * latent + 0.05 * text.mean() + time / 5000

    expected = reference.sample(predict, latent, steps, draws(5, (1, 4, 64, 64)))
    assert formula == reference.schedule(steps)[0] and (formula[0], formula[-1], len(formula)) == (999, 0, steps)
    assert near(made, expected.float(), 1e-4)


def test_a_latent_of_one_tile_is_made_as_if_there_were_none(model, monkeypatch):
    latent, text = torch.randn(1, 4, 16, 16), torch.randn(1, 77, tiny_stablesr.TEXT)
    monkeypatch.setattr(stablesr, "TILE", 16)
    tiled = model._sample(latent, text, 3, [torch.Generator("cpu").manual_seed(5)])

    def predict(noisy, time):
        return model._denoiser(noisy.float(), torch.tensor([time]), text, latent)

    assert near(tiled, reference.sample(predict, latent, 3, draws(5, latent.shape)).float(), 1e-4)


@pytest.mark.parametrize("together", [1, 3, 8])
def test_a_larger_latent_is_made_in_tiles_each_with_its_own_structure(model, monkeypatch, together):
    """Two latents of 3 x 2 tiles, with the texts of their own; how many tiles go together changes nothing."""
    latents, texts = torch.randn(2, 4, 10, 16), torch.randn(2, 77, tiny_stablesr.TEXT)
    monkeypatch.setattr(stablesr, "TILE", 8)
    monkeypatch.setattr(stablesr, "STRIDE", 4)
    monkeypatch.setattr(stablesr, "TOGETHER", together)
    made = model._sample(latents, texts, 2, [torch.Generator("cpu").manual_seed(seed) for seed in (5, 6)])
    for row, seed in enumerate((5, 6)):
        alone = slice(row, row + 1)
        expected = in_tiles(model, latents[alone], texts[alone], seed)
        assert near(made[alone], expected, 1e-4)


def in_tiles(model, latent, text, seed):
    """One latent, tile by tile, each with the denoiser's structure encoder on that tile alone."""

    def predict(noisy, time):
        def one(tile, structure):
            return model._denoiser(tile.float(), torch.tensor([time]), text, structure)

        return reference.tiled(one, noisy.float(), latent, 8, 4)

    return reference.sample(predict, latent, 2, draws(seed, latent.shape)).float()
