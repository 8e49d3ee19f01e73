"""The published captions, which lie in a repository on GitHub: small files whose hashes are known."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request

from ..errors import RunFailed
from ..published.dataset import Published

TIMEOUT = 30  # seconds without a byte
WAITS = (1, 4)  # seconds before the next attempt
LARGEST = 4 << 20  # bytes; more is not read
AGENT = "cmcbench"


def fetch(published: Published, base: str) -> bytes:
    """The content of a caption file, as published. base: the URL of its folder. Raises RunFailed."""
    url = f"{base.rstrip('/')}/{published.file}"
    data = _patiently(url)
    found = hashlib.sha256(data).hexdigest()
    if found != published.sha256:
        raise RunFailed(
            f"{published.file}: {url} holds {len(data):,} bytes with the SHA-256 {found}, expected {published.sha256}. "
            f"It was not kept. Try again, or name the folder of another copy with --captions_base."
        )
    return data


def _patiently(url: str) -> bytes:
    for wait in (*WAITS, None):
        try:
            return _get(url)
        except urllib.error.HTTPError as error:
            reason = f"answers with status {error.code}"
            passes = error.code in (408, 429) or error.code >= 500
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:  # no address at all
            reason = f"cannot be read ({getattr(error, 'reason', None) or error or type(error).__name__})"
            passes = isinstance(error, (TimeoutError, http.client.HTTPException, ConnectionResetError))
        if not passes or wait is None:
            break
        time.sleep(wait)
    raise RunFailed(f"{url} {reason}. Try again, or name the folder of another copy with --captions_base.")


def _get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": AGENT})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # http or https: the command line refuses others
        data = answer.read(LARGEST + 1)
        # read(n) of a body that breaks off ends without a word
        expected = answer.headers.get("Content-Length")
        if len(data) <= LARGEST and expected and expected.isdigit() and len(data) < int(expected):
            raise http.client.IncompleteRead(data, int(expected) - len(data))
        return data
