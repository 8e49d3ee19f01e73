"""What a submitter tells of a submission: title, team, links. The contact is the maintainers', never published."""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ...errors import BadInput

FIELDS = {  # field -> (placeholder, help); they stand in submission.json in this order
    "title": ("TEXT", "with --submit: what the system is called on the board"),
    "contact": ("MAIL", "with --submit: how the maintainers reach you; it is never published"),
    "team": ("TEXT", "with --submit: who made it"),
    "paper": ("URL", "with --submit: address of a paper, http or https"),
    "code": ("URL", "with --submit: address of the code, http or https"),
    "licence": ("TEXT", "with --submit: licence of code or weights, e.g. MIT"),
}
LINKS = ("paper", "code")
PRIVATE = ("contact",)
LONGEST = 200  # characters
FORBIDDEN_IN_LINKS = set(" \"'<>\\^`{|}")


def add_flags(options: argparse.ArgumentParser) -> None:
    """--title, --contact, --team, --paper, --code and --licence."""
    for field, (placeholder, purpose) in FIELDS.items():
        options.add_argument(f"--{field}", metavar=placeholder, default="", help=purpose)


def of(options: argparse.Namespace) -> dict[str, str]:
    """The fields that were given. Raises BadInput for one that is none, and for any without --submit."""
    given = {field: value.strip() for field in FIELDS if (value := getattr(options, field)).strip()}
    for field, value in given.items():
        if not options.submit:
            raise BadInput(f"--{field} is told in a submission; give --submit as well.")
        if wrong := problem(field, value):
            raise BadInput(f"--{field} {ascii(value)[:80]}: {wrong}.")
    return given


def problem(field: str, value: Any) -> str:
    """Why a field's value cannot be used, as a phrase; "" where it can."""
    if not isinstance(value, str) or not value or value != value.strip():
        return "is empty, or begins or ends with white space"
    if len(value) > LONGEST:
        return f"has more than {LONGEST} characters"
    if any(_unseen(character) for character in value):
        return "holds a line end or an invisible character"
    if field in LINKS and not is_link(value):
        return "is no address that begins with http:// or https://"
    return ""


def _unseen(character: str) -> bool:
    return not character.isprintable() or unicodedata.category(character) in ("Cf", "Co", "Cn")


def is_link(value: str) -> bool:
    """Whether a text is an address of the web, with a host and nothing that could end an attribute or a sentence."""
    if not value.startswith(("http://", "https://")) or not FORBIDDEN_IN_LINKS.isdisjoint(value):
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc and port != 0


def public(told: Mapping[str, Any]) -> dict[str, str]:
    """The fields that may be published, each in its form."""
    return {field: told[field] for field in FIELDS if field not in PRIVATE and not problem(field, told.get(field))}
