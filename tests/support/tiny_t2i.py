"""Tiny checkpoints of the real text-to-image architectures, with random weights, in the hub's folder format.

Every builder takes the folder to write, returns it, needs no network and gives the same bytes each time. The images
mean nothing. The VAEs shrink by 16 or 32 instead of 8, so that the benchmark's working size (long side 1024) is cheap.
"""

from __future__ import annotations

import tempfile
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
    return _save(diffusers.StableDiffusionXLPipeline, _sdxl_parts, folder, **blocks)


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


def _sdxl_parts(in_channels=4, **blocks):
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
        "vae": _vae(force_upcast=True, scaling_factor=0.13025),
        "text_encoder": transformers.CLIPTextModel(_text_config()),
        "text_encoder_2": transformers.CLIPTextModelWithProjection(_text_config()),
        "tokenizer": _clip_tokenizer(),
        "tokenizer_2": _clip_tokenizer(),
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


def pg25(folder: Path) -> Path:
    """Playground 2.5: SDXL with the EDM scheduler, and latents that are normalised. Scale factor 32."""
    return _save(diffusers.StableDiffusionXLPipeline, _pg25_parts, folder)


def kandinsky3(folder: Path) -> Path:
    """Kandinsky 3: a UNet that halves latents of a scale of 8 three times, so sizes are multiples of 64."""
    return _save(diffusers.Kandinsky3Pipeline, _kandinsky3_parts, folder)


def sana(folder: Path) -> Path:
    """Sana, text only: a deep-compression autoencoder, a Gemma 2 as text encoder. Scale factor 32."""
    return _save(diffusers.SanaPipeline, _sana_parts, folder)


def flux_kontext(folder: Path) -> Path:
    """FLUX.1 Kontext: FLUX.1's parts in an edit pipeline. Sizes are multiples of 32."""
    return _save(diffusers.FluxKontextPipeline, _flux_kontext_parts, folder)


def flux2(folder: Path) -> Path:
    """FLUX.2 klein base: a Qwen3 of at least 27 layers as text encoder. Scale factor 16 and latents packed by 2."""
    return _save(diffusers.Flux2KleinPipeline, _flux2_parts, folder)


def flux2_dev(folder: Path) -> Path:
    """FLUX.2 dev: Mistral 3 as text encoder, with its processor in the tokenizer's place, and embedded guidance."""
    return _save(diffusers.Flux2Pipeline, _flux2_dev_parts, folder)


def z_image(folder: Path) -> Path:
    """Z-Image: a Qwen3 as text encoder. Scale factor 16 and patches of 2."""
    return _save(diffusers.ZImagePipeline, _z_image_parts, folder)


def qwen_image(folder: Path) -> Path:
    """Qwen-Image: a Qwen2.5-VL as text encoder, a video's autoencoder. Scale factor 8 and latents packed by 2."""
    return _save(diffusers.QwenImagePipeline, _qwen_image_parts, folder, processor=False)


def qwen_image_edit(folder: Path) -> Path:
    """Qwen-Image-Edit as first published: one guide."""
    return _save(diffusers.QwenImageEditPipeline, _qwen_image_parts, folder)


def qwen_image_edit_plus(folder: Path) -> Path:
    """Qwen-Image-Edit since September 2025: several guides."""
    return _save(diffusers.QwenImageEditPlusPipeline, _qwen_image_parts, folder)


def motion_adapter(folder: Path) -> Path:
    """AnimateDiff's motion module alone, for the UNet of `sd15`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = _motion_adapter()
    module.save_pretrained(folder)
    return Path(folder)


def animatediff(folder: Path) -> Path:
    """A whole AnimateDiff pipeline. Scale factor 32."""
    return _save(diffusers.AnimateDiffPipeline, _animatediff_parts, folder)


def _attentive(transformer):
    """The transformer with attention that is strong enough for a guide to show in a picture of eight bits."""
    for name, weight in transformer.named_parameters():
        if "attn" in name and weight.ndim == 2:
            weight.data *= 6
    return transformer


def _flux_kontext_parts():
    parts = _flux_parts()
    return {**parts, "transformer": _attentive(parts["transformer"])}


def _pg25_parts():
    parts = _sdxl_parts()
    latents = {"latents_mean": [-1.6, 1.2, 0.3, -0.2], "latents_std": [8.4, 5.9, 5.4, 5.3]}
    return {
        **parts,
        "vae": _vae(force_upcast=True, scaling_factor=0.5, **latents),
        "scheduler": diffusers.EDMDPMSolverMultistepScheduler(sigma_max=80.0, sigma_data=0.5),
    }


def _kandinsky3_parts():
    return {
        "tokenizer": _t5_tokenizer(),
        "text_encoder": _t5_encoder(),
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
        "transformer": _attentive(
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

    tokenizer = tiny_i2t._tokenizer(image_token="<image>")
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
        "vae": _vae(levels=5, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159),
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
        "transformer": _attentive(
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


def _animatediff_parts():
    parts = _sd15_parts(scheduler=diffusers.DDIMScheduler(beta_schedule="linear", clip_sample=False))
    parts = {key: part for key, part in parts.items() if key not in ("safety_checker", "feature_extractor")}
    return {**parts, "motion_adapter": _motion_adapter()}


def _motion_adapter():
    return diffusers.MotionAdapter(
        block_out_channels=(16, 32), motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=8
    )


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

    tokenizer = tiny_i2t._tokenizer(begin=False)
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer
