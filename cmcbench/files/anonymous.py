"""What would identify a machine or its owner, cut out of a manifest before it is sent: paths, addresses, names."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

FREE = ("model_dir", "command")  # what a user wrote in full, and where the names of user and machine may stand anywhere
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")
PATH = re.compile(
    r"(?:(?<![\w.~/\\])|(?<=\s-[A-Za-z]))(?:~[\w.-]*|\.{1,2}|[A-Za-z]:|\\\\[\w.-]+)?[/\\](?:[^/\\\s'\"=,;]+[/\\]*)+"
)
SECRET_NAME = r"[\w-]*(?:api[_-]?key|token|secret|password|passwd|credential)[\w-]*"
SECRET = re.compile(
    rf"(?P<name>(?:--?)?{SECRET_NAME}(?:\s*[=:]\s*|\s+)|Bearer\s+)[^\s'\"]+"
    r"|\b(?:sk|pk|hf|ghp|gho|xox[abp]|glpat|AKIA)[-_]?[A-Za-z0-9_-]{16,}",
    re.IGNORECASE,
)
SECRET_KEY = re.compile(SECRET_NAME, re.IGNORECASE)
SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
COMMON = {"root", "user", "users", "admin", "ubuntu", "localhost", "home", "python"}  # names that identify nobody


def anonymous(value: Any, key: str = "") -> Any:
    """JSON without what identifies a machine or its owner. Paths keep their last part; names on a hub stay."""
    if isinstance(value, dict):
        return {name: anonymous(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [anonymous(each, key) for each in value]
    if not isinstance(value, str):
        return value
    if SECRET_KEY.fullmatch(key):
        return "(removed)" if value else value
    if key == "model_dir" and PATH.match(value):
        return f"(path)/{PureWindowsPath(value).name}"  # all of it is a path, spaces included
    value = SECRET.sub(lambda match: f"{match['name'] or ''}(removed)", value)
    value = ADDRESS.sub("(address)", value)
    value = PATH.sub(_last_part, value)
    if key in FREE:
        for name in _names():
            value = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "(name)", value, flags=re.IGNORECASE)
    return value


def _last_part(match: re.Match[str]) -> str:
    return f"(path)/{PureWindowsPath(match[0]).name}"  # both kinds of slash divide a Windows path


def _names() -> list[str]:
    """The names of the user and of the machine, where they are long enough to identify somebody."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a table of users
        user = ""
    host = socket.gethostname()
    names = {user, host, host.split(".")[0], Path.home().name}
    return sorted(
        (name for name in names if len(name) > 2 and name.lower() not in COMMON), key=lambda name: (-len(name), name)
    )


def leaks(content: bytes) -> Iterator[str]:
    """What a file would give away all the same: the home folder, the working folder, secrets of the environment."""
    places = {"the path of the home folder": str(Path.home()), "the path of the working folder": os.getcwd()}
    for what, place in places.items():
        if len(place) > 5 and place.encode() in content:
            yield what
    for name, secret in os.environ.items():
        if SECRET_VARIABLE.search(name) and len(secret) >= 12 and secret.encode("utf-8", "surrogateescape") in content:
            yield f"the value of the environment variable {name}"
