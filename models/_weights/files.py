"""Weight files found and read: one tensor at a time, nothing of a pickle runs, what is no whole file is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import ModelError, first_line

if TYPE_CHECKING:
    import torch

    Named = tuple[str, torch.Tensor]

POINTER = b"version https://git-lfs.github.com/spec/"
ZIP = b"PK\x03\x04"  # how torch.save has begun its files since 2020; older ones cannot be mapped into memory
KEPT = ".safetensors"  # pytorch_model.bin is kept as pytorch_model.bin.safetensors
SHARD = r"(.*-)(\d+)-of-(\d+)({})"
TAIL = 1 << 20  # the end of a torch.save file holds the checksums of its tensors
LIGHTNING = ("pytorch_lightning.callbacks.model_checkpoint", "lightning.pytorch.callbacks.model_checkpoint")
LISTED = 5  # names that an error shows


def find(folder: Path, names: Sequence[str] = ("model", "pytorch_model")) -> list[Path]:
    """The weight files of a folder: single or in shards, safetensors before pickles, by an index where there is one.

    Raises ModelError where there are none, and for a shard that the index or the files' own numbers name.
    """
    for stem in names:
        for suffix in (".safetensors", ".bin"):
            index = folder / f"{stem}{suffix}.index.json"
            shards = [path.name for path in folder.glob(f"{stem}-*") if re.fullmatch(SHARD.format(suffix), path.name)]
            if index.is_file():
                return _present(folder, _listed(index))
            if _is_there(single := folder / (stem + suffix)):
                return [single]
            if shards:
                return _present(folder, _numbered(min(shards, key=len)))  # 1-of-33 or 01-of-33, not 10-of-33
    looked = " or ".join(f"{stem}{suffix}" for stem in names for suffix in (".safetensors", ".bin"))
    raise ModelError(f"{folder} holds no weights ({looked}, single or in shards): fetch it again.")


def _listed(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} is no index of weights ({first_line(error)}): fetch it again.") from error
    if odd := [name for name in names if name != Path(name).name]:
        raise ModelError(f"{index} names a file outside its folder ({odd[0]}): fetch it again.")
    return names


def _numbered(name: str) -> list[str]:
    """All names of a set of shards, of which `name` (pytorch_model-3-of-33.bin) is one."""
    start, number, count, suffix = re.fullmatch(SHARD.format(r"\.\w+"), name).groups()
    return [f"{start}{place:0{len(number)}d}-of-{count}{suffix}" for place in range(1, int(count) + 1)]


def _present(folder: Path, names: list[str]) -> list[Path]:
    paths = [folder / name for name in names]
    if missing := [path.name for path in paths if not _is_there(path)]:
        raise ModelError(f"{folder} lacks {some(missing)} of its {len(names)} weight files: fetch it again.")
    return paths


def _is_there(path: Path) -> bool:
    return path.is_file() or path.with_name(path.name + KEPT).is_file()


def read(files: Path | Iterable[Path], inside: Sequence[str] = (), convert: bool = False) -> Iterator[Named]:
    """(name, tensor) one after the other, on the CPU, in the file's own type.

    files: *.safetensors, or what torch.save has written (*.bin, *.pth, *.pt, *.ckpt); one, or those of `find`.
    inside: where a file holds several dictionaries, the names to look under ("state_dict", "params_ema"), the first
    that is there counts, none means the file's own level. convert: keep each pickle as safetensors beside it; later
    runs read that. A tensor is only good until the next one is asked for. Raises ModelError for a Git-LFS pointer, a
    truncated file, and a pickle that would run code: nothing of it has run then.
    """
    for path in [files] if isinstance(files, Path) else files:
        kept = path.with_name(path.name + KEPT)
        if path.suffix == ".safetensors":
            yield from _safetensors(path)
        elif _is_current(kept, path, inside):
            yield from _safetensors(kept)
        elif convert:
            _keep(kept, path, inside)
            yield from _safetensors(kept)
        else:
            yield from _unpickled(path, inside).items()


def _safetensors(path: Path) -> Iterator[Named]:
    from safetensors import safe_open

    _refuse_pointer(path)
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            for name in names:
                yield name, file.get_tensor(name)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({first_line(error)}): fetch it again.") from error
    except Exception as error:  # safetensors' own class of error is not public
        raise ModelError(f"{path} is truncated or damaged ({first_line(error)}): fetch it again.") from error


def _unpickled(path: Path, inside: Sequence[str]) -> dict[str, torch.Tensor]:
    import torch

    is_zip = _refuse_pointer(path).startswith(ZIP)
    # A Lightning checkpoint has the class of a callback as a key: an empty class of that name stands for it
    stand_ins = [(type("ModelCheckpoint", (), {}), f"{module}.ModelCheckpoint") for module in LIGHTNING]
    try:
        with torch.serialization.safe_globals(stand_ins):
            found: Any = torch.load(path, "cpu", weights_only=True, mmap=is_zip)
    except Exception as error:
        if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
            what = f"would run code ({code[1]}), which weights do not need, and was not loaded: take a safetensors copy"
        else:
            what = f"is truncated or damaged ({first_line(error).partition('. ')[0][:120]}): fetch it again"
        raise ModelError(f"{path} {what}.") from error
    level = next((key for key in inside if isinstance(found, dict) and key in found), None)
    found = found if level is None else found[level]
    others = [name for name, value in found.items() if not torch.is_tensor(value)] if isinstance(found, dict) else [""]
    if others:
        raise ModelError(f"{path} holds more than tensors ({some(map(str, others))}): it is no file of this model.")
    return found


def _refuse_pointer(path: Path) -> bytes:
    """The file's first bytes. Raises ModelError for what Git leaves in place of a large file."""
    try:
        with path.open("rb") as file:
            head = file.read(len(POINTER))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}).") from error
    if head == POINTER:
        raise ModelError(f"{path} is a Git-LFS pointer, not the weights: run `git lfs pull` in {path.parent}.")
    return head


