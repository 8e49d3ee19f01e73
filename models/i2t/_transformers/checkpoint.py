"""The files of an image-to-text checkpoint: fetched, judged before they are loaded, loaded without random weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import sources
from ...base import ModelError, first_line

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, ProcessorMixin

SMALL_FILES = ["*.json", "*.jinja", "*.txt", "*.model", "*.py"]  # what a checkpoint is judged by before its weights
WEIGHTS = ["model*.safetensors"]
ELSEWHERE = "serve it in its own environment and use an OpenAI-compatible adapter"


def fetch(model_dir: str, patterns: list[str]) -> Path:
    """The checkpoint's folder; of a hub name the files that match `patterns`, from the cache or downloaded."""
    source = sources.parse(model_dir)
    if (folder := Path(source.name)).is_dir():
        return folder
    if folder.is_file():
        what = "a single file" if folder.suffix == ".safetensors" else "a file"
        raise ModelError(f"--model_dir {model_dir} is {what}: name the folder that it is in, with its config.json.")
    if source.file:
        raise ModelError(f"--model_dir {model_dir} names one file: give the whole checkpoint, {source.name}.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    reasons = {
        RevisionNotFoundError: f"{source.name} has no revision '{source.revision}' on the hub",
        HFValidationError: "a hub name has the form OWNER/NAME",
        GatedRepoError: "on the hub it asks for a licence: accept it there, then run `hf auth login`",
        RepositoryNotFoundError: "the hub has no such model, or keeps it private",
    }
    try:
        return Path(snapshot_download(source.name, revision=source.revision, allow_patterns=patterns))
    except Exception as error:
        pinned = f" --revision {source.revision}" if source.revision else ""
        copy = f"hf download {source.name}{pinned} --local-dir FOLDER"
        remedy = f"Where there is a network: {copy}, then --model_dir FOLDER"
        reason = reasons.get(type(error), f"the hub gave no copy ({first_line(error)}). {remedy}")
        raise ModelError(f"--model_dir '{model_dir}' is no folder here, and {reason}.") from error


def pinned(name: str, folder: Path) -> str:
    """The name that fetches the rest of the same commit: a branch may have moved by then."""
    source, commit = sources.parse(name), sources.commit_of(folder)
    return f"{source.name}@{commit}" if source.on_hub and commit else name


def read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json. Raises ModelError for a folder that is no transformers checkpoint."""
    if (folder / "model_index.json").is_file():
        raise ModelError(f"{folder} is a diffusers pipeline, a text-to-image model: give it to script-t2i.py instead.")
    if not (path := folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json: --model_dir must be a checkpoint in the transformers format.")
    return sources.read_json(path)


def check_layout(config: dict[str, Any], name: str, trust_remote_code: bool) -> None:
    """Raise ModelError for a checkpoint that transformers would not load, or would load wrongly without a word."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    kind = str(config.get("model_type"))
    remote = config.get("auto_map") or {}
    if kind == "qwen" and "visual" in config:
        raise ModelError(f"{name} is Qwen-VL in its authors' layout: add --model_name Qwen.")
    if kind.startswith("mplug_owl2"):
        raise ModelError(f"{name} is mPLUG-Owl2 in its authors' layout: add --model_name mplugowl2.")
    if kind == "florence2" and "dim_embed" in (config.get("vision_config") or {}):
        reason = (
            "is Florence-2 in its authors' layout: use the converted one, florence-community/Florence-2-large (or"
            " -base)"
        )
    elif kind in KNOWN or (trust_remote_code and "AutoModelForImageTextToText" in remote):
        return
    elif "AutoModelForImageTextToText" in remote:
        reason = f"('{kind}') needs the code in its repository: read it, then add --trust_remote_code"
    else:
        offer = f"its remote code has {', '.join(remote)}" if remote else "no image-to-text class of it"
        reason = f"('{kind}') is not for transformers {transformers.__version__} ({offer}): {ELSEWHERE}"
    raise ModelError(f"{name} {reason}.")


def hush() -> None:
    """No more warnings and bars of transformers: called after the download, whose progress one wants to see."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_model(folder: Path, device: str, dtype: torch.dtype, trust_remote_code: bool) -> PreTrainedModel:
    """The model with all its weights, in evaluation mode."""
    from transformers import AutoModelForImageTextToText

    if not any(folder.glob("*.safetensors")):
        remedy = "take a safetensors copy, or convert it (from_pretrained, save_pretrained) if you trust it"
        raise ModelError(f"{folder} holds no *.safetensors; pickles (*.bin) can run code and are not loaded: {remedy}.")
    hush()
    how = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": trust_remote_code}
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True, **how)
        model.to(device)
    except Exception as error:
        why = f"{first_line(error)}. Are its files complete, and is there memory for it?"
        raise ModelError(f"{folder} does not load on {device} as {dtype}: {why}") from error
    if missing := sorted(report["missing_keys"]):
        what = f"{len(missing)} of the model's weights ({missing[0]}, ...), they would be random"
        raise ModelError(f"{folder} lacks {what}: fetch it again, or take one converted for transformers.")
    return model


def load_processor(folder: Path, model: PreTrainedModel, trust_remote_code: bool) -> ProcessorMixin:
    """The processor, with the fields that older checkpoints leave to the model's configuration."""
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:
        raise ModelError(f"the processor in {folder} does not load: {first_line(error)}") from error
    if not (hasattr(processor, "image_processor") and hasattr(processor, "tokenizer")):
        raise ModelError(f"{folder} lacks preprocessor_config.json or its tokenizer's files: download it again.")
    unset = {key for key, value in vars(processor).items() if value is None}
    for key in unset & {"num_query_tokens", "vision_feature_select_strategy"}:
        setattr(processor, key, getattr(model.config, key))  # without the queries BLIP-2 would silently drop the image
    if "patch_size" in unset:
        vision = model.config.vision_config
        processor.patch_size = vision.patch_size
        processor.num_additional_image_tokens = int(vision.model_type == "clip_vision_model")  # CLIP's CLS
    processor.tokenizer.padding_side = "left"  # with padding on the right, captions would go on from padding
    processor.tokenizer.pad_token = processor.tokenizer.pad_token or processor.tokenizer.eos_token
    return processor
