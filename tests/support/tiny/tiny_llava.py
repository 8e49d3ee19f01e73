"""A tiny LLaVA in two layouts with the same weights: transformers', and that of LLaVA 1.5's and ShareGPT4V's
authors.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import sentencepiece
import tiny_i2t
import torch
import transformers as hf
from safetensors.torch import load_file

CONFIG = {  # as in Lin-Chen/ShareGPT4V-7B, but for the sizes
    "architectures": ["Share4VLlamaForCausalLM"],
    "model_type": "share4v",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "hidden_act": "silu",
    "image_aspect_ratio": "pad",
    "image_grid_pinpoints": None,
    "mm_hidden_size": 32,
    "mm_projector_type": "mlp2x_gelu",
    "mm_use_im_patch_token": False,
    "mm_use_im_start_end": False,
    "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.31.0",
    "tune_vision_tower": False,
    "use_mm_proj": True,
}
NAMES = {  # transformers' name -> the authors'
    "language_model.lm_head.": "lm_head.",
    "language_model.model.": "model.",
    "multi_modal_projector.linear_1.": "model.mm_projector.0.",
    "multi_modal_projector.linear_2.": "model.mm_projector.2.",
    "vision_tower.": "vision_model.",
}
IMAGE_PROCESSOR = {
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "do_center_crop": True,
    "do_normalize": True,
    "do_convert_rgb": True,
    "do_rescale": True,
    "resample": 3,
    "crop_size": {"height": 56, "width": 56},
    "size": {"shortest_edge": 56},
    "rescale_factor": 1 / 255,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
PROMPT = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
)
PROMPT += "and polite answers to the user's questions. USER: <image>\n{} ASSISTANT:"


def llama_pieces(folder: Path) -> sentencepiece.SentencePieceProcessor:
    """Llama's kind of tokenizer.model: BPE with bytes for what it does not know, <unk> <s> </s> at 0, 1, 2."""
    words = [word for place in tiny_i2t.GRAMMAR for word in place]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["".join(words[:-1]) + "."] * 5),
        model_writer=model,
        model_type="bpe",
        vocab_size=1000,
        byte_fallback=True,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
        remove_extra_whitespaces=False,
        num_threads=1,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "legacy": False}
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | tokens))
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def both(folder: Path) -> tuple[Path, Path, sentencepiece.SentencePieceProcessor]:
    """folder/authors (its vision tower in folder/tower), folder/converted, and the tokenizer."""
    authors, tower = folder / "authors", folder / "tower"
    authors.mkdir(parents=True)
    tower.mkdir()
    pieces = llama_pieces(authors)
    tokenizer = hf.LlamaTokenizer.from_pretrained(authors, legacy=True)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    size = len(pieces)
    sizes = {**tiny_i2t.TEXT, "vocab_size": size + 1, "rms_norm_eps": 1e-5}
    config = hf.LlavaConfig(
        vision_config={"model_type": "clip_vision_model", "projection_dim": 32, **tiny_i2t.VISION},
        text_config={"model_type": "llama", **sizes, **tiny_i2t.special_ids(tokenizer)},
        image_token_index=size,
        image_seq_length=16,
    )
    processor = hf.LlavaProcessor(
        hf.LlavaImageProcessor(size={"shortest_edge": 56}, crop_size=tiny_i2t.SIDE, do_pad=True),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=PROMPT.replace(
            "<image>\n{}",
            "{% for part in messages[0]['content'] %}"
            "{{ '<image>\n' if part['type'] == 'image' else part['text'] }}{% endfor %}",
        ),
    )
    tiny_i2t.save_model(folder / "converted", lambda: hf.LlavaForConditionalGeneration(config), processor)

    renamed = {}
    for key, tensor in load_file(folder / "converted" / "model.safetensors").items():
        old = next(name for name in NAMES if key.startswith(name))
        renamed[key.replace(old, NAMES[old], 1)] = tensor
    parts: list[dict[str, torch.Tensor]] = [{}, {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}]
    vision = {"vision_model.embeddings.position_ids": torch.arange(17)[None]}
    for place, (key, tensor) in enumerate(renamed.items()):
        if key in ("lm_head.weight", "model.embed_tokens.weight"):
            tensor = tensor[:size].clone()  # the authors' have no row for <image>
        (vision if key.startswith("vision_model.") else parts[place % 2])[key] = tensor
    for place, part in enumerate(parts, 1):
        torch.save(part, authors / f"pytorch_model-0000{place}-of-00002.bin")
    torch.save(vision, tower / "pytorch_model.bin")
    own = {**CONFIG, **{key: value for key, value in sizes.items() if key != "vocab_size"}, "vocab_size": size}
    (authors / "config.json").write_text(json.dumps({**own, "mm_vision_tower": str(tower)}))
    vision_config = {"architectures": ["CLIPVisionModel"], "model_type": "clip_vision_model", "projection_dim": 32}
    (tower / "config.json").write_text(json.dumps({**vision_config, **tiny_i2t.VISION}))
    (tower / "preprocessor_config.json").write_text(json.dumps(IMAGE_PROCESSOR))
    return authors, folder / "converted", pieces
