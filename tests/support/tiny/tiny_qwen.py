"""A tiny Qwen-VL-Chat as its authors publish theirs: two pickled shards, their names, qwen.tiktoken. Random weights.

Every number comes from numpy's generator, in the order of the names, so that the golden arrays in tests/golden can be
made again from these lines by the authors' code.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import tiny_i2t
import torch

WORDS = [word for place in tiny_i2t.GRAMMAR for word in place]
# The single bytes in order, then every beginning of every word, shorter ones first
TOKENS = [bytes([value]) for value in range(256)]
TOKENS += sorted(
    {word[:end].encode() for word in WORDS for end in range(2, len(word) + 1)}, key=lambda it: (len(it), it)
)
IMAGE_START = len(TOKENS) + 3 + 205 + 6  # <img>, after the conversation's tokens, the extra ones and the tags
IM_END = len(TOKENS) + 2
WIDTH, LAYERS, VOCABULARY = 128, 2, 1024
VISUAL = {
    "heads": 2,
    "image_size": 448,
    "image_start_id": IMAGE_START,
    "layers": 2,
    "mlp_ratio": 1.55,
    "output_dim": WIDTH,
    "patch_size": 14,
    "width": 32,
}
CONFIG: dict[str, Any] = {  # as in Qwen/Qwen-VL-Chat, but for the sizes
    "architectures": ["QWenLMHeadModel"],
    "attn_dropout_prob": 0.0,
    "auto_map": {
        "AutoConfig": "configuration_qwen.QWenConfig",
        "AutoModelForCausalLM": "modeling_qwen.QWenLMHeadModel",
    },
    "bf16": False,
    "emb_dropout_prob": 0.0,
    "fp16": False,
    "fp32": False,
    "hidden_size": WIDTH,
    "initializer_range": 0.02,
    "intermediate_size": 2 * 160,
    "kv_channels": 32,
    "layer_norm_epsilon": 1e-6,
    "max_position_embeddings": 8192,
    "model_type": "qwen",
    "no_bias": True,
    "num_attention_heads": 4,
    "num_hidden_layers": LAYERS,
    "onnx_safe": None,
    "rotary_emb_base": 10000,
    "rotary_pct": 1.0,
    "scale_attn_weights": True,
    "seq_length": 2048,
    "tie_word_embeddings": False,
    "tokenizer_type": "QWenTokenizer",
    "torch_dtype": "bfloat16",
    "transformers_version": "4.31.0",
    "use_cache": True,
    "use_dynamic_ntk": True,
    "use_flash_attn": False,
    "use_logn_attn": True,
    "visual": VISUAL,
    "vocab_size": VOCABULARY,
}
GENERATION = {
    "chat_format": "chatml",
    "do_sample": True,
    "eos_token_id": len(TOKENS),
    "max_new_tokens": 512,
    "max_window_size": 6144,
    "pad_token_id": len(TOKENS),
    "top_k": 0,
    "top_p": 0.3,
    "transformers_version": "4.31.0",
}


def shapes() -> dict[str, tuple[int, ...]]:
    """The authors' name of each tensor -> its size."""
    inner, seen, mlp = CONFIG["intermediate_size"] // 2, VISUAL["width"], int(VISUAL["width"] * VISUAL["mlp_ratio"])
    found: dict[str, tuple[int, ...]] = {
        "lm_head.weight": (VOCABULARY, WIDTH),
        "transformer.wte.weight": (VOCABULARY, WIDTH),
    }
    found["transformer.ln_f.weight"] = (WIDTH,)
    for layer in range(LAYERS):
        block = f"transformer.h.{layer}."
        found |= {f"{block}{norm}.weight": (WIDTH,) for norm in ("ln_1", "ln_2")}
        found |= {f"{block}attn.c_attn.weight": (3 * WIDTH, WIDTH), f"{block}attn.c_attn.bias": (3 * WIDTH,)}
        found |= {f"{block}attn.c_proj.weight": (WIDTH, WIDTH), f"{block}mlp.c_proj.weight": (WIDTH, inner)}
        found |= {f"{block}mlp.{gate}.weight": (inner, WIDTH) for gate in ("w1", "w2")}
    visual = "transformer.visual."
    found |= {f"{visual}conv1.weight": (seen, 3, 14, 14), f"{visual}positional_embedding": (256, seen)}
    found |= {f"{visual}proj": (WIDTH, WIDTH)}
    linear = {"attn.in_proj": (3 * seen, seen), "attn.out_proj": (seen, seen)}
    linear |= {"mlp.c_fc": (mlp, seen), "mlp.c_proj": (seen, mlp)}
    for layer in range(VISUAL["layers"]):
        for name, size in linear.items():
            block = f"{visual}transformer.resblocks.{layer}."
            found |= {f"{block}{name}.weight": size, f"{block}{name}.bias": size[:1]}
        found |= {f"{block}{norm}.{kind}": (seen,) for norm in ("ln_1", "ln_2") for kind in ("weight", "bias")}
    pool = f"{visual}attn_pool."
    found |= {f"{pool}query": (256, WIDTH), f"{pool}pos_embed": (256, WIDTH), f"{pool}kv_proj.weight": (WIDTH, seen)}
    found |= {f"{pool}attn.in_proj_weight": (3 * WIDTH, WIDTH), f"{pool}attn.in_proj_bias": (3 * WIDTH,)}
    found |= {f"{pool}attn.out_proj.weight": (WIDTH, WIDTH), f"{pool}attn.out_proj.bias": (WIDTH,)}
    norms = {f"{visual}ln_pre": seen, f"{visual}ln_post": WIDTH, f"{pool}ln_q": WIDTH, f"{pool}ln_kv": WIDTH}
    return found | {f"{norm}.{kind}": (size,) for norm, size in norms.items() for kind in ("weight", "bias")}


