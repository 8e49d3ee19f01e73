"""What the tiny text-to-image checkpoints share: sizes, autoencoder, text encoders, tokenizers, and saving."""

from __future__ import annotations

from pathlib import Path

import diffusers
import torch
import transformers

WIDTH = 32  # of the text encoders' hidden states
LEVELS = 6  # of the VAE: a scale factor of 2 ** (LEVELS - 1) = 32
LETTERS = [chr(code) for code in range(ord("!"), ord("~") + 1)]
# Stable Diffusion's noise schedule, which all its schedulers share.
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def save_pipeline(pipeline, parts, folder, **options):
    """Build under a seed of its own, so that the order of the builders changes nothing, and save."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipe = pipeline(**parts(**options))
    pipe.save_pretrained(folder)
    return Path(folder)


def make_vae(levels=LEVELS, width=None, **config):
    """An autoencoder; width: of all its levels, None for few and more of them."""
    return diffusers.AutoencoderKL(
        block_out_channels=(width,) * levels if width else (4, 4, 8, 8, 16, 16)[-levels:],
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        **{"layers_per_block": 1, "norm_num_groups": 4, "sample_size": 1024, **config},
    )


def clip_text_config():
    """CLIP's text configuration, whose end token must be the tokenizer's, since the pooled state is taken there."""
    tokenizer = clip_tokenizer()
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


def clip_vision_config():
    size = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**size, "image_size": 32, "patch_size": 8}
    return transformers.CLIPConfig(text_config=size, vision_config=vision, projection_dim=WIDTH)


def clip_tokenizer():
    """CLIP's tokenizer with the letters, each alone and at a word's end, and a few merges. It cuts at 77 tokens."""
    merges = [("t", "h"), ("th", "e</w>"), ("i", "n"), ("in", "g</w>"), ("e", "r</w>"), ("e", "d</w>"), ("a", "n")]
    tokens = LETTERS + [letter + "</w>" for letter in LETTERS] + ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def t5_encoder():
    size = {"d_model": 2 * WIDTH, "d_kv": 8, "d_ff": WIDTH, "num_layers": 2, "num_heads": 4}
    return transformers.T5EncoderModel(transformers.T5Config(vocab_size=len(t5_tokenizer()), **size))


def t5_tokenizer():
    """T5's tokenizer: pieces with their log probabilities in T5's order, padding, end, unknown, then the letters."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    return transformers.T5Tokenizer(vocab=special + [(letter, -4.0) for letter in LETTERS], extra_ids=0)


def attentive(transformer):
    """The transformer with attention that is strong enough for a guide to show in a picture of eight bits."""
    for name, weight in transformer.named_parameters():
        if "attn" in name and weight.ndim == 2:
            weight.data *= 6
    return transformer
