"""Tiny captioners that chat: the LLaVA, Qwen, InternVL, Gemma and Idefics families."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as hf
from tiny_i2t_blocks import (
    GEMMA_TEMPLATE,
    LLAVA_TEMPLATE,
    QWEN_TEMPLATE,
    SIDE,
    SMOL_TEMPLATE,
    TEXT,
    VISION,
    WIDTH,
    new_tokenizer,
    save_model,
    special_ids,
)


def llava(folder: Path) -> Path:
    """LLaVA 1.5: CLIP with 16 patches of an image of 56x56, two projecting layers, Llama."""
    tokenizer = new_tokenizer()
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size=SIDE),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    config = hf.LlavaConfig(
        vision_config={"model_type": "clip_vision_model", "projection_dim": 32, **VISION},
        text_config={"model_type": "llama", **TEXT, **special_ids(tokenizer)},
        image_token_index=processor.image_token_id,
        image_seq_length=16,
    )
    return save_model(folder, lambda: hf.LlavaForConditionalGeneration(config), processor)


def llava_next(folder: Path) -> Path:
    """LLaVA 1.6: as 1.5, with up to four tiles of 56x56 by the image's shape."""
    tokenizer, grid = new_tokenizer(), [[56, 112], [112, 56], [112, 112]]
    processor = hf.LlavaNextProcessor(
        hf.LlavaNextImageProcessor(size={"shortest_edge": 56}, crop_size=SIDE, image_grid_pinpoints=grid),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    config = hf.LlavaNextConfig(
        vision_config={"model_type": "clip_vision_model", "projection_dim": 32, **VISION},
        text_config={"model_type": "llama", **TEXT, **special_ids(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=grid,
    )
    return save_model(folder, lambda: hf.LlavaNextForConditionalGeneration(config), processor)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: patches of 14x14, four merged into a token, at most 36 tokens an image in its own aspect."""
    tokenizer = new_tokenizer(begin=False)
    size = {"shortest_edge": 4 * 28 * 28, "longest_edge": 36 * 28 * 28}
    processor = hf.Qwen2_5_VLProcessor(
        hf.Qwen2VLImageProcessor(size=size), tokenizer, hf.Qwen2VLVideoProcessor(size=size), chat_template=QWEN_TEMPLATE
    )
    token = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6}
    config = hf.Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [1],
            "initializer_range": 0.2,
        },
        text_config={**TEXT, **special_ids(tokenizer), "rope_parameters": rope},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    return save_model(folder, lambda: hf.Qwen2_5_VLForConditionalGeneration(config), processor)


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: patches of 16x16, four merged into a token, a layer of the vision tower led past it (deepstack)."""
    tokenizer = new_tokenizer(begin=False)
    size = {"shortest_edge": 4 * 32 * 32, "longest_edge": 36 * 32 * 32}
    processor = hf.Qwen3VLProcessor(
        hf.Qwen2VLImageProcessor(size=size, patch_size=16),
        tokenizer,
        hf.Qwen3VLVideoProcessor(size=size),
        chat_template=QWEN_TEMPLATE,
    )
    token = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True, "rope_theta": 1e6}
    config = hf.Qwen3VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 64,
            "initializer_range": 0.2,
        },
        text_config={**TEXT, **special_ids(tokenizer), "head_dim": 16, "rope_parameters": rope},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    return save_model(folder, lambda: hf.Qwen3VLForConditionalGeneration(config), processor)


def internvl(folder: Path) -> Path:
    """InternVL 3: up to four tiles of 56x56 and the whole image, four tokens each; Qwen2."""
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    tokenizer = new_tokenizer(begin=False, **names, video_token="<video>")
    images = hf.GotOcr2ImageProcessor(size=SIDE, crop_to_patches=True, min_patches=1, max_patches=4)
    video = hf.InternVLVideoProcessor(size=SIDE)
    template = QWEN_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>\n")
    processor = hf.InternVLProcessor(images, tokenizer, video, image_seq_length=4, chat_template=template)
    config = hf.InternVLConfig(
        vision_config={**VISION, "image_size": [56, 56], "patch_size": [14, 14]},
        text_config={"model_type": "qwen2", **TEXT, **special_ids(tokenizer)},
        image_token_id=processor.image_token_id,
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    return save_model(folder, lambda: hf.InternVLForConditionalGeneration(config), processor)


def llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision: SigLIP with 16 patches of an image of 56x56, up to four tiles by its shape, Qwen2."""
    tokenizer, grid = new_tokenizer(begin=False), [[56, 112], [112, 56], [112, 112]]
    template = QWEN_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>")
    processor = hf.LlavaOnevisionProcessor(
        hf.LlavaOnevisionImageProcessor(size=SIDE, image_grid_pinpoints=grid),
        tokenizer,
        hf.LlavaOnevisionVideoProcessor(size=SIDE),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=template,
    )
    token = tokenizer.convert_tokens_to_ids
    config = hf.LlavaOnevisionConfig(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VISION},
        text_config={"model_type": "qwen2", **TEXT, **special_ids(tokenizer)},
        image_token_index=token("<image>"),
        video_token_index=token("<video>"),
        image_grid_pinpoints=grid,
    )
    return save_model(folder, lambda: hf.LlavaOnevisionForConditionalGeneration(config), processor)


def gemma3(folder: Path) -> Path:
    """Gemma 3: SigLIP pooled to four tokens that see each other, a layer with a window, two ids that end."""
    names = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    tokenizer = new_tokenizer(**names)
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(size=SIDE), tokenizer, image_seq_length=4, chat_template=GEMMA_TEMPLATE
    )
    token = tokenizer.convert_tokens_to_ids
    ids = {**special_ids(tokenizer), "eos_token_id": [tokenizer.eos_token_id, token("<end_of_turn>")]}
    kinds = ["sliding_attention", "full_attention"]
    config = hf.Gemma3Config(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VISION},
        text_config={
            **TEXT,
            **ids,
            "head_dim": 16,
            "sliding_window": 32,
            "layer_types": kinds,
            "tie_word_embeddings": False,
        },
        mm_tokens_per_image=4,
        boi_token_index=token("<start_of_image>"),
        eoi_token_index=token("<end_of_image>"),
        image_token_index=token("<image_soft_token>"),
        tie_word_embeddings=False,
    )

    def build() -> hf.Gemma3ForConditionalGeneration:
        model = hf.Gemma3ForConditionalGeneration(config)
        torch.nn.init.normal_(
            model.model.multi_modal_projector.mm_input_projection_weight, std=0.2
        )  # zeros as it comes
        return model

    return save_model(folder, build, processor)


def idefics3(folder: Path) -> Path:
    """Idefics 3, of which SmolVLM is made: the image and its tiles of 56x56, four tokens each."""
    tokenizer = new_tokenizer(begin=False)
    images = hf.Idefics3ImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56})
    processor = hf.Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=SMOL_TEMPLATE)
    config = hf.Idefics3Config(
        vision_config=VISION,
        text_config={"model_type": "llama", **TEXT, **special_ids(tokenizer)},
        image_token_id=processor.image_token_id,
        scale_factor=2,
    )
    return save_model(folder, lambda: hf.Idefics3ForConditionalGeneration(config), processor)


def smolvlm(folder: Path) -> Path:
    """SmolVLM: the image and its tiles of 56x56, four tokens each."""
    tokenizer = new_tokenizer(begin=False)
    processor = hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        tokenizer,
        hf.SmolVLMVideoProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        image_seq_len=4,
        chat_template=SMOL_TEMPLATE,
    )
    config = hf.SmolVLMConfig(
        vision_config=VISION,
        text_config={"model_type": "llama", **TEXT, **special_ids(tokenizer)},
        image_token_id=processor.image_token_id,
        scale_factor=2,
    )
    return save_model(folder, lambda: hf.SmolVLMForConditionalGeneration(config), processor)
