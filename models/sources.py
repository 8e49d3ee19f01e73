"""Where a checkpoint comes from: what `--model_dir` and `--lora` may be, brought to a folder or a name on the hub.

Understood: a folder or file (`~` too), OWNER/NAME, OWNER/NAME@REVISION, OWNER/NAME/FILE, an address of the hub's pages,
and a folder of the hub's cache (models--OWNER--NAME), which stands for its snapshot.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import ModelError, first_line

NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
REFERENCE = re.compile(
    r"(?P<name>\w[\w.-]*/\w[\w.-]*?)(@(?P<revision>refs/[\w.-]+/[\w.-]+|[\w.-]+))?(/(?P<file>[\w.+ -]+(/[\w.+ -]+)*))?"
)
ADDRESS = re.compile(
    r"(?:hf://|(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)/)(?P<rest>[^?#]*)(?:[?#].*)?",
    re.IGNORECASE,
)
PAGES = ("tree", "blob", "resolve", "raw", "commit")  # of a repository: PAGE/REVISION/FILE
COMMIT = re.compile(r"[0-9a-f]{40}")
LARGEST_JSON = 1 << 22  # bytes of a checkpoint's configuration


@dataclass(frozen=True)
class Source:
    """name: a path or OWNER/NAME on the hub. revision: a branch, tag or commit there. file: one file of it."""

    name: str
    revision: str | None = None
    file: str | None = None
    on_hub: bool = False

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.on_hub and self.revision else ""
        return self.name + revision + (f"/{self.file}" if self.file else "")


def parse(text: str) -> Source:
    """What a text names. One that is neither here nor a name of the hub comes back as it is. Raises ModelError."""
    path = Path(text).expanduser()
    try:
        if path.exists():
            return _of_path(path)
    except OSError:  # too long for a name
        return Source(text)
    if match := ADDRESS.fullmatch(text.strip()):
        parts = [part for part in match["rest"].split("/") if part]
        text = "/".join(parts[:2])
        if len(parts) > 3 and parts[2] in PAGES:
            text += f"@{parts[3]}" + "".join(f"/{part}" for part in parts[4:])
        elif len(parts) > 2 and parts[2] not in PAGES:
            text += "".join(f"/{part}" for part in parts[2:])
    match = REFERENCE.fullmatch(text)
    if not match:
        return Source(str(path) if text.startswith("~") else text)
    revision, file = match["revision"], match["file"]
    if revision and file and "." not in file.rpartition("/")[2]:  # a branch with a slash in its name
        revision, file = f"{revision}/{file}", None
    if file and "." not in file:  # no name of a file: a path that is not there
        return Source(text)
    return Source(match["name"], revision, file, on_hub=True)


def canonical(text: str | None) -> str | None:
    """The same in its plain form: a path without `~`, OWNER/NAME, or OWNER/NAME@REVISION."""
    return str(parse(text)) if text else text


def unpinned(text: str | None) -> tuple[str | None, str | None]:
    """A text without its revision, and the revision."""
    if not text:
        return text, None
    source = parse(text)
    if not source.on_hub:
        return text, None
    return source.name + (f"/{source.file}" if source.file else ""), source.revision


def commit_of(path: Path | str) -> str | None:
    """The commit of the hub's snapshot that a file or folder of its cache belongs to, None for any other."""
    parts = Path(path).parts
    for place, part in enumerate(parts[:-1]):
        if part == "snapshots" and COMMIT.fullmatch(parts[place + 1]):
            return parts[place + 1]
    return None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a checkpoint's JSON file. Raises ModelError where it is damaged, too large or nested too deeply."""
    remedy = "Download the checkpoint again."
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_JSON + 1)
        if len(data) > LARGEST_JSON:
            raise ModelError(f"{path} is larger than {LARGEST_JSON} bytes, which no configuration is. {remedy}")
        value = json.loads(data)
    except RecursionError:
        raise ModelError(f"{path} is nested too deeply. {remedy}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged and holds no JSON object ({first_line(error)}). {remedy}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is damaged: it holds no JSON object. {remedy}")
    if _too_deep(value):
        raise ModelError(f"{path} is nested too deeply. {remedy}")
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(100):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = [child for children in inner for child in children]
        if not level:
            return False
    return True


def _of_path(path: Path) -> Source:
    """An existing path; a repository's folder in the hub's cache stands for its snapshot."""
    snapshots = path / "snapshots"
    if not (path.name.startswith("models--") and snapshots.is_dir()):
        return Source(str(path), commit_of(path.absolute()))
    found = sorted(each.name for each in snapshots.iterdir() if each.is_dir())
    main = path / "refs" / "main"
    chosen = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    if chosen not in found:
        if len(found) != 1:
            listed = ", ".join(found[:5]) or "none"
            raise ModelError(f"{path} is a folder of the hub's cache with these snapshots: {listed}. Name one of them.")
        chosen = found[0]
    return Source(str(snapshots / chosen), chosen)
