"""Tiny captioners of real architectures, saved as the hub saves them: no network, below a second to build.

The weights are random but for a small grammar laid into the language model, so that a tiny model speaks as a real one
does: a short sentence whose words depend on the image, then its end token. See `_teach`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizer, Blip2Config, Blip2ForConditionalGeneration, Blip2Processor, BlipConfig, BlipForConditionalGeneration,
    BlipImageProcessor, BlipProcessor, CLIPImageProcessor, InstructBlipConfig, InstructBlipForConditionalGeneration,
    InstructBlipProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaNextConfig,
    LlavaNextForConditionalGeneration, LlavaNextImageProcessor, LlavaNextProcessor, LlavaProcessor,
    PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor, Qwen2VLVideoProcessor, SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessor,
    SmolVLMProcessor, SmolVLMVideoProcessor,
)

# One word of each line makes a sentence. No word comes twice, so that each belongs to one place.
GRAMMAR = [
    " A| The| One| Some| Another| That| This| Every".split("|"),
    " small| bright| old| quiet| wooden| colorful| narrow| distant".split("|"),
    " boat| street| castle| garden| table| market| bridge| mountain".split("|"),
    " rests| glows| waits| stands| appears| shines| fades| sleeps".split("|"),
    " under| beside| behind| near| above| beyond| against| before".split("|"),
    " calm| heavy| golden| foggy| snowy| purple| stormy| clear".split("|"),
    " water| clouds| trees| light| hills| sky| shadows| windows".split("|"),
    ["."],
]
CHAT_TOKENS = ["<image>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
SMOL_TOKENS = ["<fake_token_around_image>", "<global-img>", "<video>", "<end_of_utterance>"]
SMOL_TOKENS += [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
WIDTH = 64  # of every hidden state
TEXT = {
    "vocab_size": 512, "hidden_size": WIDTH, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096, "initializer_range": 0.2,
}
VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.2}

LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}{% for part in message['content'] %}"
    "{{ '<image>\n' if part['type'] == 'image' else part['text'] }}{% endfor %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
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


def _tokenizer(begin: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level BPE, which encodes any prompt and knows each word of the grammar as one token."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    words = [word for place in GRAMMAR for word in place]
    trainer = trainers.BpeTrainer(
        vocab_size=TEXT["vocab_size"] * 2, show_progress=False, special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    core.train_from_iterator(words, trainer)
    core.add_special_tokens([AddedToken(token, normalized=False) for token in CHAT_TOKENS + SMOL_TOKENS])
    if begin:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
    )


def _teach(embeddings: torch.nn.Embedding, head: torch.nn.Linear, layers: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Lay the grammar into a decoder whose embeddings are not tied to its head; changes the three in place.

    The first hidden dimensions say which place of the sentence a token has (0: before the sentence). The layers may
    read but not write them, and the head lets only words of the next place follow. Which of them is left to the other
    dimensions, into which attention carries the image. So every sentence ends, as no random model's would.
    """
    places = len(GRAMMAR) + 1
    with torch.no_grad():
        embeddings.weight[:, :places] = 0
        embeddings.weight[:, 0] = 8
        head.weight.zero_()
        for place, words in enumerate(GRAMMAR):
            for token in tokenizer.convert_tokens_to_ids([word.replace(" ", "Ġ") for word in words]):
                embeddings.weight[token, :places] = torch.eye(places)[place + 1] * 8
                head.weight[token] = torch.randn(WIDTH)
                head.weight[token, :places] = torch.eye(places)[place] * 100
        head.weight[tokenizer.eos_token_id, places - 1] = 100
        for layer in layers:
            layer.self_attn.o_proj.weight[:places] = 0
            layer.mlp.down_proj.weight[:places] = 0


def _ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """The ids of a language model's configuration."""
    return {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}


