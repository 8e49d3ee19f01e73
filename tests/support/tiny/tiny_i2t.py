"""Tiny captioners of real architectures, saved as the hub saves them: no network, below a second to build.

The weights are random but for a small grammar laid into the language model, so that a tiny model speaks as a real one
does: a short sentence whose words depend on the image, then its end token. See `tiny_i2t_blocks._teach`.
"""

from tiny_i2t_blocks import GRAMMAR, SIDE, TEXT, VISION, WIDTH, new_tokenizer, save_model, special_ids
from tiny_i2t_captioners import blip, blip_2, florence2, instructblip
from tiny_i2t_chat import gemma3, idefics3, internvl, llava, llava_next, llava_onevision, qwen2_5_vl, qwen3_vl, smolvlm

__all__ = [
    "GRAMMAR",
    "SIDE",
    "TEXT",
    "VISION",
    "WIDTH",
    "new_tokenizer",
    "save_model",
    "special_ids",
    "florence2",
    "instructblip",
    "blip_2",
    "blip",
    "llava",
    "llava_next",
    "qwen2_5_vl",
    "qwen3_vl",
    "internvl",
    "llava_onevision",
    "gemma3",
    "idefics3",
    "smolvlm",
]
