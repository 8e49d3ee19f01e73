"""The authors' checkpoints of restoration decoders: found, looked into before they are read, and read into modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._weights import empty, fill, read
from ...base import ModelError, first_line
from .._diffusers.loading import parameter_names
from .._diffusers.model import find, from_hub

if TYPE_CHECKING:
    import torch

WEIGHTS = tuple(f"diffusion_pytorch_model{kind}" for kind in (".safetensors", ".fp16.safetensors", ".bin"))


class Folder:
    """A checkpoint in folders as diffusers lays them out, here or on the hub."""

    def __init__(self, name: str, roots: Sequence[str], mark: str) -> None:
        """roots: where in it the parts may lie, "" for the folder itself. mark: a file that each version has.

        Raises ModelError where none of them holds it.
        """
        self.name = str(Path(name).expanduser())
        self.local = Path(self.name).is_dir()
        problem = None
        for root in roots:
            self._root = root
            try:
                self.path(mark)
            except ModelError as error:
                problem = problem or error
            else:
                return
        assert problem is not None
        raise problem

    def path(self, file: str) -> Path:
        """A file of it, from the hub where it is no folder. Raises ModelError where it is not there."""
        inside = f"{self._root}/{file}".lstrip("/")
        if not self.local:
            return Path(from_hub(self.name, inside)[0])
        path = Path(self.name) / inside
        if not path.is_file():
            raise ModelError(f"{self.name} has no {inside}: give another --model_dir, or download it again.")
        return path

    def config(self, part: str) -> dict[str, Any]:
        """A part's config.json. Raises ModelError where it is none."""
        return read_json(self.path(f"{part}/config.json"))

    def weights(self, part: str) -> Path:
        """A part's file of weights, safetensors before others. Raises ModelError where there is none."""
        problem = None
        for file in WEIGHTS:
            try:
                return self.path(f"{part}/{file}")
            except ModelError as error:
                problem = problem or error
        assert problem is not None
        raise problem


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelError for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged ({first_line(error)}). Download it again.") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} is no configuration. Download it again.")
    return found


def sizes(path: Path, inside: Sequence[str] = ()) -> dict[str, list[int]]:
    """The names in a file of weights and their tensors' sizes, without reading those. Raises ModelError as `read`."""
    if path.suffix != ".safetensors":
        return {name: list(tensor.shape) for name, tensor in read(path, inside)}  # mapped into memory, not read
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}
    except Exception:  # `read` says in one line what is wrong with it
        return {name: list(tensor.shape) for name, tensor in read(path)}


def stock(kind: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Those entries of a configuration that one of diffusers' classes knows."""
    known = parameter_names(kind.__init__) - {"self"}
    return {name: value for name, value in config.items() if name in known}


def build(make: Callable[[], torch.nn.Module], path: Path, dtype: torch.dtype, **options: Any) -> Any:
    """A module filled from a file in `dtype`, every name accounted for. options: those of `fill`, and `inside`.

    Raises ModelError for a configuration that makes no module, and as `fill` and `read` do.
    """
    inside = options.pop("inside", ())
    try:
        module = empty(make)
    except (AssertionError, TypeError, ValueError) as error:
        raise ModelError(f"{path.parent}: its configuration makes no network ({first_line(error)}).") from error
    fill(module, read(path, inside), source=path, dtype=dtype, **options)
    return module


def find_base(name: str, width: int, what: str) -> tuple[str, bool]:
    """A Stable Diffusion that `what` is put into: its folder or hub name, and whether only the hub's cache can serve.

    width: of the text embeddings that the checkpoint was trained on, 768 for Stable Diffusion 1 and 1024 for 2.
    Reads configurations only. Raises ModelError for a base of another kind or width.
    """
    import diffusers

    try:
        found, offline, text, _ = find(name)
    except ModelError as error:
        raise ModelError(f"--base: {error}") from error
    if text is not diffusers.StableDiffusionPipeline:
        raise ModelError(f"--base {name} is no Stable Diffusion, which {what} needs as its base.")
    has = Folder(found, ("",), "text_encoder/config.json").config("text_encoder").get("hidden_size")
    if has != width:
        raise ModelError(
            f"--base {name} has text embeddings {has} wide, and {what} was trained on {width}: give another --base."
        )
    return found, offline
