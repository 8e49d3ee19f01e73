"""Secrets cut out of text before it is shown or written: passwords in addresses, keys, tokens, base64 data."""

from __future__ import annotations

import os
import re
from typing import Any

HIDDEN = "[hidden]"
SHORTEST = 8  # characters of a secret in the environment; a shorter one would also cut ordinary words
LONGEST_RUN = 256  # characters of base64 without a break; more is data, not text

# Each pattern begins at a fixed word or at the beginning of a run, and what it repeats is bounded: linear in the text
_KEY = r"(?:api|access|private|auth|secret|account|subscription|encryption)[_-]?key(?:[_-]?id)?"
_KEY += r"|authorization|password|passwd"
_WORD = r"token|secret|pwd|passphrase|credentials?|signature|sig"
_VALUE = r"\"[^\"]*\"|'[^']*'|(?:Bearer|Basic|Token)\s+[^\s\"'&,;})\]]+|[^\s\"'&,;})\]]+"

# scheme://user:password@host, also with one slash or three, or "/" and "@" in a password that was not quoted
_ADDRESS = re.compile(
    r"(?P<scheme>\b(?:https?|(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:))/{1,3}|\bhttps?:(?!/))"
    r"(?:[^\s/?#\"'<>]{0,512}@|[^\s/?#@:\"'<>]{0,512}:(?!\d{1,5}(?:[/?#]|$))[^\s\"'<>]{0,512}@)(?=[\w\[])"
)
# The same without a scheme: user:password@host.name, but no name:line:other@host
_BARE = re.compile(r"(?<![\w/.:@%+~-])[\w.%+~-]+:[^\s/@:\"'<>]+@(?=[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+|:\d))")
_NAMED = re.compile(
    rf"(?P<name>(?<![A-Za-z])(?:{_KEY})[\"']?\s{{0,8}}[=:]\s{{0,8}}|(?<![A-Za-z])(?:{_WORD})(?:[\"']\s{{0,8}}:\s{{0,8}}|=))"
    rf"(?P<value>{_VALUE})"
    rf"|(?P<flag>(?<=[_-])(?:{_KEY}|{_WORD}|key)(?:\s{{1,8}}|=))(?P<argument>{_VALUE})"
    r"|(?P<query>[?&;]key=)(?P<queried>[^\s\"'&;]+)"
    r"|(?P<way>\b(?:Bearer|Basic)\s{1,8})(?P<token>[A-Za-z0-9._~+/=-]{8,})",
    re.IGNORECASE,
)
_KEYS = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}|\b(?:hf|ghp|gho|ghu|ghs|ghr|github_pat|glpat|nvapi|gsk|xai|r8)[_-][A-Za-z0-9_-]{16,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
)
_DATA = re.compile(r"(?P<head>\bdata:[\w.+-]+/[\w.+-]+(?:;[\w=.-]+)*;base64,)\s*(?P<data>[A-Za-z0-9+/=_%\\-]*)")
_RUN = re.compile(rf"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]|\\/){{{LONGEST_RUN},}}={{0,2}}")
_VARIABLE = re.compile(r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_|$)", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """`text` with what must not leave the program replaced: user:password@ of an address, values of keys, tokens and
    passwords, strings in the form of a known key, the values of such environment variables, and base64 data.

    Everything else stays as it is, and text without secrets comes back unchanged. Applying it twice changes nothing.
    """
    if len(text) > LONGEST_RUN:
        text = _DATA.sub(_shortened, text)
        text = _RUN.sub(lambda match: _counted(match[0]) if _is_data(match[0]) else match[0], text)
    for secret in _environment():
        text = text.replace(secret, HIDDEN)
    text = _ADDRESS.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _BARE.sub(f"{HIDDEN}@", text)
    text = _NAMED.sub(_named, text)
    return _KEYS.sub(HIDDEN, text)


def without_secrets_in(value: Any) -> Any:
    """JSON whose strings, keys of objects aside, went through `without_secrets`."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {name: without_secrets_in(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_secrets_in(each) for each in value]
    return value


def holds_data(text: str) -> bool:
    """Whether a text holds an image's data in base64, as the answer of a server that echoes does."""
    embedded = any(len(match["data"]) > 32 for match in _DATA.finditer(text))
    return embedded or any(_is_data(match[0]) for match in _RUN.finditer(text))


def _environment() -> list[str]:
    """The secrets in the environment, the longest first, so that one that holds another is cut whole."""
    found = {value for name, value in os.environ.items() if _VARIABLE.search(name) and len(value) >= SHORTEST}
    return sorted((value for value in found if not os.path.exists(value)), key=len, reverse=True)


def _named(match: re.Match[str]) -> str:
    head = next(match[name] for name in ("name", "flag", "query", "way") if match[name])
    value = next(match[name] for name in ("value", "argument", "queried", "token") if match[name] is not None)
    quote = value[0] if value[:1] in ('"', "'") else ""
    if value.strip("\"'") in ("", "[hidden", HIDDEN, "None", "null"):
        return match[0]
    return f"{head}{quote}{HIDDEN}{quote}"


def _shortened(match: re.Match[str]) -> str:
    return match["head"] + (_counted(match["data"]) if len(match["data"]) > 32 else match["data"])


def _counted(data: str) -> str:
    return f"[{len(data):,} characters of base64]"


def _is_data(run: str) -> bool:
    """Whether a long run of characters is base64 rather than a path or a repeated letter."""
    # "/" is one of 64 characters of base64; the parts of a path are shorter
    return run.count("/") <= len(run) / 32 and all(re.search(kind, run) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
