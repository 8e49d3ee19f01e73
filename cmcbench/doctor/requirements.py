"""Lists of packages against what is installed, for all that the doctor says of them."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path


def required(file: Path) -> list[str]:
    """The requirements of a list of packages, without comments. Where there is no such file: those that the installed
    package names in place of requirements.txt, and none in place of another.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = _of_the_package() if file.name == "requirements.txt" else []
    return [text for text in (line.partition("#")[0].strip() for line in lines) if text]


def _of_the_package() -> list[str]:
    """The requirements of the installed package, [] where it is not installed."""
    try:
        return metadata.requires("cmcbench") or []
    except metadata.PackageNotFoundError:
        return []


def problem(requirement: str) -> str | None:
    """What is wrong with a requirement like "torch>=2.6", as a phrase; None where it is met."""
    name = re.split(r"[^\w.-]", requirement)[0]
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return None  # packaging is in the list itself
    wanted = Requirement(requirement).specifier
    return None if wanted.contains(found, prereleases=True) else f"{name} is {found}, {wanted} is needed"
