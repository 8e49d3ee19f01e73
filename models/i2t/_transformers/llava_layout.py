"""LLaVA 1.5 and ShareGPT4V as their authors publish them, converted while they load.

Their weights are those of transformers' LLaVA under other names: a Llama and two projecting layers in one repository,
a CLIP, which config.json names, in another. Prompt, tokens and padding of the image are the authors' too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import sources
from ...base import ModelError, first_line
from .checkpoint import fetch, hush

if TYPE_CHECKING:
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

FILES = ["pytorch_model*.bin", "model*.safetensors"]
RENAMED = [
    (r"model\.mm_projector\.0\.", "model.multi_modal_projector.linear_1."),
    (r"model\.mm_projector\.2\.", "model.multi_modal_projector.linear_2."),
    (r"model\.vision_tower\.vision_tower\.(vision_model\.)?", "model.vision_tower."),
    (r"model\.(?=embed_tokens|layers|norm)", "model.language_model."),
]
BUFFERS = ("rotary_emb.inv_freq", "position_ids")  # computed by transformers, stored by old checkpoints
DESIGN = {  # what LLaVA 1.5 is made of; older and newer ones differ, and would load half
    "mm_projector_type": ("mlp2x_gelu",),
    "mm_vision_select_feature": (None, "patch"),
    "mm_use_im_start_end": (None, False),
    "image_aspect_ratio": (None, "square", "pad"),
    "architectures": (["Share4VLlamaForCausalLM"], ["LlavaLlamaForCausalLM"]),
}
TEMPLATE = (  # the authors' conversation "vicuna_v1", which both were tuned with
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and"
    " polite answers to the user's questions. USER: {% for part in messages[0]['content'] %}{{ '<image>\n' if"
    " part['type'] == 'image' else part['text'] }}{% endfor %} ASSISTANT:"
)


def recognises(config: dict[str, Any]) -> bool:
    """Whether config.json is of this layout; as a "llava" transformers would load it with random weights."""
    kind, classes = str(config.get("model_type")), str(config.get("architectures"))
    return (
        "mm_vision_tower" in config
        or kind.startswith(("share4v", "llava_llama"))
        or any(name in classes for name in ("Share4V", "LlavaLlama"))
    )


def load(
    name: str, config: dict[str, Any], device: str, dtype: torch.dtype
) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """The model with all its weights, and its processor. Raises ModelError for another design and whatever is
    missing.
    """
    from transformers import LlavaForConditionalGeneration

    odd = [f"{key}={config.get(key)!r}" for key, allowed in DESIGN.items() if config.get(key) not in allowed]
    if odd or not config.get("mm_vision_tower"):
        what = odd[0] if odd else "it names no mm_vision_tower"
        other = "use one converted for transformers, e.g. llava-hf/llava-1.5-7b-hf or llava-hf/llava-v1.6-vicuna-7b-hf"
        raise ModelError(f"{name} is LLaVA in its authors' layout but not of 1.5's design ({what}): {other}.")
    folder = fetch(name, FILES)
    tower = _tower(name, folder, str(config["mm_vision_tower"]))
    hush()
    try:
        weights = _vision_weights(tower, dtype) | _weights(folder)
        image_token = _add_token(weights)
        whole = _config(config, tower, image_token)
        how = {"dtype": dtype, "output_loading_info": True}
        model, report = LlavaForConditionalGeneration.from_pretrained(None, config=whole, state_dict=weights, **how)
        model.to(device)
    except ModelError:
        raise
    except Exception as error:
        why = f"{first_line(error)}. Are its files complete, and is there memory for it?"
        raise ModelError(f"{folder} and its vision tower {tower} do not load on {device} as {dtype}: {why}") from error
    for kind, keys in (("lacks", report["missing_keys"]), ("has, beyond LLaVA's,", report["unexpected_keys"])):
        if keys:
            raise ModelError(f"{folder} {kind} {len(keys)} weights ({min(keys)}, ...): fetch it again.")
    model.generation_config.suppress_tokens = [image_token]  # its row of the head is no trained one
    processor = _processor(folder, tower, config, whole)
    processor.tower_revision = sources.commit_of(tower)
    return model, processor


def _tower(name: str, folder: Path, tower: str) -> Path:
    """The folder of the vision tower: inside the checkpoint, where config.json says, or from the hub."""
    if (inside := folder / "vision_tower").is_dir():
        return inside
    try:
        return fetch(tower, ["*.json", *FILES])
    except ModelError as error:
        remedy = f"where there is a network, hf download {tower} --local-dir {folder / 'vision_tower'}"
        raise ModelError(f"the vision tower of {name}, '{tower}', is neither here nor to be had: {remedy}") from error


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    """The checkpoint's tensors under transformers' names, still in their files."""
    import torch
    from safetensors.torch import load_file

    found: dict[str, torch.Tensor] = {}
    for path in sorted(path for pattern in FILES for path in folder.glob(pattern)):
        # weights_only: runs none of the code that a pickle may hold
        found |= (
            load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True, mmap=True)
        )
    if not found:
        raise ModelError(f"{folder} holds no weights ({' or '.join(FILES)}): fetch it again.")
    return {_renamed(key): tensor for key, tensor in found.items() if not key.endswith(BUFFERS)}


def _renamed(key: str) -> str:
    for pattern, name in RENAMED:
        if (new := re.sub("^" + pattern, name, key)) != key:
            return new
    return key


def _vision_weights(tower: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    from transformers import CLIPVisionModel

    model, report = CLIPVisionModel.from_pretrained(tower, dtype=dtype, output_loading_info=True)
    if missing := report["missing_keys"]:
        raise ModelError(
            f"the vision tower {tower} lacks {len(missing)} weights ({min(missing)}, ...): fetch it again."
        )
    return {f"model.vision_tower.{key}": tensor for key, tensor in model.state_dict().items()}


def _add_token(weights: dict[str, torch.Tensor]) -> int:
    """Append to embeddings and head, in place, the row of <image>, which the authors' code has not; its id."""
    import torch

    names = ("model.language_model.embed_tokens.weight", "lm_head.weight")
    if missing := [name for name in names if name not in weights]:
        raise ModelError(f"the checkpoint lacks {missing[0]}, a part of it did not arrive: fetch it again.")
    for name in names:
        weights[name] = torch.nn.functional.pad(weights[name], (0, 0, 0, 1))
    return len(weights[names[0]]) - 1


