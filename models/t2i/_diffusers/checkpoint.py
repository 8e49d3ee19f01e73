"""A checkpoint before it is loaded: where it is, at which commit, and which of diffusers' pipelines run it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from ... import sources
from ...base import ModelError
from .loading import one_line, quiet

INDEX = "model_index.json"
# Edit pipelines that are in none of diffusers' auto mappings. They take one guide an image, so they can be batched.
INSTRUCT = ("StableDiffusionInstructPix2PixPipeline", "StableDiffusionXLInstructPix2PixPipeline")
# Pipelines in the auto mappings that want a mask or a control image, or that do not give one picture a prompt.
UNFIT = re.compile("Control|Inpaint|Layered|Helios")


class Checkpoint(NamedTuple):
    """name: a folder or hub name. offline: whether only the hub's cache can serve. text and image: its pipelines for
    jobs without and with a guide, None where there is none. revision: the commit of the hub's snapshot."""

    name: str
    offline: bool
    text: Any
    image: Any
    revision: str | None = None


def find(name: str | None) -> Checkpoint:
    """What a --model_dir names. Raises ModelError where there is no checkpoint, or none that the family can run."""
    if not name:
        raise ModelError("no checkpoint given: name one with --model_dir FOLDER_OR_HUB_NAME.")
    source = sources.parse(name)
    folder, offline, revision = Path(source.name), False, source.revision
    if folder.is_file():
        raise ModelError(_what_to_do_with(folder))
    if folder.is_dir():
        name, index = str(folder), folder / INDEX
        if not index.is_file():
            kind = "a single model (an I2T model?)" if (folder / "config.json").is_file() else "no diffusers checkpoint"
            raise ModelError(f"{folder} has no {INDEX}, so it is {kind}: give the folder of a whole T2I pipeline.")
    elif source.on_hub and source.file:
        raise ModelError(f"--model_dir {name} names one file: give the whole checkpoint, {source.name}.")
    elif source.on_hub:
        name = source.name
        index, offline = from_hub(name, revision=revision)
        revision = sources.commit_of(index) or revision
    else:
        raise ModelError(f"there is no folder '{name}'. --model_dir takes a folder or a hub name, ORGANISATION/MODEL.")
    config = sources.read_json(Path(index))
    if "_class_name" not in config:
        raise ModelError(f"{index} is damaged: it names no _class_name. Download {name} again.")
    class_name = config["_class_name"]
    text, image = _pipelines(class_name, config)
    if text is image is None:
        why = "not text-to-image or image-to-image to diffusers, or code of its own, which is not run"
        raise ModelError(f"{name} is a {class_name}: {why}. It needs an adapter in models/t2i/.")
    return Checkpoint(name, offline, text, image, revision)


def from_hub(name: str, file: str = INDEX, revision: str | None = None) -> tuple[str, bool]:
    """The path of a hub model's file in the cache, and whether the hub did not answer. Raises ModelError."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    pin = {"revision": revision} if revision else {}
    at = f" at revision '{revision}'" if revision else ""
    nowhere = f"there is no folder '{name}' here and no {file} of that name on the hub{at}. Check --model_dir"
    try:
        get_hf_file_metadata(hf_hub_url(name, file, **pin))  # asks once; the download alone would retry half a minute
        return hf_hub_download(name, file, **pin), False
    except HfHubHTTPError as error:
        raise ModelError(f"{nowhere}, or log in for a private or gated model: {one_line(error)}") from error
    except Exception as error:  # no network, in the many shapes that it takes
        try:
            return hf_hub_download(name, file, local_files_only=True, **pin), True
        except Exception:
            raise ModelError(f"{nowhere} and the network, or download it elsewhere: {one_line(error)}") from error


def _what_to_do_with(file: Path) -> str:
    """How a checkpoint in a single file, as other programs use it, becomes one that runs here."""
    from .lora import is_lora

    if file.suffix != ".safetensors":
        return f"--model_dir {file} is a file that can run code when it is opened: take a safetensors checkpoint."
    if is_lora(file):
        return f"--model_dir {file} holds LoRA weights: give it with --lora, and its base model with --model_dir."
    convert = (
        "python -c \"from diffusers import StableDiffusionXLPipeline as P; P.from_single_file('"
        f"{file}').save_pretrained('FOLDER')\""
    )
    return (
        f"--model_dir {file} is a single file. Convert it once, then give --model_dir FOLDER: {convert} "
        "(StableDiffusionPipeline for 1.x and 2.x)."
    )


def _pipelines(class_name: Any, config: dict[str, Any]) -> tuple[Any, Any]:
    """The classes (text-to-image, image-to-image) for a checkpoint of that class, None where there is none."""
    with quiet("bitsandbytes"):
        import diffusers
        from diffusers.pipelines import auto_pipeline as auto
    if class_name in INSTRUCT:
        return None, getattr(diffusers, class_name)
    if not isinstance(class_name, str) or UNFIT.search(class_name):  # a list names code that comes with it
        return None, None
    mappings = auto.AUTO_TEXT2IMAGE_PIPELINES_MAPPING, auto.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING
    text, image = (auto._get_task_class(mapping, class_name, throw_error_if_not_exist=False) for mapping in mappings)
    # SDXL's refiner bears the class of SDXL's twin, but it cannot start from a text.
    return (None if config.get("requires_aesthetics_score") else text), image