def digest(path: Path, inside: Sequence[str] = ()) -> str:
    """Tells a file's content without reading all of it: its size, its end, and what was looked for."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - TAIL))
        return hashlib.sha256(f"{size} {list(inside)} ".encode() + file.read()).hexdigest()


def _is_current(kept: Path, path: Path, inside: Sequence[str]) -> bool:
    """Whether `kept` was made from `path` as it is now; where only `kept` is left, it counts."""
    from safetensors import safe_open

    if not kept.is_file() or not path.is_file():
        return kept.is_file()
    try:
        with safe_open(kept, "pt") as file:
            return (file.metadata() or {}).get("made_from") == digest(path, inside)
    except Exception:  # a damaged one is read from the original again
        return False


def _keep(kept: Path, path: Path, inside: Sequence[str]) -> None:
    """Write the tensors of `path` as safetensors: whole or not at all."""
    from safetensors.torch import save_file

    tensors, seen = {}, set()
    for name, tensor in _unpickled(path, inside).items():
        place = tensor.untyped_storage().data_ptr()
        tensor = tensor.contiguous()
        tensors[name] = tensor.clone() if place in seen else tensor  # safetensors takes no shared memory
        seen.add(place)
    unfinished = kept.with_name(f".{kept.name}.{os.getpid()}")
    try:
        save_file(tensors, unfinished, {"made_from": digest(path, inside)})
        unfinished.chmod(path.stat().st_mode & 0o777)  # safetensors makes files that only their owner reads
        os.replace(unfinished, kept)
    except Exception as error:
        raise ModelError(
            f"{kept} cannot be written ({first_line(error)}): leave --convert out, or make room."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def some(names: Iterable[str]) -> str:
    """ "3 (a, b, c)"; of many names only the first."""
    names = list(names)
    return f"{len(names)} ({', '.join(names[:LISTED])}{', ...' if len(names) > LISTED else ''})"