def _config(config: dict[str, Any], tower: Path, image_token: int) -> LlavaConfig:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    vision = CLIPVisionConfig.from_pretrained(tower)
    known = set(LlamaConfig().to_dict()) - {"model_type", "architectures", "dtype", "transformers_version"}
    text = LlamaConfig(**{key: config[key] for key in known & set(config)} | {"vocab_size": image_token + 1})
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=image_token,
        vision_feature_select_strategy="default",
        vision_feature_layer=config.get("mm_vision_select_layer", -2),
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
    )


def _processor(folder: Path, tower: Path, config: dict[str, Any], whole: LlavaConfig) -> LlavaProcessor:
    from transformers import LlamaTokenizer, LlavaImageProcessor, LlavaProcessor

    try:
        # The authors encode the text before and after the image apart, so that both begin with a space: "legacy".
        tokenizer = LlamaTokenizer.from_pretrained(folder, legacy=True, add_bos_token=True)
        images = LlavaImageProcessor.from_pretrained(tower, do_pad=config.get("image_aspect_ratio") == "pad")
    except Exception as error:
        raise ModelError(
            f"tokenizer ({folder}) or image processor ({tower}) do not load: {first_line(error)}"
        ) from error
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    if (place := tokenizer.convert_tokens_to_ids("<image>")) != whole.image_token_id:
        raise ModelError(
            f"{folder}: the tokenizer has {place} tokens, the weights {whole.image_token_id}: fetch it again."
        )
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.unk_token
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=whole.vision_config.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
