"""Tiny checkpoints of the real text-to-image architectures, with random weights, in the hub's folder format.

Every builder takes the folder to write, returns it, needs no network and gives the same bytes each time. The images
mean nothing. The VAEs shrink by 16 or 32 instead of 8, so that the benchmark's working size (long side 1024) is cheap.
"""

from __future__ import annotations

from pathlib import Path

import diffusers
import torch
import transformers
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker

WIDTH = 32  # of the text encoders' hidden states
LEVELS = 6  # of the VAE: a scale factor of 2 ** (LEVELS - 1) = 32
LETTERS = [chr(code) for code in range(ord("!"), ord("~") + 1)]
# Stable Diffusion's noise schedule, which all its schedulers share.
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def sd15(folder: Path) -> Path:
    """Stable Diffusion 1.5, with a safety checker as the published one has. Scale factor 32."""
    return _save(
        diffusers.StableDiffusionPipeline,
        _sd15_parts,
        folder,
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, **BETAS),
    )


def instructpix(folder: Path) -> Path:
    """InstructPix2Pix: Stable Diffusion 1.5 whose UNet also takes the guide's latents. Scale factor 32."""
    scheduler = diffusers.EulerAncestralDiscreteScheduler(**BETAS)
    return _save(
        diffusers.StableDiffusionInstructPix2PixPipeline, _sd15_parts, folder, in_channels=8, scheduler=scheduler
    )


def sdxl(folder: Path) -> Path:
    """Stable Diffusion XL base: two text encoders, size conditioning. Scale factor 32."""
    return _save(diffusers.StableDiffusionXLPipeline, _sdxl_parts, folder)


def sdxl_instructpix(folder: Path) -> Path:
    """The edit pipeline of Stable Diffusion XL, which is in none of diffusers' auto mappings. Scale factor 32."""
    return _save(diffusers.StableDiffusionXLInstructPix2PixPipeline, _sdxl_parts, folder, in_channels=8)


def sd3(folder: Path) -> Path:
    """Stable Diffusion 3 with its three text encoders. Scale factor 16 and patches of 2: sizes are multiples of 32."""
    return _save(diffusers.StableDiffusion3Pipeline, _sd3_parts, folder)


def flux(folder: Path) -> Path:
    """FLUX.1 dev. Scale factor 16 and latents packed by 2: sizes are multiples of 32."""
    return _save(diffusers.FluxPipeline, _flux_parts, folder)


def pixart(folder: Path) -> Path:
    """PixArt-Sigma, text only. Scale factor 16 and patches of 2."""
    return _save(diffusers.PixArtSigmaPipeline, _pixart_parts, folder)


def _save(pipeline, parts, folder, **options):
    """Build under a seed of its own, so that the order of the builders changes nothing, and save."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipe = pipeline(**parts(**options))
    pipe.save_pretrained(folder)
    return Path(folder)


def _sd15_parts(scheduler, in_channels=4):
    return {
        "vae": _vae(),
        "text_encoder": transformers.CLIPTextModel(_text_config()),
        "tokenizer": _clip_tokenizer(),
        "unet": diffusers.UNet2DConditionModel(
            sample_size=32,
            in_channels=in_channels,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            attention_head_dim=2,
            cross_attention_dim=WIDTH,
            norm_num_groups=8,
        ),
        "scheduler": scheduler,
        "safety_checker": StableDiffusionSafetyChecker(_vision_config()),
        "feature_extractor": transformers.CLIPImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
    }


def _sdxl_parts(in_channels=4):
    return {
        "vae": _vae(force_upcast=True, scaling_factor=0.13025),
        "text_encoder": transformers.CLIPTextModel(_text_config()),
        "text_encoder_2": transformers.CLIPTextModelWithProjection(_text_config()),
        "tokenizer": _clip_tokenizer(),
        "tokenizer_2": _clip_tokenizer(),
        "unet": diffusers.UNet2DConditionModel(
            sample_size=32,
            in_channels=in_channels,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            attention_head_dim=(2, 4),
            transformer_layers_per_block=(1, 2),
            use_linear_projection=True,
            cross_attention_dim=2 * WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
            norm_num_groups=8,
        ),
        "scheduler": diffusers.EulerDiscreteScheduler(**BETAS),
    }


def _sd3_parts():
    return {
        "vae": _vae(levels=5, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609),
        "text_encoder": transformers.CLIPTextModelWithProjection(_text_config()),
        "text_encoder_2": transformers.CLIPTextModelWithProjection(_text_config()),
        "text_encoder_3": _t5_encoder(),
        "tokenizer": _clip_tokenizer(),
        "tokenizer_2": _clip_tokenizer(),
        "tokenizer_3": _t5_tokenizer(),
        "transformer": diffusers.SD3Transformer2DModel(
            sample_size=64,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=32,
            pooled_projection_dim=2 * WIDTH,
            out_channels=16,
            pos_embed_max_size=64,
        ),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    }


def _flux_parts():
    return {
        "vae": _vae(levels=5, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159),
        "text_encoder": transformers.CLIPTextModel(_text_config()),
        "text_encoder_2": _t5_encoder(),
        "tokenizer": _clip_tokenizer(),
        "tokenizer_2": _t5_tokenizer(),
        "transformer": diffusers.FluxTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=2 * WIDTH,
            pooled_projection_dim=WIDTH,
            guidance_embeds=True,
            axes_dims_rope=(4, 6, 6),
        ),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    }


def _pixart_parts():
    return {
        "vae": _vae(levels=5),
        "text_encoder": _t5_encoder(),
        "tokenizer": _t5_tokenizer(),
        "transformer": diffusers.PixArtTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=2,
            cross_attention_dim=16,
            caption_channels=2 * WIDTH,
            sample_size=64,
            use_additional_conditions=False,
        ),
        "scheduler": diffusers.DPMSolverMultistepScheduler(),
    }


def _vae(levels=LEVELS, **config):
    channels = (4, 4, 8, 8, 16, 16)[-levels:]
    return diffusers.AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=1024,
        **config,
    )


def _text_config():
    """CLIP's text configuration, whose end token must be the tokenizer's, since the pooled state is taken there."""
    tokenizer = _clip_tokenizer()
    return transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _vision_config():
    size = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**size, "image_size": 32, "patch_size": 8}
    return transformers.CLIPConfig(text_config=size, vision_config=vision, projection_dim=WIDTH)


def _clip_tokenizer():
    """CLIP's tokenizer with the letters, each alone and at a word's end, and a few merges. It cuts at 77 tokens."""
    merges = [("t", "h"), ("th", "e</w>"), ("i", "n"), ("in", "g</w>"), ("e", "r</w>"), ("e", "d</w>"), ("a", "n")]
    tokens = LETTERS + [letter + "</w>" for letter in LETTERS] + ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def _t5_encoder():
    size = {"d_model": 2 * WIDTH, "d_kv": 8, "d_ff": WIDTH, "num_layers": 2, "num_heads": 4}
    return transformers.T5EncoderModel(transformers.T5Config(vocab_size=len(_t5_tokenizer()), **size))


def _t5_tokenizer():
    """T5's tokenizer: pieces with their log probabilities in T5's order, padding, end, unknown, then the letters."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    return transformers.T5Tokenizer(vocab=special + [(letter, -4.0) for letter in LETTERS], extra_ids=0)
