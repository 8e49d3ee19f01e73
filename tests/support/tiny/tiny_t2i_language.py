"""Tiny checkpoints whose text encoder is a language model: Sana, FLUX.2, Z-Image, Qwen-Image."""

from __future__ import annotations

import tempfile
from pathlib import Path

import diffusers
import transformers
from tiny_t2i_blocks import (
    WIDTH,
    attentive,
    make_vae,
    save_pipeline,
)


def sana(folder: Path) -> Path:
    """Sana, text only: a deep-compression autoencoder, a Gemma 2 as text encoder. Scale factor 32."""
    return save_pipeline(diffusers.SanaPipeline, _sana_parts, folder)


def flux2(folder: Path) -> Path:
    """FLUX.2 klein base: a Qwen3 of at least 27 layers as text encoder. Scale factor 16 and latents packed by 2."""
    return save_pipeline(diffusers.Flux2KleinPipeline, _flux2_parts, folder)


def flux2_dev(folder: Path) -> Path:
    """FLUX.2 dev: Mistral 3 as text encoder, with its processor in the tokenizer's place, and embedded guidance."""
    return save_pipeline(diffusers.Flux2Pipeline, _flux2_dev_parts, folder)


def z_image(folder: Path) -> Path:
    """Z-Image: a Qwen3 as text encoder. Scale factor 16 and patches of 2."""
    return save_pipeline(diffusers.ZImagePipeline, _z_image_parts, folder)


def qwen_image(folder: Path) -> Path:
    """Qwen-Image: a Qwen2.5-VL as text encoder, a video's autoencoder. Scale factor 8 and latents packed by 2."""
    return save_pipeline(diffusers.QwenImagePipeline, _qwen_image_parts, folder, processor=False)


def qwen_image_edit(folder: Path) -> Path:
    """Qwen-Image-Edit as first published: one guide."""
    return save_pipeline(diffusers.QwenImageEditPipeline, _qwen_image_parts, folder)


def qwen_image_edit_plus(folder: Path) -> Path:
    """Qwen-Image-Edit since September 2025: several guides."""
    return save_pipeline(diffusers.QwenImageEditPlusPipeline, _qwen_image_parts, folder)


def _sana_parts():
    tokenizer = _qwen_tokenizer()
    return {
        "tokenizer": tokenizer,
        "text_encoder": transformers.Gemma2Model(
            transformers.Gemma2Config(
                head_dim=8, num_key_value_heads=2, max_position_embeddings=512, **_language(tokenizer, layers=1)
            )
        ),
        "vae": diffusers.AutoencoderDC(
            latent_channels=4,
            attention_head_dim=2,
            encoder_block_out_channels=(8, 8, 8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8, 8, 8),
            encoder_block_types="ResBlock",
            decoder_block_types="ResBlock",
            encoder_qkv_multiscales=((),) * 6,
            decoder_qkv_multiscales=((),) * 6,
            encoder_layers_per_block=(1,) * 6,
            decoder_layers_per_block=(1,) * 6,
            scaling_factor=0.41,
        ),
        "transformer": diffusers.SanaTransformer2DModel(
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_attention_heads=2,
            attention_head_dim=4,
            num_cross_attention_heads=2,
            cross_attention_head_dim=4,
            cross_attention_dim=8,
            caption_channels=WIDTH,
            sample_size=16,
        ),
        "scheduler": diffusers.DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction"),
    }


def _flux2_parts(guidance_embeds=False):
    tokenizer = _qwen_tokenizer()
    return {
        "tokenizer": tokenizer,
        "text_encoder": transformers.Qwen3ForCausalLM(
            transformers.Qwen3Config(head_dim=8, num_key_value_heads=2, **_language(tokenizer, layers=28))
        ),
        "vae": diffusers.AutoencoderKLFlux2(
            block_out_channels=(4, 4, 4, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 5,
            up_block_types=("UpDecoderBlock2D",) * 5,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
        ),
        "transformer": attentive(
            diffusers.Flux2Transformer2DModel(
                in_channels=16,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=3 * WIDTH,
                axes_dims_rope=(4, 4, 4, 4),
                timestep_guidance_channels=16,
                guidance_embeds=guidance_embeds,
            )
        ),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    }


def _flux2_dev_parts():
    import tiny_i2t

    tokenizer = tiny_i2t.new_tokenizer(image_token="<image>")
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.Mistral3Config(
        text_config={
            "model_type": "mistral",
            "num_key_value_heads": 2,
            "head_dim": 8,
            **_language(tokenizer, layers=31),
        },
        vision_config={"model_type": "pixtral", "image_size": 28, "patch_size": 14, **vision},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    template = (
        "{% for message in messages %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
    )
    processor = transformers.PixtralProcessor(
        transformers.PixtralImageProcessor(), tokenizer, patch_size=14, chat_template=template, image_token="<image>"
    )
    encoder = transformers.Mistral3ForConditionalGeneration(config)
    return {**_flux2_parts(guidance_embeds=True), "tokenizer": processor, "text_encoder": encoder}


def _z_image_parts():
    tokenizer = _qwen_tokenizer()
    return {
        "tokenizer": tokenizer,
        "text_encoder": transformers.Qwen3Model(
            transformers.Qwen3Config(head_dim=8, num_key_value_heads=2, **_language(tokenizer, layers=2))
        ),
        "vae": make_vae(
            levels=5, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159
        ),
        "transformer": diffusers.ZImageTransformer2DModel(
            dim=32,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=WIDTH,
            axes_dims=[8, 4, 4],
            axes_lens=[1024, 256, 256],
        ),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    }


def _qwen_image_parts(processor=True):
    import tiny_i2t

    with tempfile.TemporaryDirectory() as folder:
        captioner = tiny_i2t.qwen2_5_vl(Path(folder))
        encoder = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(captioner)
        parts = transformers.AutoProcessor.from_pretrained(captioner)
    images = transformers.Qwen2VLProcessor(parts.image_processor, parts.tokenizer, parts.video_processor)
    return {
        "tokenizer": parts.tokenizer,
        "text_encoder": encoder,
        **({"processor": images} if processor else {}),
        "vae": diffusers.AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            latents_mean=[0.0] * 4,
            latents_std=[8.0] * 4,
        ),
        "transformer": attentive(
            diffusers.QwenImageTransformer2DModel(
                in_channels=16,
                out_channels=4,
                num_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=tiny_i2t.WIDTH,
                axes_dims_rope=(4, 6, 6),
            )
        ),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    }


def _language(tokenizer, layers):
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _qwen_tokenizer():
    import tiny_i2t

    tokenizer = tiny_i2t.new_tokenizer(begin=False)
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer
