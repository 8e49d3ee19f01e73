"""Tiny captioners of real architectures, saved as the hub saves them: no network, below a second to build.

The weights are random but for a small grammar laid into the language model, so that a tiny model speaks as a real one
does: a short sentence whose words depend on the image, then its end token. See `_teach`.
"""

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


def _tokenizer(begin: bool = True, **named: str) -> hf.PreTrainedTokenizerFast:
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


def _ids(tokenizer: hf.PreTrainedTokenizerFast) -> dict[str, int]:
    """The ids of a language model's configuration."""
    return {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}


def _save(folder: Path, build: Callable[[], Any], processor: Any, teach: bool = True) -> Path:
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


def llava(folder: Path) -> Path:
    """LLaVA 1.5: CLIP with 16 patches of an image of 56x56, two projecting layers, Llama."""
    tokenizer = _tokenizer()
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
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        image_token_index=processor.image_token_id,
        image_seq_length=16,
    )
    return _save(folder, lambda: hf.LlavaForConditionalGeneration(config), processor)


def llava_next(folder: Path) -> Path:
    """LLaVA 1.6: as 1.5, with up to four tiles of 56x56 by the image's shape."""
    tokenizer, grid = _tokenizer(), [[56, 112], [112, 56], [112, 112]]
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
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=grid,
    )
    return _save(folder, lambda: hf.LlavaNextForConditionalGeneration(config), processor)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: patches of 14x14, four merged into a token, at most 36 tokens an image in its own aspect."""
    tokenizer = _tokenizer(begin=False)
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
        text_config={**TEXT, **_ids(tokenizer), "rope_parameters": rope},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    return _save(folder, lambda: hf.Qwen2_5_VLForConditionalGeneration(config), processor)


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: patches of 16x16, four merged into a token, a layer of the vision tower led past it (deepstack)."""
    tokenizer = _tokenizer(begin=False)
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
        text_config={**TEXT, **_ids(tokenizer), "head_dim": 16, "rope_parameters": rope},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    return _save(folder, lambda: hf.Qwen3VLForConditionalGeneration(config), processor)


def internvl(folder: Path) -> Path:
    """InternVL 3: up to four tiles of 56x56 and the whole image, four tokens each; Qwen2."""
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    tokenizer = _tokenizer(begin=False, **names, video_token="<video>")
    images = hf.GotOcr2ImageProcessor(size=SIDE, crop_to_patches=True, min_patches=1, max_patches=4)
    video = hf.InternVLVideoProcessor(size=SIDE)
    template = QWEN_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>\n")
    processor = hf.InternVLProcessor(images, tokenizer, video, image_seq_length=4, chat_template=template)
    config = hf.InternVLConfig(
        vision_config={**VISION, "image_size": [56, 56], "patch_size": [14, 14]},
        text_config={"model_type": "qwen2", **TEXT, **_ids(tokenizer)},
        image_token_id=processor.image_token_id,
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    return _save(folder, lambda: hf.InternVLForConditionalGeneration(config), processor)


def llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision: SigLIP with 16 patches of an image of 56x56, up to four tiles by its shape, Qwen2."""
    tokenizer, grid = _tokenizer(begin=False), [[56, 112], [112, 56], [112, 112]]
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
        text_config={"model_type": "qwen2", **TEXT, **_ids(tokenizer)},
        image_token_index=token("<image>"),
        video_token_index=token("<video>"),
        image_grid_pinpoints=grid,
    )
    return _save(folder, lambda: hf.LlavaOnevisionForConditionalGeneration(config), processor)


def gemma3(folder: Path) -> Path:
    """Gemma 3: SigLIP pooled to four tokens that see each other, a layer with a window, two ids that end."""
    names = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    tokenizer = _tokenizer(**names)
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(size=SIDE), tokenizer, image_seq_length=4, chat_template=GEMMA_TEMPLATE
    )
    token = tokenizer.convert_tokens_to_ids
    ids = {**_ids(tokenizer), "eos_token_id": [tokenizer.eos_token_id, token("<end_of_turn>")]}
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

    return _save(folder, build, processor)


def florence2(folder: Path) -> Path:
    """Florence-2: DaViT in four stages to 2x2 patches and their mean, BART, which begins with a forced <s>."""
    tokenizer = _tokenizer(begin=False, image_token="<image>")
    images = hf.CLIPImageProcessor(size=SIDE, do_center_crop=False, resample=3)
    images.image_seq_length = 5
    ids = {**_ids(tokenizer), "decoder_start_token_id": tokenizer.eos_token_id, "forced_eos_token_id": None}
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

    return _save(folder, build, hf.Florence2Processor(images, tokenizer))


def idefics3(folder: Path) -> Path:
    """Idefics 3, of which SmolVLM is made: the image and its tiles of 56x56, four tokens each."""
    tokenizer = _tokenizer(begin=False)
    images = hf.Idefics3ImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56})
    processor = hf.Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=SMOL_TEMPLATE)
    config = hf.Idefics3Config(
        vision_config=VISION,
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        image_token_id=processor.image_token_id,
        scale_factor=2,
    )
    return _save(folder, lambda: hf.Idefics3ForConditionalGeneration(config), processor)


def smolvlm(folder: Path) -> Path:
    """SmolVLM: the image and its tiles of 56x56, four tokens each."""
    tokenizer = _tokenizer(begin=False)
    processor = hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        tokenizer,
        hf.SmolVLMVideoProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        image_seq_len=4,
        chat_template=SMOL_TEMPLATE,
    )
    config = hf.SmolVLMConfig(
        vision_config=VISION,
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        image_token_id=processor.image_token_id,
        scale_factor=2,
    )
    return _save(folder, lambda: hf.SmolVLMForConditionalGeneration(config), processor)


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
        text_config={"model_type": "llama", **TEXT, **_ids(processor.tokenizer)},
        num_query_tokens=8,
        image_token_index=processor.tokenizer.convert_tokens_to_ids("<image>"),
    )
    return _save(folder, lambda: model_class(config), processor)


def instructblip(folder: Path) -> Path:
    """InstructBLIP with a Llama as language model; no chat template."""
    words, images = _bert_tokenizer(), hf.BlipImageProcessor(size=SIDE)
    processor = hf.InstructBlipProcessor(images, _tokenizer(), words, num_query_tokens=8)
    return _blip_2(folder, hf.InstructBlipConfig, hf.InstructBlipForConditionalGeneration, processor, len(words))


def blip_2(folder: Path) -> Path:
    """BLIP-2 with a Llama as language model; no chat template."""
    processor = hf.Blip2Processor(hf.BlipImageProcessor(size=SIDE), _tokenizer(), num_query_tokens=8)
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

    return _save(folder, build, hf.BlipProcessor(hf.BlipImageProcessor(size=SIDE), tokenizer), teach=False)
