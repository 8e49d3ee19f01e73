"""What the report page shows of a target: its scores, and the manifest, captions and pictures in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...files import captions as caption_files
from ...files import untrusted
from ...files.anonymous import anonymous
from ...files.images import list_images
from ...files.names import plain_name, stem
from ...files.store import digest
from ...files.target import modes_of
from ...files.untrusted import Unusable
from ...protocol import MODES
from ...runtime.messages import say
from ..scored import Rows, ScoredTarget
from ..summaries import Summary


@dataclass(frozen=True)
class PageTarget:
    """A scored target. key: its folder in the report, unique and a plain name. manifest: without paths and keys.

    pictures: mode -> stem -> file. texts: stem -> the caption that its pictures were made of, where it is known.
    encoder: the manifest of its captions. notes: what the page says is missing.
    """

    key: str
    scored: ScoredTarget
    manifest: dict[str, Any]
    pictures: dict[str, dict[str, Path]]
    texts: dict[str, str] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.scored.name

    @property
    def folder(self) -> Path:
        return self.scored.folder

    @property
    def summary(self) -> Summary:
        return self.scored.summary

    @property
    def rows(self) -> Rows:
        return self.scored.rows


def page_target(scored: ScoredTarget, texts: Path) -> PageTarget:
    """What is shown of a target. texts: the folder of captions. A part that cannot be read is said on the page."""
    folder = scored.folder
    key = folder.name if plain_name(folder.name) else digest(folder.name.encode("utf-8", "surrogateescape"))
    notes: list[str] = []
    manifest = _object(folder / "manifest.json", notes)
    captions, encoder = _captions(manifest, texts, notes)
    return PageTarget(key, scored, anonymous(manifest), _pictures(folder), captions, anonymous(encoder), notes)


def _object(file: Path, notes: list[str]) -> dict[str, Any]:
    """A manifest, {} where there is none; one that cannot be shown is noted."""
    if not (file.exists() or file.is_symlink()):
        return {}
    try:
        return untrusted.json_object(untrusted.read_bytes(file))
    except Unusable as error:
        notes.append(f"{file.name} cannot be shown: {error}.")
        return {}


def _pictures(folder: Path) -> dict[str, dict[str, Path]]:
    """mode -> stem -> file of the pictures of a target. A folder that cannot be listed is named and left out."""
    return modes_of(folder, _listed)


def _listed(folder: Path) -> dict[str, Path]:
    try:
        images = list_images(folder, "pictures")
    except BadInput as error:
        say(f"note: pictures are left out of the report. {error}")
        return {}
    for problem in images.problems.values():
        say(f"note: a picture is left out of the report. {problem}.")
    return images


def _captions(manifest: Mapping[str, Any], folder: Path, notes: list[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """(stem -> caption, the captions' manifest) of a target; a caption that its pictures were not made of is not shown
    as theirs.

    The manifest has the digest of every prompt: a caption file that was changed later is known by it.
    """
    about = manifest.get("captions")
    file = about.get("file") if isinstance(about, dict) else None
    if not isinstance(file, str) or not plain_name(file):
        return {}, {}
    try:
        texts = caption_files.read(folder / file).texts
    except BadInput as error:  # names the file's place on this machine, which the page need not
        notes.append(f"The captions cannot be shown: {str(error).replace(str(folder / file), file)}")
        return {}, {}
    prompts = _prompts(manifest)
    stems = {stem(name): text for name, text in texts.items()}
    changed = {
        image
        for image, text in stems.items()
        if image in prompts and digest(text.encode("utf-8", "replace")) not in prompts[image]
    }
    if changed:
        notes.append(
            f"{len(changed)} captions in {file} have changed since these pictures were made; they are not shown."
        )
    kept = {image: text for image, text in stems.items() if image not in changed}
    return kept, _object((folder / file).with_suffix(".json"), notes)


def _prompts(manifest: Mapping[str, Any]) -> dict[str, set[str]]:
    """stem -> digests of the captions that it was decoded from, from the manifest's captioned modes."""
    found: dict[str, set[str]] = {}
    modes = manifest.get("modes")
    for mode, each in modes.items() if isinstance(modes, dict) else ():
        inputs = each.get("inputs") if isinstance(each, dict) else None
        if mode in MODES and MODES[mode].captioned and isinstance(inputs, dict):
            for image, made_of in inputs.items():
                if isinstance(made_of, dict) and isinstance(made_of.get("prompt"), str):
                    found.setdefault(str(image), set()).add(made_of["prompt"])
    return found
