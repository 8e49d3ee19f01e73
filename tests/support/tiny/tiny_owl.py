"""A tiny mPLUG-Owl2 as its authors publish it: their names, their pickles in shards, their tokenizer's kind.

The weights are random but for the grammar of tiny_i2t, so that captions depend on the image and end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import tiny_i2t
import tiny_llava
import torch

WIDTH, INNER, VISION, VISION_INNER, QUERIES = 64, 96, 32, 48, 6
LAYERS, HEADS = 2, 4
SIDE, PATCH = 56, 14
GRID = SIDE // PATCH
SHARDS = 3
CONFIG = {  # as in MAGAer13/mplug-owl2-llama2-7b, but for the sizes
    "architectures": ["MPLUGOwl2LlamaForCausalLM"],
    "attention_bias": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": WIDTH,
    "initializer_range": 0.02,
    "intermediate_size": INNER,
    "max_position_embeddings": 4096,
    "model_type": "mplug_owl2",
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": HEADS,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.31.0",
    "use_cache": True,
    "visual_config": {
        "visual_abstractor": {
            "model_type": "mplug_owl_visual_abstract",
            "encoder_hidden_size": VISION,
            "grid_size": GRID,
            "hidden_size": VISION,
            "intermediate_size": VISION_INNER,
            "layer_norm_eps": 1e-06,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "num_learnable_queries": QUERIES,
        },
        "visual_model": {
            "model_type": "mplug_owl_vision_model",
            "hidden_act": "quick_gelu",
            "hidden_size": VISION,
            "image_size": SIDE,
            "intermediate_size": VISION_INNER,
            "layer_norm_eps": 1e-06,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "patch_size": PATCH,
            "use_flash_attn": False,
        },
    },
}
IMAGES = {
    "crop_size": SIDE,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": SIDE,
}


def shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """The name and shape of each weight in the authors' files."""
    found: dict[str, tuple[int, ...]] = {"lm_head.weight": (vocabulary, WIDTH)}

    def linear(name: str, size: tuple[int, int]) -> None:
        found.update({f"{name}.weight": size, f"{name}.bias": size[:1]})

    def norm(name: str, size: int) -> None:
        found.update({f"{name}.weight": (size,), f"{name}.bias": (size,)})

    vision, abstractor = "model.vision_model", "model.visual_abstractor"
    found |= {
        "model.embed_tokens.weight": (vocabulary, WIDTH),
        "model.norm.weight": (WIDTH,),
        f"{vision}.embeddings.cls_token": (1, 1, VISION),
        f"{vision}.embeddings.position_embedding": (1, GRID * GRID + 1, VISION),
        f"{vision}.embeddings.patch_embed.weight": (VISION, 3, PATCH, PATCH),
        f"{abstractor}.query_embeds": (1, QUERIES, VISION),
        f"{abstractor}.vit_eos": (1, 1, WIDTH),
    }
    norm(f"{vision}.embeddings.pre_layernorm", VISION)
    norm(f"{vision}.post_layernorm", VISION)
    linear(f"{abstractor}.visual_fc", (WIDTH, VISION))
    for place in range(2):
        layer = f"{vision}.encoder.layers.{place}"
        linear(f"{layer}.self_attn.query_key_value", (3 * VISION, VISION))
        linear(f"{layer}.self_attn.dense", (VISION, VISION))
        linear(f"{layer}.mlp.fc1", (VISION_INNER, VISION))
        linear(f"{layer}.mlp.fc2", (VISION, VISION_INNER))
        norm(f"{layer}.input_layernorm", VISION)
        norm(f"{layer}.post_attention_layernorm", VISION)
        layer = f"{abstractor}.encoder.layers.{place}.crossattention"
        for part in ("query", "key", "value"):
            linear(f"{layer}.attention.{part}", (VISION, VISION))
        linear(f"{layer}.output.out_proj", (VISION, VISION))
        linear(f"{layer}.output.mlp.w1", (VISION_INNER, VISION))
        linear(f"{layer}.output.mlp.w2", (VISION, VISION_INNER))
        linear(f"{layer}.output.mlp.w3", (VISION_INNER, VISION))
        norm(f"{layer}.output.mlp.ffn_ln", VISION_INNER)
        for part in ("output.norm2", "norm1", "normk"):
            norm(f"{layer}.{part}", VISION)
        layer = f"model.layers.{place}"
        for way in range(2):
            found[f"{layer}.self_attn.k_proj.multiway.{way}.weight"] = (WIDTH, WIDTH)
            found[f"{layer}.self_attn.v_proj.multiway.{way}.weight"] = (WIDTH, WIDTH)
            found[f"{layer}.input_layernorm.multiway.{way}.weight"] = (WIDTH,)
            found[f"{layer}.post_attention_layernorm.multiway.{way}.weight"] = (WIDTH,)
        for part in ("q_proj", "o_proj"):
            found[f"{layer}.self_attn.{part}.weight"] = (WIDTH, WIDTH)
        found[f"{layer}.mlp.gate_proj.weight"] = found[f"{layer}.mlp.up_proj.weight"] = (INNER, WIDTH)
        found[f"{layer}.mlp.down_proj.weight"] = (WIDTH, INNER)
    return found


