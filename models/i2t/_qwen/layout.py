"""Qwen-VL-Chat's checkpoint as its authors publish it: judged by its small files, then read into our network."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import _weights as weights
from ...base import ModelError, first_line

if TYPE_CHECKING:
    import torch

    from .network import QwenVL

RUNS = "--model_name Qwen without --model_dir runs Qwen/Qwen-VL-Chat, qwen2.5-vl and qwen3-vl its successors"
CONTEXT = 2048  # prompt and answer together: beyond it the authors' attention is another (NTK, log n)
QUERIES = 256  # an image's tokens
DESIGN = {  # key of config.json -> what the network is written for; another value would load and compute something else
    "no_bias": True,
    "rotary_pct": 1.0,
    "scale_attn_weights": True,
    "tie_word_embeddings": False,
}
RENAMES = [
    (r"transformer\.wte\.", "model.embed_tokens."),
    (r"transformer\.ln_f\.", "model.norm."),
    (r"transformer\.h\.(\d+)\.ln_1\.", r"model.layers.\1.input_layernorm."),
    (r"transformer\.h\.(\d+)\.ln_2\.", r"model.layers.\1.post_attention_layernorm."),
    (r"transformer\.h\.(\d+)\.attn\.c_proj\.", r"model.layers.\1.self_attn.o_proj."),
    (r"transformer\.h\.(\d+)\.attn\.c_attn\.", r"model.layers.\1.self_attn.c_attn."),
    (r"transformer\.h\.(\d+)\.mlp\.w1\.", r"model.layers.\1.mlp.up_proj."),
    (r"transformer\.h\.(\d+)\.mlp\.w2\.", r"model.layers.\1.mlp.gate_proj."),
    (r"transformer\.h\.(\d+)\.mlp\.c_proj\.", r"model.layers.\1.mlp.down_proj."),
    (r"transformer\.visual\.conv1\.", "model.visual.patch_embedding."),
    (r"transformer\.visual\.positional_embedding", "model.visual.position_embedding"),
    (r"transformer\.visual\.ln_pre\.", "model.visual.pre_layernorm."),
    (r"transformer\.visual\.ln_post\.", "model.visual.post_layernorm."),
    (r"transformer\.visual\.attn_pool\.", "model.visual.resampler."),
    (r"transformer\.visual\.transformer\.resblocks\.(\d+)\.ln_", r"model.visual.layers.\1.layer_norm"),
    (r"transformer\.visual\.transformer\.resblocks\.(\d+)\.attn\.", r"model.visual.layers.\1.self_attn."),
    (r"transformer\.visual\.transformer\.resblocks\.(\d+)\.mlp\.c_fc\.", r"model.visual.layers.\1.mlp.fc1."),
    (r"transformer\.visual\.transformer\.resblocks\.(\d+)\.mlp\.c_proj\.", r"model.visual.layers.\1.mlp.fc2."),
    (r"transformer\.visual\.proj", "model.visual.proj"),
]
DROPPED = [r".*\.rotary_emb\.inv_freq", r".*\.attn\.masked_bias"]  # computed; the authors' code ignores them too


def refuse_name(name: str) -> None:
    """Raise ModelError for a sibling that the name alone gives away, before anything is read or downloaded."""
    if found := re.search(r"(?<![a-z])(gptq|awq|gguf|bnb|int[48]|[48]-?bit)(?![a-z])", name, re.IGNORECASE):
        raise ModelError(f"{name} is quantised ({found[0]}), which does not run here. {RUNS}.")
    if re.fullmatch(r"(.*/)?qwen-vl/*", name, re.IGNORECASE):
        raise ModelError(f"{name} is Qwen-VL without chat, which follows no instructions. {RUNS}.")


def recognises(config: dict[str, Any]) -> bool:
    """Whether config.json is of the first Qwen-VL, chat or not; the text-only Qwen has the same model_type."""
    return config.get("model_type") == "qwen" and "visual" in config


def check(name: str, config: dict[str, Any], folder: Path) -> None:
    """Raise ModelError unless the small files are those of Qwen-VL-Chat and of the network's one design."""
    if quantised := config.get("quantization_config"):
        how = quantised.get("quant_method", "quantization_config") if isinstance(quantised, dict) else quantised
        raise ModelError(f"{name} is quantised ({how}), which does not run here. {RUNS}.")
    settings = folder / "generation_config.json"  # all that tells the two apart
    try:
        chat = json.loads(settings.read_text(encoding="utf-8")).get("chat_format")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{settings} is missing or broken ({first_line(error)}): fetch it again.") from error
    if chat != "chatml":
        what = f"Qwen-VL without chat (chat_format {chat!r}), which follows no instructions"
        raise ModelError(f"{name} is {what}. {RUNS}.")
    for key, expected in DESIGN.items():
        if (value := config.get(key, expected)) != expected:
            raise ModelError(f"{name} is of another design ({key}={value!r} instead of {expected!r}). {RUNS}.")


