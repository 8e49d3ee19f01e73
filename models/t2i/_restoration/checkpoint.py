"""The authors' checkpoints of restoration decoders: found, looked into before they are read, and read into modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import sources
from ..._weights import empty, fill, read
from ...base import ModelError, first_line
from .._diffusers.checkpoint import Checkpoint, find, from_hub
from .._diffusers.loading import parameter_names

if TYPE_CHECKING:
    import torch

WEIGHTS = tuple(f"diffusion_pytorch_model{kind}" for kind in (".safetensors", ".fp16.safetensors", ".bin"))


class Folder:
    """A checkpoint in folders as diffusers lays them out, here or on the hub."""

    def __init__(self, name: str, roots: Sequence[str], mark: str) -> None:
        """roots: where in it the parts may lie, "" for the folder itself. mark: a file that each version has.

        Raises ModelError where none of them holds it.
        """
        source = sources.parse(name)
        self.name, self.revision, self.local = source.name, source.revision, not source.on_hub
        if self.local and not Path(self.name).is_dir():
            raise ModelError(
                f"there is no folder '{name}'. --model_dir takes a folder or a hub name, ORGANISATION/MODEL."
            )
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
            path = Path(from_hub(self.name, inside, self.revision)[0])
            self.revision = sources.commit_of(path) or self.revision
            return path
        path = Path(self.name) / inside
        if not path.is_file():
            raise ModelError(f"{self.name} has no {inside}: give another --model_dir, or download it again.")
        return path

    def config(self, part: str) -> dict[str, Any]:
        """A part's config.json. Raises ModelError where it is none."""
        return sources.read_json(self.path(f"{part}/config.json"))

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


@dataclass(frozen=True)
class File:
    """One file of a checkpoint, here or on the hub. where: its folder, or its hub name at a revision."""

    name: str
    where: str
    local: bool
    revision: str | None = None

    def path(self) -> Path:
        """Where it lies on this machine, fetched if need be. Raises ModelError."""
        return Path(self.where) / self.name if self.local else self._fetched()

    def _fetched(self) -> Path:
        return Path(from_hub(self.where, self.name, self.revision)[0])


def find_file(name: str, known: Sequence[str], flag: str = "--model_dir") -> File:
    """The file that `name` means: a file, a folder or hub name that has one, or HUB_NAME/FILE. Nothing is fetched.

    known: names of the files that can be run, the one to take first where there are several. Other files are refused,
    since one version's weights fit into another's network. Raises ModelError.
    """
    source = sources.parse(name)
    path = Path(source.name)
    if path.is_dir():
        found = [file for file in known if (path / file).is_file()]
        if not found:
            others = ", ".join(sorted(file.name for file in path.iterdir())[:5]) or "nothing"
            raise ModelError(f"{path} holds none of {', '.join(known)} (but {others}): give another {flag}.")
        return File(found[0], str(path), True)
    if not path.is_file() and not source.on_hub:
        raise ModelError(f"there is no '{name}'. {flag} takes a file, a folder or a hub name, ORGANISATION/MODEL.")
    file = (source.file or known[0]) if source.on_hub else path.name
    if file not in known:
        raise ModelError(f"{name} is none of {', '.join(known)}, which tell the version: give one of them, so named.")
    if source.on_hub:
        return File(file, source.name, False, source.revision)
    return File(file, str(path.parent), True)


def beside(file: Path, source: str) -> Path:
    """A second file that `file` needs: beside it, or from `source`, HUB_NAME/FILE or a web address. Raises ModelError.

    Files from a web address are kept where torch keeps them, and fetched once.
    """
    place, _, name = source.rpartition("/")
    if (file.parent / name).is_file():
        return file.parent / name
    needs = f"{file.name} needs {name}, which is not beside it"
    if not source.startswith("https://"):
        try:
            return Path(from_hub(place, name)[0])
        except ModelError as error:
            raise ModelError(f"{needs}; {place} on the hub has it: put it there ({error})") from error
    import torch

    kept = Path(torch.hub.get_dir()) / "checkpoints" / name
    try:
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(source, str(kept), progress=False)
    except OSError as error:
        raise ModelError(f"{needs}: fetch {source} and put it there ({first_line(error)}).") from error
    return kept


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


def find_base(name: str, width: int, what: str) -> Checkpoint:
    """A Stable Diffusion in diffusers' layout that `what` is put into.

    width: of the text embeddings that the checkpoint was trained on, 768 for Stable Diffusion 1 and 1024 for 2.
    Reads configurations only. Raises ModelError for a base of another kind or width.
    """
    import diffusers

    try:
        base = find(name)
    except ModelError as error:
        raise ModelError(f"--base: {error}") from error
    if base.text is not diffusers.StableDiffusionPipeline:
        raise ModelError(f"--base {name} is no Stable Diffusion, which {what} needs as its base.")
    check_width(
        name, Folder(name, ("",), "text_encoder/config.json").config("text_encoder").get("hidden_size"), width, what
    )
    return base


def check_width(name: str, has: int | None, width: int, what: str) -> None:
    """Refuse a base whose text embeddings have another width than those that `what` was trained on."""
    if has != width:
        raise ModelError(
            f"--base {name} has text embeddings {has} wide, and {what} was trained on {width}: give another --base."
        )
