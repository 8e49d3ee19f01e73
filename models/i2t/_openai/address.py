"""The address of a server: what --api_base may be, what of it is secret, and the way there through proxies."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ...base import ModelError, first_line
from ...secrets import without_secrets

if TYPE_CHECKING:
    import openai

OPENAI = "https://api.openai.com/v1"
ENDPOINTS = ("/chat/completions", "/chat", "/completions", "/models")  # of the API, where only its base is wanted
LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[?::1\]?|0\.0\.0\.0")
PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


@dataclass(frozen=True)
class Address:
    """bases: the API's base as it was given, and where it may be instead (without /v1). query: sent along."""

    bases: tuple[str, ...]
    query: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host and port, without the credentials and the path that may be in the address."""
        return urlsplit(self.bases[0]).netloc.rpartition("@")[2].lower()

    @property
    def is_local(self) -> bool:
        return bool(LOOPBACK.fullmatch(urlsplit(self.bases[0]).hostname or ""))


def parse(base: str, source: str = "--api_base") -> Address:
    """An address from the user, a caller's `source`. Raises ModelError for one that is none, without its secrets."""
    try:
        parts = urlsplit(base.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        good = good and not any("@" in part for part in (parts.path, parts.query, parts.fragment))
    except ValueError:
        good = False
    if not good or not base.strip().isprintable() or " " in base.strip():
        shown = ascii(hidden(base))
        raise ModelError(f"{source} {shown}: is no address of a server, e.g. http://localhost:8000/v1.")
    path = parts.path.rstrip("/")
    for end in ENDPOINTS:
        if path.endswith(end):
            path = path.removesuffix(end)
            break
    given = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    bases = (given,)
    if not path:
        bases = (f"{given}/v1", given)
    elif not re.search(r"/v\d", path) and "/deployments/" not in path:
        bases = (given, f"{given}/v1")
    return Address(bases, dict(parse_qsl(parts.query)))


def key_from_environment(variable: str, required: bool) -> str:
    """The key, "" where there is none. Raises ModelError for a missing one that is required, and for an invalid one."""
    key = os.environ.get(variable, "").strip()
    if required and not key:
        raise ModelError(
            f"the environment variable {variable} is not set: export {variable}=..., or name a server with --api_base."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ModelError(
            f"the environment variable {variable} holds what no key can (spaces or special characters): set it again."
        )
    return key


def hidden(base: str) -> str:
    """An address for a message, also one that is malformed: nothing before its last @, no value of its query."""
    start, at, rest = base.rpartition("@")
    scheme = re.match(r"\w+:/{1,3}", start)
    shown = f"{scheme[0] if scheme else ''}[hidden]@{rest}" if at else base
    path, question, _ = shown.partition("?")
    return without_secrets(path + ("?[hidden]" if question else ""))


def connect(address: Address, base: str, key: str, timeout: openai.Timeout) -> openai.OpenAI:
    """A client, without a proxy for servers on this machine. Raises ModelError that names a bad proxy's variable."""
    import openai

    # Azure wants the key under a name of its own
    headers = {"api-key": key} if key and "api-version" in address.query else {}
    try:
        client = openai.DefaultHttpxClient(trust_env=False, timeout=timeout) if address.is_local else None
        return openai.OpenAI(
            base_url=base,
            api_key=key or "none",
            max_retries=0,
            timeout=timeout,
            default_query=dict(address.query),
            default_headers=headers,
            http_client=client,
        )
    except (ImportError, ValueError, TypeError, openai.OpenAIError) as error:
        names = " or ".join(set_proxies()) or "OPENAI_BASE_URL"
        why = without_secrets(first_line(error))
        remedy = "Correct it or unset it"
        if "socks" in str(error).lower():
            remedy += ", or install what a SOCKS proxy needs: pip install 'httpx[socks]' socksio"
        raise ModelError(f"the proxy in the environment variable {names} cannot be used ({why}). {remedy}.") from error


def set_proxies() -> list[str]:
    """The environment's variables that name a proxy."""
    names = [name for name in PROXIES if os.environ.get(name)]
    socks = [name for name in names if os.environ[name].lower().startswith("socks")]
    return socks or names


def through(address: Address) -> str:
    """For a message of a failed connection: through which proxy it goes, if any."""
    if address.is_local or not (names := set_proxies()):
        return ""
    return f", through the proxy in the environment variable {' or '.join(names)}"
