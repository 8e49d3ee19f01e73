"""The authors' checkpoints of restoration decoders: found, looked into before they are read, and read into modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import sources
from ..._weights import digest, empty, fill, read
from ...base import ModelError, first_line
from .._diffusers.checkpoint import Checkpoint, find, from_hub
from .._diffusers.loading import one_line, parameter_names

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
            what = f"{name} is a file" if Path(self.name).exists() else f"there is no folder '{name}'"
            raise ModelError(f"{what}. --model_dir takes a folder or a hub name, ORGANISATION/MODEL.")
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
        _refuse_no_file(path)
        if not path.is_file():
            raise ModelError(f"{self.name} has no {inside}: give another --model_dir, or download it again.")
        return path

    def config(self, part: str, file: str = "config.json") -> dict[str, Any]:
        """A part's configuration. Raises ModelError where it is none."""
        return sources.read_json(self.path(f"{part}/{file}"))

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
            for file in known:
                _refuse_no_file(path / file)
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
    near = file.parent / name
    _refuse_no_file(near)
    if near.is_file():
        return near
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


def _refuse_no_file(path: Path) -> None:
    """Refuse a folder or a link to nowhere in a file's place, as a copied cache of the hub has them."""
    if (path.exists() or path.is_symlink()) and not path.is_file():
        raise ModelError(f"{path} is {'a folder' if path.is_dir() else 'a link to nowhere'}, no file: fetch it again.")


def told(file: Path) -> str:
    """What tells a second file from another one, for a manifest that knows the first alone."""
    return f"{file.name} {digest(file)[:16]}"


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
    with buildable(f"the configuration in {path.parent} makes"):
        module = empty(make)
    fill(module, read(path, inside), source=path, dtype=dtype, **options)
    return module


@contextmanager
def buildable(what: str) -> Iterator[None]:
    """Raises ModelError, which begins with `what`, where a configuration or the sizes in a file make no network."""
    try:
        yield
    except (ImportError, MemoryError, ModelError):
        raise
    except Exception as error:  # whatever the library raises that meets an odd value first
        kind = f"{type(error).__name__}: " if isinstance(error, LookupError) else ""
        raise ModelError(f"{what} no network: {kind}{one_line(error)} Fetch it again.") from error


@contextmanager
def of_base() -> Iterator[None]:
    """Lets errors name --base, which is found as --model_dir is."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"--base: {str(error).replace('--model_dir', '--base')}") from error


def find_base(name: str, what: str, width: int, widths: Sequence[int] = (), predicts: str = "") -> Checkpoint:
    """A Stable Diffusion in diffusers' layout that `what` is put into.

    width: of the text embeddings that `what` was trained on, 768 for Stable Diffusion 1 and 1024 for 2. widths: of the
    UNet's levels, predicts: "epsilon" or "v_prediction", where `what` takes UNet and schedule of the base.
    Reads configurations only. Raises ModelError for a base of another kind or width.
    """
    import diffusers

    if Path(sources.parse(name).name).is_file():
        raise ModelError(f"--base {name} is a file: {what} takes a folder in diffusers' layout or a hub name.")
    with of_base():
        base = find(name)
    if base.text is not diffusers.StableDiffusionPipeline:
        raise ModelError(f"--base {name} is no Stable Diffusion, which {what} needs as its base.")
    folder = Folder(name, ("",), "model_index.json")
    with of_base():
        text = folder.config("text_encoder")
        unet = folder.config("unet") if widths else {}
        scheduler = folder.config("scheduler", "scheduler_config.json") if predicts else {}
    check(name, what, "text embeddings {} wide", text.get("hidden_size"), width)
    if widths:
        check(name, what, "a UNet {} wide", unet.get("block_out_channels"), list(widths))
    if predicts:
        check(name, what, "a UNet that predicts {}", scheduler.get("prediction_type", "epsilon"), predicts)
    return base


def check(name: str, what: str, part: str, has: object, wanted: object) -> None:
    """Refuse a base that has another `part` than `what` was trained on. part: a phrase with {} for what it has."""
    if has != wanted:
        had = part.format(has)
        raise ModelError(f"--base {name} has {had}, and {what} was trained on {wanted}: give another --base.")
