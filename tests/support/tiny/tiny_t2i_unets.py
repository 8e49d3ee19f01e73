"""Tiny checkpoints whose denoiser is a UNet: the Stable Diffusion 1.5 and XL families, Kandinsky 3, AnimateDiff."""

from __future__ import annotations

from pathlib import Path

import diffusers
import torch
import transformers
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from tiny_t2i_blocks import (
    BETAS,
    WIDTH,
    clip_text_config,
    clip_tokenizer,
    clip_vision_config,
    make_vae,
    save_pipeline,
    t5_encoder,
    t5_tokenizer,
)


def sd15(folder: Path, **vae) -> Path:
    """Stable Diffusion 1.5, with a safety checker as the published one has. Scale factor 32; vae: its sizes."""
    return save_pipeline(
        diffusers.StableDiffusionPipeline,
        _sd15_parts,
        folder,
        vae=vae,
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, **BETAS),
    )


def instructpix(folder: Path) -> Path:
    """InstructPix2Pix: Stable Diffusion 1.5 whose UNet also takes the guide's latents. Scale factor 32."""
    scheduler = diffusers.EulerAncestralDiscreteScheduler(**BETAS)
    return save_pipeline(
        diffusers.StableDiffusionInstructPix2PixPipeline, _sd15_parts, folder, in_channels=8, scheduler=scheduler
    )


def sdxl(folder: Path, **sizes) -> Path:
    """Stable Diffusion XL base: two text encoders, size conditioning. Scale factor 32; sizes: of the UNet, and vae."""
    return save_pipeline(diffusers.StableDiffusionXLPipeline, _sdxl_parts, folder, **sizes)


def ssd1b(folder: Path) -> Path:
    """SSD-1B's layout: SDXL with attention layers taken out one by one, fewer down than up, none in the middle."""
    blocks = {
        "block_out_channels": (16, 32, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "mid_block_type": "UNetMidBlock2D",
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        "attention_head_dim": (2, 4, 4),
        "transformer_layers_per_block": [1, [1, 2], [2, 1]],
        "reverse_transformer_layers_per_block": [[2, 1, 3], [2, 1, 1], 1],
    }
    return save_pipeline(diffusers.StableDiffusionXLPipeline, _sdxl_parts, folder, **blocks)


def sdxl_instructpix(folder: Path) -> Path:
    """The edit pipeline of Stable Diffusion XL, which is in none of diffusers' auto mappings. Scale factor 32."""
    return save_pipeline(diffusers.StableDiffusionXLInstructPix2PixPipeline, _sdxl_parts, folder, in_channels=8)


def _sd15_parts(scheduler, in_channels=4, vae=None):
    return {
        "vae": make_vae(**(vae or {})),
        "text_encoder": transformers.CLIPTextModel(clip_text_config()),
        "tokenizer": clip_tokenizer(),
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
        "safety_checker": StableDiffusionSafetyChecker(clip_vision_config()),
        "feature_extractor": transformers.CLIPImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
    }


def _sdxl_parts(in_channels=4, vae=None, **blocks):
    blocks = {
        "block_out_channels": (16, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": (2, 4),
        "transformer_layers_per_block": (1, 2),
        **blocks,
    }
    return {
        "vae": make_vae(force_upcast=True, scaling_factor=0.13025, **(vae or {})),
        "text_encoder": transformers.CLIPTextModel(clip_text_config()),
        "text_encoder_2": transformers.CLIPTextModelWithProjection(clip_text_config()),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer(),
        "unet": diffusers.UNet2DConditionModel(
            sample_size=32,
            in_channels=in_channels,
            **blocks,
            use_linear_projection=True,
            cross_attention_dim=2 * WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
            norm_num_groups=8,
        ),
        "scheduler": diffusers.EulerDiscreteScheduler(**BETAS),
    }


def pg25(folder: Path) -> Path:
    """Playground 2.5: SDXL with the EDM scheduler, and latents that are normalised. Scale factor 32."""
    return save_pipeline(diffusers.StableDiffusionXLPipeline, _pg25_parts, folder)


def kandinsky3(folder: Path) -> Path:
    """Kandinsky 3: a UNet that halves latents of a scale of 8 three times, so sizes are multiples of 64."""
    return save_pipeline(diffusers.Kandinsky3Pipeline, _kandinsky3_parts, folder)


def motion_adapter(folder: Path) -> Path:
    """AnimateDiff's motion module alone, for the UNet of `sd15`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = _motion_adapter()
    module.save_pretrained(folder)
    return Path(folder)


def animatediff(folder: Path) -> Path:
    """A whole AnimateDiff pipeline. Scale factor 32."""
    return save_pipeline(diffusers.AnimateDiffPipeline, _animatediff_parts, folder)


def _pg25_parts():
    parts = _sdxl_parts()
    latents = {"latents_mean": [-1.6, 1.2, 0.3, -0.2], "latents_std": [8.4, 5.9, 5.4, 5.3]}
    return {
        **parts,
        "vae": make_vae(force_upcast=True, scaling_factor=0.5, **latents),
        "scheduler": diffusers.EDMDPMSolverMultistepScheduler(sigma_max=80.0, sigma_data=0.5),
    }


def _kandinsky3_parts():
    return {
        "tokenizer": t5_tokenizer(),
        "text_encoder": t5_encoder(),
        "unet": diffusers.Kandinsky3UNet(
            time_embedding_dim=16,
            groups=2,
            attention_head_dim=4,
            layers_per_block=2,
            block_out_channels=(8, 8, 16, 16),
            cross_attention_dim=8,
            encoder_hid_dim=2 * WIDTH,
        ),
        "scheduler": diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=False),
        "movq": diffusers.VQModel(
            block_out_channels=(32,) * 4,  # the spatial norm is of 32 groups
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            latent_channels=4,
            num_vq_embeddings=12,
            vq_embed_dim=4,
            norm_type="spatial",
            mid_block_add_attention=False,
        ),
    }


def _animatediff_parts():
    parts = _sd15_parts(scheduler=diffusers.DDIMScheduler(beta_schedule="linear", clip_sample=False))
    parts = {key: part for key, part in parts.items() if key not in ("safety_checker", "feature_extractor")}
    return {**parts, "motion_adapter": _motion_adapter()}


def _motion_adapter():
    return diffusers.MotionAdapter(
        block_out_channels=(16, 32), motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=8
    )
