"""Tiny captioners without a chat template: Florence-2 and the BLIP family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tiny_i2t_blocks import (
    BART,
    GRAMMAR,
    LAYERS,
    SIDE,
    TEXT,
    VISION,
    WIDTH,
    new_tokenizer,
    save_model,
    special_ids,
)


def florence2(folder: Path) -> Path:
    """Florence-2: DaViT in four stages to 2x2 patches and their mean, BART, which begins with a forced <s>."""
    tokenizer = new_tokenizer(begin=False, image_token="<image>")
    images = hf.CLIPImageProcessor(size=SIDE, do_center_crop=False, resample=3)
    images.image_seq_length = 5
    ids = {**special_ids(tokenizer), "decoder_start_token_id": tokenizer.eos_token_id, "forced_eos_token_id": None}
    layers = {f"{side}_{what}": count for side in ("encoder", "decoder") for what, count in BART.items()}
    config = hf.Florence2Config(
        vision_config={
            "depths": [1, 1, 1, 1],
            "embed_dim": [8, 16, 24, 32],
            "num_heads": [1, 2, 2, 2],
            "num_groups": [1, 2, 2, 2],
            "window_size": 4,
            "projection_dim": WIDTH,
            "initializer_range": 0.2,
        },
        text_config={
            "model_type": "bart",
            "vocab_size": 512,
            "d_model": WIDTH,
            "max_position_embeddings": 2048,
            "init_std": 0.1,
            **ids,
            **layers,
        },
        image_token_id=tokenizer.image_token_id,
        tie_word_embeddings=False,
        **ids,
    )

    def build() -> hf.Florence2ForConditionalGeneration:
        model = hf.Florence2ForConditionalGeneration(config)
        model.generation_config.forced_bos_token_id = tokenizer.bos_token_id
        return model

    return save_model(folder, build, hf.Florence2Processor(images, tokenizer))


def _bert_tokenizer() -> hf.BertTokenizer:
    """A WordPiece vocabulary of the grammar's words, single letters and BERT's special tokens."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = [word.strip().lower() for place in GRAMMAR for word in place]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    pieces = [*special, *letters, *("##" + letter for letter in letters), *words]
    return hf.BertTokenizer(vocab={piece: place for place, piece in enumerate(dict.fromkeys(pieces))})


def _blip_2(folder: Path, config_class: Any, model_class: Any, processor: Any, qformer_ids: int) -> Path:
    """BLIP-2 and InstructBLIP: a ViT, a Q-Former with eight queries, Llama."""
    config = config_class(
        vision_config=VISION,
        qformer_config={"vocab_size": qformer_ids, "encoder_hidden_size": 32, **LAYERS},
        text_config={"model_type": "llama", **TEXT, **special_ids(processor.tokenizer)},
        num_query_tokens=8,
        image_token_index=processor.tokenizer.convert_tokens_to_ids("<image>"),
    )
    return save_model(folder, lambda: model_class(config), processor)


def instructblip(folder: Path) -> Path:
    """InstructBLIP with a Llama as language model; no chat template."""
    words, images = _bert_tokenizer(), hf.BlipImageProcessor(size=SIDE)
    processor = hf.InstructBlipProcessor(images, new_tokenizer(), words, num_query_tokens=8)
    return _blip_2(folder, hf.InstructBlipConfig, hf.InstructBlipForConditionalGeneration, processor, len(words))


def blip_2(folder: Path) -> Path:
    """BLIP-2 with a Llama as language model; no chat template."""
    processor = hf.Blip2Processor(hf.BlipImageProcessor(size=SIDE), new_tokenizer(), num_query_tokens=8)
    return _blip_2(folder, hf.Blip2Config, hf.Blip2ForConditionalGeneration, processor, 30)


def blip(folder: Path) -> Path:
    """BLIP, the one model here that never ends: its 192 positions end its captions (finish_reason "length")."""
    tokenizer = _bert_tokenizer()
    ids = dict(zip(("bos_token_id", "sep_token_id"), tokenizer.convert_tokens_to_ids(["[DEC]", "[SEP]"])))
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": 192, "encoder_hidden_size": 32}
    config = hf.BlipConfig(vision_config=VISION, text_config={**sizes, **ids, **LAYERS})

    words = tokenizer.convert_tokens_to_ids([word.strip().lower() for place in GRAMMAR for word in place])

    def build() -> hf.BlipForConditionalGeneration:
        model = hf.BlipForConditionalGeneration(config)
        with torch.no_grad():
            model.text_decoder.cls.predictions.bias.fill_(-1e4)[words] = 0
        return model

    return save_model(folder, build, hf.BlipProcessor(hf.BlipImageProcessor(size=SIDE), tokenizer), teach=False)
