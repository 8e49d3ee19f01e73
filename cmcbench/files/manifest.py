"""What made an output: model, checkpoint, settings and versions, written beside it and compared before it is
continued.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import ROOT, __version__
from ..errors import BadInput
from . import untrusted
from .names import stem

PACKAGES = ("torch", "transformers", "diffusers", "accelerate", "pillow", "pyiqa")
ENDS = 1 << 20  # bytes read at either end of a large file
SEAL = re.compile(r"[0-9a-f]{16}")
PREPARE_AGAIN = "Prepare it again with: python -m cmcbench prepare (and --overwrite), or remove its .prepared.json."


def expanded(model_dir: str | None) -> str | None:
    """A checkpoint as the user names it: ~ becomes the home folder, and "hub:NAME" NAME.

    Raises BadInput for a folder below ~ that does not exist.
    """
    model_dir = (model_dir or "").removeprefix("hub:") or None  # as a manifest calls it
    if not model_dir or not model_dir.startswith("~"):
        return model_dir
    try:
        folder = Path(model_dir).expanduser()
    except RuntimeError:
        folder = None
    if folder is None or not folder.exists():
        raise BadInput(f"{model_dir} does not exist. Expected a folder, or a hub name such as OWNER/NAME.")
    return str(folder)


def checkpoint(model_dir: str | None) -> str | None:
    """What identifies a checkpoint: "hub:NAME" or "hub:NAME@REVISION", "folder:DIGEST" of a local one, "name:NAME" of
    one that the adapter brings, None for a model that needs none.

    A local folder is told by its files' names and sizes, small files whole and large ones by their first and last MiB
    (a safetensors file begins with its table of tensors): the same wherever the folder lies, and quick.
    """
    model_dir = expanded(model_dir)
    if not model_dir:
        return None
    folder = Path(model_dir)
    if not folder.exists():
        return f"hub:{model_dir}" if "/" in model_dir else f"name:{model_dir}"
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    total = hashlib.sha256()
    for path in files:
        relative = path.name if path == folder else path.relative_to(folder).as_posix()
        if not any(part.startswith(".") for part in relative.split("/")):  # .git, .cache
            total.update(f"{relative}\0{path.stat().st_size}\0".encode("utf-8", "surrogateescape") + _ends(path))
    return f"folder:{total.hexdigest()[:16]}"


def _ends(path: Path) -> bytes:
    with open(path, "rb") as file:
        data = file.read(ENDS)
        if path.stat().st_size > ENDS:
            file.seek(max(ENDS, path.stat().st_size - ENDS))
            data += file.read()
    return hashlib.sha256(data).digest()


@functools.cache
def environment() -> dict[str, str]:
    """Versions of what computed, for a reader of the manifest; never a reason to refuse a run."""
    versions = {"cmcbench": __version__, "commit": _commit(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {name: version for name, version in versions.items() if version}


def _commit() -> str:
    if not (ROOT / ".git").exists():
        return ""
    try:
        answer = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def modes(record: Mapping[str, Any], file: Path) -> dict[str, dict[str, Any]]:
    """mode -> {"settings", "inputs"} of a result's manifest. Raises BadInput for one that is not of this program."""
    found = record.get("modes", {})
    whole = isinstance(found, dict) and all(
        isinstance(each, dict) and isinstance(each.get("settings"), dict) and isinstance(each.get("inputs"), dict)
        for each in found.values()
    )
    if not whole:
        raise BadInput(f"{file} is not a manifest of this program. Move it away, then use --overwrite.")
    return found


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The settings in which two runs differ, as a phrase ("steps was 40 and is 20 now"); "" where they agree.

    A setting that either side leaves at None is not compared.
    """
    return ", ".join(
        f"{key} was {_said(old[key])} and is {_said(new[key])} now"
        for key in new
        if old.get(key) is not None and new[key] is not None and old[key] != new[key]
    )


def _said(value: Any) -> Any:
    return "none" if value == "" else value


def own_adapter(model_name: str) -> str:
    """What identifies the file of a user's own adapter, "" for a model that comes with this program."""
    return (checkpoint(model_name) or "") if model_name.endswith(".py") else ""


PREPARED = ".prepared.json"  # in a folder of ground truth; hidden, so that the folder still holds pictures only


@dataclass(frozen=True)
class Prepared:
    """A ground truth that `prepare` made: a test set at a stated size.

    name: the set and its preparation, "kodak short512 crop512". digest: of all pictures' names and pixels, 16
    hexadecimal digits. files: stem -> digest of the picture's file.
    """

    name: str
    digest: str
    files: dict[str, str]


def read_prepared(folder: Path, seen: Mapping[str, str] | None = None) -> Prepared | None:
    """What `prepare` wrote of a folder of ground truth, None where it wrote nothing.

    seen: stem -> digest of every picture that is there, None where they are not to be compared. Raises BadInput where
    they are not the ones that it wrote, so that no other pictures go by the set's name, and for a manifest that is
    unfinished or invalid.
    """
    file = folder / PREPARED
    try:
        found = untrusted.json_object(untrusted.read_bytes(file))
        unfinished = bool(found.get("unfinished"))
        made = None if unfinished else _prepared(found)
    except untrusted.Unusable as error:
        if not (file.exists() or file.is_symlink()):
            return None
        raise BadInput(f"{file} {error}. {PREPARE_AGAIN}") from None
    if made is None:
        raise BadInput(f"{folder} is not prepared whole: the run that prepares it has not ended. {PREPARE_AGAIN}")
    if seen is None:
        return made
    other = sorted(
        [f"{each} (changed)" for each in seen.keys() & made.files.keys() if seen[each] != made.files[each]]
        + [f"{each} (missing)" for each in made.files.keys() - seen.keys()]
        + [f"{each} (not of the set)" for each in seen.keys() - made.files.keys()]
    )
    if other:
        listed = ", ".join(other[:3]) + (", ..." if len(other) > 3 else "")
        raise BadInput(
            f"{folder} is not {made.name} as it was prepared: {len(other)} picture(s) differ: {ascii(listed)[1:-1]}."
            f" {PREPARE_AGAIN}"
        )
    return made


def _prepared(found: Mapping[str, Any]) -> Prepared:
    name, seal, pictures = found.get("name"), found.get("digest"), found.get("pictures")
    if not (isinstance(name, str) and name.isprintable() and 0 < len(name) <= untrusted.LONGEST_NAME):
        raise untrusted.Unusable("has no usable name of the set")
    if not (isinstance(seal, str) and SEAL.fullmatch(seal)):
        raise untrusted.Unusable("has no digest of 16 hexadecimal digits")
    if not (isinstance(pictures, dict) and all(isinstance(each, dict) for each in pictures.values())):
        raise untrusted.Unusable("has no list of pictures")
    return Prepared(name, seal, {stem(name): str(each.get("file")) for name, each in pictures.items()})
