"""What the tiny captioners share: sizes, templates, a tokenizer, and the grammar that they are taught."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers.utils import logging

# One word of each line makes a sentence. No word comes twice, so that each belongs to one place.
GRAMMAR = [
    [" A", " The", " One", " Some", " Another", " That", " This", " Every"],
    [" small", " bright", " old", " quiet", " wooden", " colorful", " narrow", " distant"],
    [" boat", " street", " castle", " garden", " table", " market", " bridge", " mountain"],
    [" rests", " glows", " waits", " stands", " appears", " shines", " fades", " sleeps"],
    [" under", " beside", " behind", " near", " above", " beyond", " against", " before"],
    [" calm", " heavy", " golden", " foggy", " snowy", " purple", " stormy", " clear"],
    [" water", " clouds", " trees", " light", " hills", " sky", " shadows", " windows"],
    ["."],
]
SPECIAL = ["<pad>", "<s>", "</s>", "<image>", "<|im_start|>", "<|im_end|>"]
SPECIAL += ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]  # Qwen's
SPECIAL += ["<fake_token_around_image>", "<global-img>", "<video>", "<end_of_utterance>"]  # SmolVLM's
SPECIAL += ["<img>", "</img>", "<IMG_CONTEXT>"]  # InternVL's
SPECIAL += ["<start_of_image>", "<end_of_image>", "<image_soft_token>", "<start_of_turn>", "<end_of_turn>"]  # Gemma's
SPECIAL += [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
WIDTH = 64  # of every hidden state
TEXT = {
    "vocab_size": 512,
    "hidden_size": WIDTH,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.2,
}
LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.2,
}
VISION = {"image_size": 56, "patch_size": 14, **LAYERS}  # 16 patches
BART = {"layers": 2, "attention_heads": 4, "ffn_dim": 96}
SIDE = {"height": 56, "width": 56}

LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}{% for part in message['content'] %}"
    "{{ '<image>\n' if part['type'] == 'image' else part['text'] }}{% endfor %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{% for part in"
    " message['content'] %}{{ '<start_of_image>' if part['type'] == 'image' else part['text'] }}{% endfor"
    " %}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def new_tokenizer(begin: bool = True, **named: str) -> hf.PreTrainedTokenizerFast:
    """A byte-level BPE, which encodes any prompt and knows each word of the grammar as one token.

    named: special tokens that processors ask for by name, e.g. image_token="<image>".
    """
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    words = [word for place in GRAMMAR for word in place]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=10_000, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator(words, trainer)  # stops when each word is one token
    core.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    if begin:
        first = [("<s>", core.token_to_id("<s>"))]
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=first)
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
        extra_special_tokens=named,
    )


def _teach(model: Any, tokenizer: hf.PreTrainedTokenizerFast) -> None:
    """Lay the grammar into the decoder of `model`, in place; its embeddings must not be tied to its head.

    The first hidden dimensions say which place of the sentence a token has (0: before the sentence). The layers may
    read but not write them, and the head lets only words of the next place follow. Which of them is left to the other
    dimensions, into which attention carries the image. So every sentence ends, as no random model's would.
    """
    embeddings, head, places = model.get_input_embeddings(), model.get_output_embeddings(), len(GRAMMAR) + 1
    decoder = r"(language|text)_model(?!.*encoder).*layers$"
    layers = next(part for name, part in model.named_modules() if re.search(decoder, name))
    writing = [part for name, part in layers.named_modules() if re.search("(o_proj|out_proj|down_proj|fc2)$", name)]
    vocabulary, marks = tokenizer.get_vocab(), ("Ġ", "▁")  # how BPE and SentencePiece write a space
    with torch.no_grad():
        strength = 8 / float(getattr(embeddings, "scalar_embed_scale", 1))  # Gemma multiplies its embeddings
        embeddings.weight[:, :places] = 0
        embeddings.weight[:, 0] = strength
        head.weight.zero_()
        for place, words in enumerate(GRAMMAR):
            for word in words:
                token = next(vocabulary[each] for mark in marks if (each := word.replace(" ", mark)) in vocabulary)
                embeddings.weight[token, :places] = torch.eye(places)[place + 1] * strength
                head.weight[token] = torch.randn(WIDTH)
                head.weight[token, :places] = torch.eye(places)[place] * 100
        head.weight[tokenizer.eos_token_id, places - 1] = 100
        for linear in writing:
            linear.weight[:places] = 0
            if linear.bias is not None:
                linear.bias[:places] = 0


def special_ids(tokenizer: hf.PreTrainedTokenizerFast) -> dict[str, int]:
    """The ids of a language model's configuration."""
    return {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}


def save_model(folder: Path, build: Callable[[], Any], processor: Any, teach: bool = True) -> Path:
    """Build a model with a fixed seed, teach it, save it and its processor in the hub's format, without a bar."""
    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build()
        if teach:
            _teach(model, processor.tokenizer)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Path(folder)
