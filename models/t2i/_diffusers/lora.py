"""LoRA weights: found in a folder, a file, on the hub or in its cache, and put into a pipeline whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ... import sources
from ...base import ModelError
from .loading import one_line, quiet

USUAL = "pytorch_lora_weights.safetensors"  # what diffusers calls a LoRA that it saves
# Parts of a weight that diffusers drops with a warning or without one
DROPPED = re.compile(r"(?:^|\.)(?:dora_scale|lora_mid|lokr_\w+|hada_\w+|oft_\w+)(?:\.|$)")
WEIGHTS = ("lora_A", "lora_B", "lora_embedding", "lora_magnitude")  # begin the names of peft's parameters


def check(lora: str) -> None:
    """Raise ModelError for what is no LoRA, as far as that can be told without a network."""
    source = sources.parse(lora)
    if not source.on_hub:
        _local(Path(source.name), lora)
    elif source.file and not source.file.endswith(".safetensors"):
        raise ModelError(f"--lora {lora}: files other than .safetensors can run code. Name a .safetensors file.")


def find(lora: str) -> tuple[Path, str | None]:
    """The file of LoRA weights, and the commit of the hub's snapshot that it belongs to. Raises ModelError."""
    source = sources.parse(lora)
    path = _from_hub(source, lora) if source.on_hub else _local(Path(source.name), lora)
    return path, sources.commit_of(path)


def is_lora(file: Path) -> bool:
    """Whether a safetensors file holds LoRA weights."""
    try:
        return any("lora" in key for key in _keys(file))
    except ModelError:
        return False


def add(pipe: Any, lora: str) -> str | None:
    """Put LoRA weights into the pipeline's modules, which its twin shares. Returns their commit, if from the hub.

    Raises ModelError where they do not fit, and where some of them would have no effect.
    """
    file, commit = find(lora)
    keys = _keys(file)
    lost = [key for key in keys if DROPPED.search(key)]
    where = {"weight_name": file.name, "use_safetensors": True, "local_files_only": True}  # a pickle could run code
    try:
        if lost:
            raise ValueError(
                f"{len(lost)} of its {len(keys)} tensors ({lost[0]}, ...) are of a kind that diffusers would drop, "
                "such as DoRA or LoKr"
            )
        with quiet("diffusers", "transformers") as reports:
            converted = pipe.lora_state_dict(str(file.parent), **where)
            pipe.load_lora_weights(str(file.parent), **where)
    except Exception as error:  # damage raises whatever the reader of the file raises, peft what it likes
        problem = one_line(error)
    else:
        weights = converted[0] if isinstance(converted, tuple) else converted
        wanted = [key for key in weights if "lora" in key]
        strange = [report for report in reports if "unexpected keys" in report]
        loaded = _count(pipe)
        if pipe.get_list_adapters() and not strange and loaded >= len(wanted):
            return commit
        problem = "none of its weights belongs to a part of the model."
        if strange:
            problem = one_line(ValueError(strange[0]))
        elif loaded:
            parts = {name for name in pipe.components if hasattr(getattr(pipe, name, None), "named_parameters")}
            foreign = next((key for key in wanted if key.partition(".")[0] not in parts), wanted[-1])
            problem = f"{len(wanted) - loaded} of its {len(wanted)} tensors ({foreign}, ...) belong to no part of it."
    raise ModelError(
        f"--lora {lora} does not fit this {type(pipe).__name__}: {problem} Give one that was trained for it."
    )


def _count(pipe: Any) -> int:
    """How many tensors of LoRA weights are in the pipeline's modules."""
    modules = [part for part in pipe.components.values() if hasattr(part, "named_parameters")]
    names = [name for part in modules for name, _ in part.named_parameters()]
    return sum(any(weight in name for weight in WEIGHTS) for name in names)


def _keys(file: Path) -> list[str]:
    """The names of the tensors in a safetensors file. Raises ModelError for a damaged one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as tensors:
            return list(tensors.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{file} is damaged: {one_line(error)} Download it again.") from error


def _local(path: Path, lora: str) -> Path:
    if path.is_dir():
        return _only(sorted(path.glob("*.safetensors")), lora)
    if path.is_file() and path.suffix == ".safetensors":
        return path
    if path.is_file():
        raise ModelError(
            f"--lora {lora} is no .safetensors file, and others can run code: have it saved as safetensors."
        )
    raise ModelError(f"there is no file '{lora}'. --lora takes a folder, a .safetensors file or a hub name.")


def _only(files: list[Path], lora: str) -> Path:
    if len(files) != 1:
        listed = ", ".join(file.name for file in files[:5])
        what = f"{len(files)} safetensors files: name one of them ({listed})" if files else "no safetensors file"
        raise ModelError(f"--lora {lora} has {what}.")
    return files[0]


def _from_hub(source: sources.Source, lora: str) -> Path:
    """The file in the hub's cache, downloaded if there is a network and the cache lacks it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    how = {"revision": source.revision, "allow_patterns": [source.file or "*.safetensors"]}
    try:
        folder = Path(snapshot_download(source.name, **how))
    except HfHubHTTPError as error:
        raise ModelError(f"--lora {lora}: the hub has no such LoRA, or keeps it private: {one_line(error)}") from error
    except Exception as error:  # no network, in the many shapes that it takes
        try:
            folder = Path(snapshot_download(source.name, local_files_only=True, **how))
        except Exception:
            raise ModelError(
                f"--lora {lora}: there is no file of that name here, none in the hub's cache, and none on the hub: "
                f"{one_line(error)} "
                f"Where there is a network: hf download {source.name} --local-dir FOLDER, then --lora FOLDER."
            ) from error
    if source.file:
        if not (folder / source.file).is_file():
            raise ModelError(f"--lora {lora}: {source.name} has no file {source.file}, or it was not downloaded.")
        return folder / source.file
    files = sorted(folder.glob("*.safetensors"))
    return next((file for file in files if file.name == USUAL), None) or _only(files, lora)
