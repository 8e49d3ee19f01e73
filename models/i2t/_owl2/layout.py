"""mPLUG-Owl2's checkpoints as their authors publish them: judged by config.json, then read into our network."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import _weights as weights
from ...base import ModelError, first_line
from .._native.model import CLIP_MEAN, CLIP_STD

if TYPE_CHECKING:
    import torch

    from .network import Owl2

RUNS = "--model_name mplugowl2 runs MAGAer13/mplug-owl2-llama2-7b"
BICUBIC = 3  # as Pillow counts
CONTEXT = 2048  # tokens of prompt and answer: the authors' context length, although Llama 2 has 4,096 places
DESIGN = {  # key of config.json -> what the network is written for; another value would load and compute something else
    "hidden_act": "silu",
    "rope_scaling": None,
    "tie_word_embeddings": False,
}
VISION = {"use_cls_token": True, "use_post_layernorm": True, "hidden_act": "quick_gelu"}
ABSTRACTOR = {"use_cls_token": True, "add_v2t_pos_emb": False}
DEFAULTS = {  # what the authors' classes take where config.json is silent
    "visual_model": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 448,
        "patch_size": 14,
        "layer_norm_eps": 1e-6,
    },
    "visual_abstractor": {
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 6,
        "num_attention_heads": 16,
        "num_learnable_queries": 64,
        "layer_norm_eps": 1e-6,
        "grid_size": 32,
    },
}
NEEDED = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
LLAMA = (
    *NEEDED,
    "num_key_value_heads",
    "rms_norm_eps",
    "attention_bias",
    "bos_token_id",
    "eos_token_id",
)
DROPPED = [r".*\.rotary_emb\.inv_freq"]  # transformers computes them
COMPUTED = [r".*\.[qk]_pos_embed"]  # as the authors' code does, where a file has none
RENAMES = [
    (r"model\.vision_model\.embeddings\.cls_token", "model.vision_model.embeddings.class_embedding"),
    (r"model\.vision_model\.embeddings\.patch_embed\.", "model.vision_model.embeddings.patch_embedding."),
    (r"model\.vision_model\.embeddings\.position_embedding", "model.vision_model.embeddings.position_embedding.weight"),
    (r"model\.vision_model\.embeddings\.pre_layernorm\.", "model.vision_model.pre_layrnorm."),
    (
        r"model\.visual_abstractor\.encoder\.layers\.(\d+)\.crossattention\.output\.",
        r"model.visual_abstractor.layers.\1.",
    ),
    (r"model\.visual_abstractor\.encoder\.layers\.(\d+)\.crossattention\.", r"model.visual_abstractor.layers.\1."),
]
VISION_LAYER = re.compile(r"(model\.vision_model\.encoder\.layers\.\d+\.)([a-z_.0-9]+)\.(weight|bias)")
VISION_NAMES = {
    "input_layernorm": "layer_norm1",
    "post_attention_layernorm": "layer_norm2",
    "self_attn.dense": "self_attn.out_proj",
}


def refuse_name(name: str) -> None:
    """Raise ModelError for a sibling that the name alone gives away, before anything is read or downloaded."""
    if re.search(r"owl[-_]?2[._-]1", name, re.IGNORECASE):
        raise ModelError(f"{name} is mPLUG-Owl2.1, with Qwen as its language model, which does not run here: {RUNS}.")
    if found := re.search(r"(?<![a-z])(gptq|awq|gguf|bnb|int[48]|[48]-?bit)(?![a-z])", name, re.IGNORECASE):
        raise ModelError(f"{name} is quantised ({found[0]}), which does not run here: {RUNS}, in half precision.")


def recognises(config: dict[str, Any]) -> bool:
    """Whether config.json is of mPLUG-Owl2 or its sibling 2.1, which `check` refuses."""
    return str(config.get("model_type")).startswith("mplug_owl2") or "MPLUGOwl2" in str(config.get("architectures"))


def check(name: str, config: dict[str, Any], folder: Path) -> None:
    """Raise ModelError unless config.json is of the one design that the network is written for, and whole."""
    if config.get("model_type") != "mplug_owl2" or "QWen" in str(config.get("architectures")):
        raise ModelError(f"{name} is mPLUG-Owl2.1, with Qwen as its language model, which does not run here: {RUNS}.")
    if how := config.get("quantization_config"):
        how = how.get("quant_method", "quantization_config") if isinstance(how, dict) else how
        raise ModelError(f"{name} is quantised ({how}), which does not run here: {RUNS}, in half precision.")
    if missing := [key for key in NEEDED if not isinstance(config.get(key), int)]:
        raise ModelError(f"{folder / 'config.json'} lacks {', '.join(missing)}: fetch it again.")
    parts = {"visual_model": VISION, "visual_abstractor": ABSTRACTOR}
    designs = [("", config, DESIGN), *((f"{part}.", _part(config, part), design) for part, design in parts.items())]
    for title, found, design in designs:
        for key, expected in design.items():
            if (value := found.get(key, expected)) != expected:
                what = f"{title}{key}={value!r} instead of {expected!r}"
                raise ModelError(f"{name} is mPLUG-Owl2 of another design ({what}): {RUNS}.")
    _check_pictures(folder / "preprocessor_config.json", image_size(config))


def _check_pictures(path: Path, side: int) -> None:
    """Raise ModelError where the file wants pictures other than ours: CLIP's, as large as the vision tower's."""
    if not path.is_file():
        return
    try:
        wanted = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path} holds no JSON object ({first_line(error)}): fetch it again.") from error
    ours = {"image_mean": list(CLIP_MEAN), "image_std": list(CLIP_STD), "resample": BICUBIC}
    ours |= {"crop_size": side, "size": side}
    for key, expected in ours.items():
        value = wanted.get(key, expected)
        if any(each != expected for each in (value.values() if isinstance(value, dict) else [value])):
            raise ModelError(f"{path}: {key} is {value}, config.json goes with {expected}: fetch both again.")


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the visual configuration, its gaps filled with the authors' defaults."""
    given = (config.get("visual_config") or {}).get(name) or {}
    return DEFAULTS[name] | {key: value for key, value in given.items() if value is not None}