def _save(folder: Path, build: Callable[[], Any], processor: Any, teach: bool = True) -> Path:
    """Build a model with a fixed seed, teach it, save it and its processor in the hub's format."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build()
        if teach:
            decoder = getattr(model, "language_model", None) or model.model
            layers = getattr(decoder, "text_model", getattr(decoder, "language_model", getattr(decoder, "model", decoder))).layers
            _teach(model.get_input_embeddings(), model.get_output_embeddings(), layers, processor.tokenizer)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Path(folder)


def llava(folder: Path) -> Path:
    """LLaVA 1.5: CLIP with 16 patches of an image of 56x56, two projecting layers, Llama."""
    tokenizer = _tokenizer()
    side = {"height": 56, "width": 56}
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 56}, crop_size=side), tokenizer, patch_size=14,
        vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=LLAVA_TEMPLATE,
    )
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", "image_size": 56, "patch_size": 14, "projection_dim": 32, **VISION},
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        image_token_index=processor.image_token_id, image_seq_length=16,
    )
    return _save(folder, lambda: LlavaForConditionalGeneration(config), processor)


def llava_next(folder: Path) -> Path:
    """LLaVA 1.6: as 1.5, with up to four tiles of 56x56 by the image's shape."""
    tokenizer, grid = _tokenizer(), [[56, 112], [112, 56], [112, 112]]
    processor = LlavaNextProcessor(
        LlavaNextImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=grid),
        tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    config = LlavaNextConfig(
        vision_config={"model_type": "clip_vision_model", "image_size": 56, "patch_size": 14, "projection_dim": 32, **VISION},
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), image_grid_pinpoints=grid,
    )
    return _save(folder, lambda: LlavaNextForConditionalGeneration(config), processor)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: patches of 14x14, four merged into a token, at most 36 tokens an image in its own aspect."""
    tokenizer = _tokenizer(begin=False)
    size = {"shortest_edge": 4 * 28 * 28, "longest_edge": 36 * 28 * 28}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=size), tokenizer, Qwen2VLVideoProcessor(size=size), chat_template=QWEN_TEMPLATE
    )
    token = tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [1], "initializer_range": 0.2,
        },
        text_config={**TEXT, **_ids(tokenizer), "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6}},
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
    )
    return _save(folder, lambda: Qwen2_5_VLForConditionalGeneration(config), processor)


def smolvlm(folder: Path) -> Path:
    """SmolVLM: the image and its tiles of 56x56, four tokens each."""
    tokenizer = _tokenizer(begin=False)
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}), tokenizer,
        SmolVLMVideoProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        image_seq_len=4, chat_template=SMOL_TEMPLATE,
    )
    config = SmolVLMConfig(
        vision_config={"image_size": 56, "patch_size": 14, **VISION},
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        image_token_id=processor.image_token_id, scale_factor=2,
    )
    return _save(folder, lambda: SmolVLMForConditionalGeneration(config), processor)


def _bert_tokenizer() -> BertTokenizer:
    """A WordPiece vocabulary of the grammar's words (last), single letters and BERT's special tokens."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = [word.strip().lower() for place in GRAMMAR for word in place]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *letters, *("##" + letter for letter in letters), *words]
    return BertTokenizer(vocab={piece: place for place, piece in enumerate(dict.fromkeys(pieces))})


def _blip_2(folder: Path, config_class: Any, model_class: Any, processor: Any, qformer_ids: int) -> Path:
    """BLIP-2 and InstructBLIP: a ViT, a Q-Former with eight queries, Llama."""
    config = config_class(
        vision_config={"image_size": 56, "patch_size": 14, **VISION},
        qformer_config={"vocab_size": qformer_ids, "max_position_embeddings": 128, "encoder_hidden_size": 32, **VISION},
        text_config={"model_type": "llama", **TEXT, **_ids(processor.tokenizer)},
        num_query_tokens=8, image_token_index=processor.tokenizer.convert_tokens_to_ids("<image>"),
    )
    return _save(folder, lambda: model_class(config), processor)


def instructblip(folder: Path) -> Path:
    """InstructBLIP with a Llama as language model; no chat template."""
    words, images = _bert_tokenizer(), BlipImageProcessor(size={"height": 56, "width": 56})
    processor = InstructBlipProcessor(images, _tokenizer(), words, num_query_tokens=8)
    return _blip_2(folder, InstructBlipConfig, InstructBlipForConditionalGeneration, processor, len(words))


def blip_2(folder: Path) -> Path:
    """BLIP-2 with a Llama as language model; no chat template."""
    processor = Blip2Processor(BlipImageProcessor(size={"height": 56, "width": 56}), _tokenizer(), num_query_tokens=8)
    return _blip_2(folder, Blip2Config, Blip2ForConditionalGeneration, processor, 30)


def blip(folder: Path) -> Path:
    """BLIP, the one model here that never ends: its 192 positions end its captions (finish_reason "length")."""
    tokenizer = _bert_tokenizer()
    ids = {"bos_token_id": tokenizer.convert_tokens_to_ids("[DEC]"), "sep_token_id": tokenizer.sep_token_id, "pad_token_id": 0}
    config = BlipConfig(
        vision_config={"image_size": 56, "patch_size": 14, **VISION},
        text_config={"vocab_size": len(tokenizer), "max_position_embeddings": 192, "encoder_hidden_size": 32, **ids, **VISION},
    )

    def build() -> BlipForConditionalGeneration:
        model = BlipForConditionalGeneration(config)
        with torch.no_grad():
            model.text_decoder.cls.predictions.bias[: len(tokenizer) - sum(map(len, GRAMMAR))] = -1e4  # words only
        return model

    return _save(folder, build, BlipProcessor(BlipImageProcessor(size={"height": 56, "width": 56}), tokenizer), teach=False)