def weights(vocabulary: int) -> dict[str, torch.Tensor]:
    """Each weight from a generator of its own: numpy's, seeded with [0, its place among the sorted names].

    Norms are 1 + 0.2 normal, biases 0.2 normal, all others 0.2 normal; float32.
    """
    made = {}
    for place, (name, shape) in enumerate(sorted(shapes(vocabulary).items())):
        values = 0.2 * np.random.default_rng([0, place]).standard_normal(shape, np.float32)
        is_norm = len(shape) == 1 and name.endswith("weight")
        made[name] = torch.from_numpy(values + np.float32(is_norm))
    return made


def places(queries: int = QUERIES, grid: int = GRID, width: int = VISION) -> dict[str, torch.Tensor]:
    """The two tables of places that each layer of the abstractor has in the authors' files."""

    def sines(at: np.ndarray, width: int) -> np.ndarray:
        angles = at[:, None] / 10_000.0 ** (np.arange(width // 2) * 2 / width)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    rows, columns = np.divmod(np.arange(grid * grid), grid)
    patches = np.concatenate([sines(columns, width // 2), sines(rows, width // 2)], axis=1)
    tables = {"q_pos_embed": sines(np.arange(queries), width), "k_pos_embed": np.vstack([np.zeros(width), patches])}
    return {name: torch.from_numpy(table).float() for name, table in tables.items()}


def teach(made: dict[str, torch.Tensor], pieces: sentencepiece.SentencePieceProcessor) -> None:
    """Lay the grammar of tiny_i2t into the language model, in place; see there."""
    grammar = tiny_i2t.GRAMMAR
    count, embeddings, head = len(grammar) + 1, made["model.embed_tokens.weight"], made["lm_head.weight"]
    embeddings[:, :count] = 0
    embeddings[:, 0] = 8
    words = [[pieces.piece_to_id(word.replace(" ", "\u2581")) for word in line] for line in grammar]
    kept = head.clone()
    head.zero_()
    for place, line in enumerate(words):
        for token in line:
            assert token != pieces.unk_id()
            embeddings[token, :count] = torch.eye(count)[place + 1] * 8
            head[token] = kept[token] * 5
            head[token, :count] = torch.eye(count)[place] * 100
    head[pieces.eos_id(), count - 1] = 100
    for name, tensor in made.items():
        if name.endswith(("self_attn.o_proj.weight", "mlp.down_proj.weight")):
            tensor[:count] = 0


def owl2(folder: Path, taught: bool = True, tables: bool = True, tokenizer: bytes | None = None) -> Path:
    """The folder of a checkpoint in float32.

    taught: with the grammar; tables: with the places of the abstractor, as published; tokenizer: the content of
    tokenizer.model instead of one made here, for weights that must not depend on how sentencepiece trains.
    """
    folder.mkdir(parents=True)
    if tokenizer is None:
        pieces = tiny_llava.llama_pieces(folder)
    else:
        (folder / "tokenizer.model").write_bytes(tokenizer)
        pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    made = weights(len(pieces))
    if taught:
        teach(made, pieces)
    for place in range(LAYERS):
        made[f"model.layers.{place}.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
        if tables:
            layer = f"model.visual_abstractor.encoder.layers.{place}.crossattention.attention"
            made |= {f"{layer}.{name}": table.clone() for name, table in places().items()}
    write(folder, made)
    (folder / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": len(pieces)}))
    (folder / "preprocessor_config.json").write_text(json.dumps(IMAGES))
    ids: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps({"_from_model_config": True, **ids}))
    return folder


def write(folder: Path, made: dict[str, torch.Tensor], shards: int = SHARDS) -> None:
    """The pickles, pytorch_model-1-of-3.bin and so on, and their index."""
    names, where = sorted(made), {}
    for shard in range(shards):
        file = f"pytorch_model-{shard + 1}-of-{shards}.bin"
        own = {name: made[name] for name in names[shard::shards]}
        torch.save(own, folder / file)
        where |= dict.fromkeys(own, file)
    index = {"metadata": {"total_size": 0}, "weight_map": where}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