def image_size(config: dict[str, Any]) -> int:
    """The side of the picture that the vision tower sees, in px."""
    return int(_part(config, "visual_model")["image_size"])


def build(config: dict[str, Any]) -> Owl2:
    """The network of a checked config.json, without memory for weights. Raises ModelError for impossible sizes."""
    from transformers import CLIPVisionConfig, LlamaConfig

    from .network import Owl2

    vision, abstractor = _part(config, "visual_model"), _part(config, "visual_abstractor")
    patches = vision["image_size"] // vision["patch_size"]
    widths = {
        vision["hidden_size"],
        abstractor["hidden_size"],
        abstractor.get("encoder_hidden_size", vision["hidden_size"]),
    }
    if abstractor["grid_size"] != patches or len(widths) > 1:
        sizes = f"{patches}x{patches} patches of {vision['hidden_size']}, the abstractor takes"
        taken = f"{abstractor['grid_size']}x{abstractor['grid_size']} of {abstractor['hidden_size']}"
        raise ModelError(f"config.json gives the vision tower {sizes} {taken}: fetch it again.")
    rope = {"rope_type": "default", "rope_theta": float(config.get("rope_theta") or 10_000)}
    text = {key: config[key] for key in LLAMA if key in config} | {"max_position_embeddings": CONTEXT}
    vision = {key: vision[key] for key in DEFAULTS["visual_model"]} | {"hidden_act": VISION["hidden_act"]}
    try:
        llama, clip = LlamaConfig(**text, rope_parameters=rope), CLIPVisionConfig(**vision)
        return weights.empty(lambda: Owl2(llama, clip, abstractor))
    except Exception as error:
        raise ModelError(f"no network is built from this config.json ({first_line(error)}): fetch it again.") from error


def load(config: dict[str, Any], folder: Path, device: str, dtype: torch.dtype, convert: bool) -> Owl2:
    """The network with all its weights; one tensor at a time is in memory twice. Raises ModelError."""
    network = build(config)
    heads = network.model.vision_model.config.num_attention_heads
    tensors = weights.read(weights.find(folder), convert=convert)
    rename = functools.partial(_split, heads)
    names = {"renames": RENAMES, "convert": rename, "drop": DROPPED, "computed": COMPUTED}
    weights.fill(network, tensors, source=folder, device=device, dtype=dtype, **names)
    return network.to(device)


def _split(heads: int, name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """A tensor of the authors as CLIP has it: queries, keys and values, interleaved by head, become three."""
    if name.endswith("embeddings.class_embedding"):
        yield name, tensor.flatten()
    elif name.endswith("embeddings.position_embedding.weight"):
        yield name, tensor.flatten(0, -2)
    elif (match := VISION_LAYER.fullmatch(name)) is None:
        yield name, tensor
    elif match[2] != "self_attn.query_key_value":
        yield f"{match[1]}{VISION_NAMES.get(match[2], match[2])}.{match[3]}", tensor
    elif len(tensor) % (3 * heads):
        yield name, tensor  # of another size: left over, and said so
    else:
        for place, part in zip("qkv", tensor.unflatten(0, (heads, 3, -1)).unbind(1)):
            yield f"{match[1]}self_attn.{place}_proj.{match[3]}", part.flatten(0, 1)