def image_size(config: dict[str, Any]) -> int:
    """The side of the picture that the vision tower sees, in px."""
    return int(config["visual"]["image_size"])


def build(name: object, config: dict[str, Any], image_token: int) -> QwenVL:
    """The network of a checked config.json, without memory for weights. Raises ModelError for impossible sizes."""
    from transformers import CLIPVisionConfig, Qwen2Config

    from .network import QwenVL

    try:
        seen = config["visual"]
        if not config["hidden_size"] == config["kv_channels"] * config["num_attention_heads"] == seen["output_dim"]:
            raise ValueError("hidden_size, kv_channels * num_attention_heads and visual.output_dim differ")
        if seen["image_start_id"] + 2 != image_token:
            raise ValueError(f"image_start_id is {seen['image_start_id']}, in the tokenizer it is {image_token - 2}")
        text = Qwen2Config(
            vocab_size=config["vocab_size"],
            hidden_size=config["hidden_size"],
            intermediate_size=config["intermediate_size"] // 2,  # the authors count gate and up together
            num_hidden_layers=config["num_hidden_layers"],
            num_attention_heads=config["num_attention_heads"],
            num_key_value_heads=config["num_attention_heads"],
            rms_norm_eps=config["layer_norm_epsilon"],
            rope_parameters={"rope_type": "default", "rope_theta": float(config["rotary_emb_base"])},
            max_position_embeddings=min(CONTEXT, config.get("seq_length", CONTEXT)),
            tie_word_embeddings=False,
        )
        vision = CLIPVisionConfig(
            hidden_size=seen["width"],
            intermediate_size=int(seen["width"] * seen["mlp_ratio"]),
            num_hidden_layers=seen["layers"],
            num_attention_heads=seen["heads"],
            image_size=seen["image_size"],
            patch_size=seen["patch_size"],
            hidden_act="gelu",
            layer_norm_eps=1e-6,
            attn_implementation="sdpa",
        )
        return weights.empty(lambda: QwenVL(text, vision, QUERIES, image_token))
    except Exception as error:
        what = f"no {first_line(error)}" if isinstance(error, KeyError) else first_line(error)
        raise ModelError(f"{name}: no network is built from its config.json ({what}): fetch it again.") from error


def load(
    config: dict[str, Any], folder: Path, image_token: int, device: str, dtype: torch.dtype, convert: bool
) -> QwenVL:
    """The network with all its weights; one tensor at a time is in memory twice. Raises ModelError."""
    network = build(folder, config, image_token)
    split = functools.partial(_split, config["visual"]["heads"])
    tensors = weights.read(weights.find(folder), convert=convert)
    how = {"renames": RENAMES, "convert": split, "drop": DROPPED, "source": folder}
    weights.fill(network, tensors, device=device, dtype=dtype, **how)
    return network.to(device)


def _split(heads: int, name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """Queries, keys, values in one tensor become three: blocks in the language model, by head in the vision tower."""
    found = re.fullmatch(r"(.*)\.(c_attn|in_proj)\.(weight|bias)", name)
    if found is None or len(tensor) % (3 * heads if found[2] == "in_proj" else 3):
        yield name, tensor  # of another size, it is left over, and said so
        return
    parts = tensor.chunk(3)
    if found[2] == "in_proj":
        parts = [part.flatten(0, 1) for part in tensor.unflatten(0, (heads, 3, -1)).unbind(1)]
    for place, part in zip("qkv", parts):
        yield f"{found[1]}.{place}_proj.{found[3]}", part
