"""Names that become files and folders: none may lead out of the folder it is for."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from ..errors import BadInput
from .store import TEMPORARY

OUTPUTS = ("curves", "report")  # folders in a results folder that hold figures and pages: no targets


def plain_name(name: str) -> bool:
    """Whether a name from a file is a bare file name, on every system: it cannot lead out of its folder."""
    return (
        bool(name)
        and name not in (".", "..")
        and not name.startswith(TEMPORARY)
        and not any(character in name for character in '/\\:\0<>"|?*')
        and name.isprintable()
        and len(name.encode("utf-8", "replace")) <= 200
        and not PureWindowsPath(name).is_reserved()
    )


def short_name(model_name: str) -> str:
    """What a model is called in file names: the name itself, of a user's own adapter the file's without its ending."""
    return Path(model_name).stem if model_name.endswith(".py") else model_name


def folder_name(text: str, flag: str) -> str:
    """A name that becomes a folder or a file: it may not lead anywhere else. Raises BadInput."""
    if not plain_name(text) or text.startswith("."):
        raise BadInput(
            f"{flag} {ascii(text)}: is not a plain name; it may hold no '/', '\\', ':' and not begin with '.'."
        )
    return text


def target_name(text: str, flag: str) -> str:
    """A name that becomes a target's folder: besides, no figures or pages lie there. Raises BadInput."""
    if text in OUTPUTS:
        raise BadInput(
            f"{flag} {text}: is the folder of figures and pages beside the targets, which would leave it out."
        )
    return folder_name(text, flag)
