"""Tiny checkpoints whose denoiser is a transformer: Stable Diffusion 3, FLUX.1, PixArt."""

from __future__ import annotations

from pathlib import Path

import diffusers
import transformers
from tiny_t2i_blocks import (
    WIDTH,
    attentive,
    clip_text_config,
    clip_tokenizer,
    make_vae,
    save_pipeline,
    t5_encoder,
    t5_tokenizer,
)


def sd3(folder: Path) -> Path:
    """Stable Diffusion 3 with its three text encoders. Scale factor 16 and patches of 2: sizes are multiples of 32."""
    return save_pipeline(diffusers.StableDiffusion3Pipeline, _sd3_parts, folder)


def flux(folder: Path) -> Path:
    """FLUX.1 dev. Scale factor 16 and latents packed by 2: sizes are multiples of 32."""
    return save_pipeline(diffusers.FluxPipeline, _flux_parts, folder)


def pixart(folder: Path) -> Path:
    """PixArt-Sigma, text only. Scale factor 16 and patches of 2."""
    return save_pipeline(diffusers.PixArtSigmaPipeline, _pixart_parts, folder)


def _sd3_parts():
    return {
        "vae": make_vae(
            levels=5, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609
        ),
        "text_encoder": transformers.CLIPTextModelWithProjection(clip_text_config()),
        "text_encoder_2": transformers.CLIPTextModelWithProjection(clip_text_config()),
        "text_encoder_3": t5_encoder(),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer(),
        "tokenizer_3": t5_tokenizer(),
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
        "vae": make_vae(
            levels=5, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159
        ),
        "text_encoder": transformers.CLIPTextModel(clip_text_config()),
        "text_encoder_2": t5_encoder(),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": t5_tokenizer(),
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
        "vae": make_vae(levels=5),
        "text_encoder": t5_encoder(),
        "tokenizer": t5_tokenizer(),
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


def flux_kontext(folder: Path) -> Path:
    """FLUX.1 Kontext: FLUX.1's parts in an edit pipeline. Sizes are multiples of 32."""
    return save_pipeline(diffusers.FluxKontextPipeline, _flux_kontext_parts, folder)


def _flux_kontext_parts():
    parts = _flux_parts()
    return {**parts, "transformer": attentive(parts["transformer"])}