def tensors(taught: bool) -> dict[str, torch.Tensor]:
    """Seeded weights under the authors' names. taught: with the grammar of tiny_i2t, so that captions end."""
    random = np.random.default_rng(14)
    found = {}
    for name, size in sorted(shapes().items()):
        numbers = random.standard_normal(size, dtype=np.float32)
        is_norm = ".ln_" in name and name.endswith("weight")
        scale = (
            0.1 if len(size) == 1 else 1.5 / np.sqrt(np.prod(size[1:]))
        )  # projections keep the size of what they get
        scale = 1.0 if name.endswith(("wte.weight", "query", "pos_embed", "positional_embedding")) else scale
        found[name] = torch.from_numpy(numbers * np.float32(scale) + np.float32(is_norm))
    if taught:
        _teach(found)
    return found


def _teach(found: dict[str, torch.Tensor]) -> None:
    """As tiny_i2t does it: the first dimensions say a token's place in the sentence, and nothing writes them."""
    embeddings, head = found["transformer.wte.weight"], found["lm_head.weight"]
    places = torch.eye(len(tiny_i2t.GRAMMAR) + 1)
    count = len(places)
    embeddings[:, :count] = places[0] * 8
    chosen = head.clone() * 8
    head.zero_()
    for place, words in enumerate(tiny_i2t.GRAMMAR):
        for word in words:
            token = TOKENS.index(word.encode())
            embeddings[token, :count] = places[place + 1] * 8
            head[token] = chosen[token]
            head[token, :count] = places[place] * 100
    head[IM_END, count - 1] = 100
    for name, tensor in found.items():
        if name.startswith("transformer.h.") and name.endswith("c_proj.weight"):
            tensor[:count] = 0


def qwen(folder: Path, taught: bool = True) -> Path:
    """The folder of a checkpoint: config.json, qwen.tiktoken, two shards in float32 and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": CONFIG, "generation_config.json": GENERATION}
    files["tokenizer_config.json"] = {"model_max_length": 8192, "tokenizer_class": "QWenTokenizer"}
    found = tensors(taught)
    names = sorted(found)
    shards = {f"pytorch_model-0000{number}-of-00002.bin": names[number - 1 :: 2] for number in (1, 2)}
    for shard, keys in shards.items():
        torch.save({key: found[key] for key in keys}, folder / shard)
    places = {key: shard for shard, keys in shards.items() for key in keys}
    files["pytorch_model.bin.index.json"] = {"metadata": {}, "weight_map": places}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    lines = (f"{base64.b64encode(token).decode()} {place}\n" for place, token in enumerate(TOKENS))
    (folder / "qwen.tiktoken").write_text("".join(lines))
    return folder
