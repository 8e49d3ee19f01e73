"""One file from the Hugging Face hub: what the hub says of it, and its bytes, going on where a broken run stopped.

hf_hub_download begins again after a killed run, so the loop over attempts is here; the requests, their headers, tokens,
proxies and HF_ENDPOINT are huggingface_hub's.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ..errors import BadInput, RunFailed, first_line
from ..published.dataset import REPOSITORY
from ..runtime.messages import progress, say

Answer = TypeVar("Answer")

WAITS = (1, 4, 10)  # seconds before the next attempt at what may pass: an overloaded server, a time-out
PASSING = {408, 429, 500, 502, 503, 504}
SHA256 = re.compile(r"[0-9a-f]{64}")


class Unreachable(RunFailed):
    """The hub does not answer at all: no use in asking it for the next file."""


@dataclass(frozen=True)
class Remote:
    """What the hub says of a file. size: bytes. sha256: None where it tells none. commit: the revision that is
    fetched.
    """

    file: str
    size: int
    sha256: str | None
    commit: str


def endpoint() -> str:
    """The hub's address, HF_ENDPOINT or the public one."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids to ask the hub. Raises BadInput for no address."""
    try:
        from huggingface_hub import constants
    except ValueError as error:  # it takes the address apart when it is imported
        raise BadInput(f"HF_ENDPOINT is not an address ({error}). Correct or unset it.") from None

    return constants.HF_HUB_OFFLINE


def look_up(file: str, revision: str) -> Remote:
    """Ask the hub for a file's size, hash and commit. Raises RunFailed, which says what to do."""
    from huggingface_hub import get_hf_file_metadata

    found = _patiently(file, revision, lambda: get_hf_file_metadata(_url(file, revision)))
    if not found.size or not found.commit_hash:
        raise RunFailed(f"{file}: {endpoint()} answers, but not as a hub does (no size or commit). Check HF_ENDPOINT.")
    checksum = found.etag if found.etag and SHA256.fullmatch(found.etag) else None
    return Remote(file, found.size, checksum, found.commit_hash)


def fetch(remote: Remote, part: Path) -> None:
    """Bring the whole file to `part`, which may hold its beginning from a run before, and check it.

    Raises RunFailed. What has come stays for the next run, unless its hash is wrong.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars, logging

    logging.set_verbosity_error()  # its warnings name the whole address, password included
    disable_progress_bars()  # ours count what an earlier run brought, and are seldom in logs
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.exists() and part.stat().st_size > remote.size:
        part.unlink()
    part.touch()
    # The hub's own address at each attempt: where it sends us is signed for a while only. httpx drops the token on the
    # way.
    url, headers = _url(remote.file, remote.commit), build_hf_headers(library_name="cmcbench")
    with open(part, "r+b") as file, progress(remote.size, part.stat().st_size, remote.file, "B") as bar:

        def go_on() -> None:
            here = file.seek(0, 2)
            http_get(url, Counted(file, bar, remote), resume_size=here, headers=headers, expected_size=remote.size)

        _patiently(remote.file, remote.commit, go_on)
    _check(remote, part)


class Counted:
    """A file for http_get to write to: it moves the bar, and takes no more than the file is said to have."""

    def __init__(self, file: BinaryIO, bar: Any, remote: Remote) -> None:
        self.file, self.bar, self.remote = file, bar, remote

    def write(self, data: bytes) -> None:
        if self.file.tell() + len(data) > self.remote.size:
            told = f"{self.remote.size:,} bytes"
            raise RunFailed(
                f"{self.remote.file}: {endpoint()} sends more than the {told} that it announced. Check HF_ENDPOINT."
            )
        self.file.write(data)
        self.bar.update(len(data))

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, place: int) -> None:
        self.file.seek(place)

    def truncate(self) -> None:
        """Called where the server does not continue but begins again."""
        self.file.truncate()
        self.bar.n = self.file.tell()


def _url(file: str, revision: str) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(REPOSITORY, file, repo_type="dataset", revision=revision)


def _check(remote: Remote, part: Path) -> None:
    if remote.sha256 is None:
        say(f"note: {remote.file}: {endpoint()} tells no SHA-256; only its size was checked.")
        return
    found = sha256(part, remote.file)
    if found != remote.sha256:
        part.unlink()
        raise RunFailed(
            f"{remote.file}: what came has the SHA-256 {found}, expected {remote.sha256}. It was removed; run the same "
            f"command again to fetch it again, and see whether {endpoint()} is the hub that you mean."
        )


def sha256(path: Path, name: str) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits. name: what it is called while that takes its time."""
    with open(path, "rb") as file, progress(path.stat().st_size, 0, f"checking {name}", "B") as bar:
        found = hashlib.sha256()
        while block := file.read(1 << 20):
            found.update(block)
            bar.update(len(block))
    return found.hexdigest()


AGAIN = "What has come is kept; the same command goes on from there."


def _patiently(file: str, revision: str, ask: Callable[[], Answer]) -> Answer:
    """Ask until it is answered, a few times where the fault may pass. Raises RunFailed."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    for wait in (*WAITS, None):
        try:
            return ask()
        except HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status not in PASSING or wait is None:
                raise RunFailed(f"{file}: {_refusal(error, status, revision)}") from None
            say(f"note: {file}: {endpoint()} answers with status {status}; asked again in {wait} s.")
        except HTTPError as error:  # of httpx, whose module has another name in hub 1 than in hub 2
            reason = first_line(error)[:200]
            if "Connect" in type(error).__name__ or wait is None:
                raise Unreachable(
                    f"{file}: {endpoint()} cannot be reached or broke off ({reason}). {AGAIN} Another address:"
                    " HF_ENDPOINT; a proxy: HTTPS_PROXY."
                ) from None
            say(f"note: {file}: {endpoint()} broke off ({reason}); asked again in {wait} s.")
        except (ValueError, UnicodeError) as error:
            raise Unreachable(_no_address(file, error)) from None
        except OSError as error:
            if error.errno is not None:  # of this machine, e.g. a full disk
                raise
            raise RunFailed(f"{file}: {first_line(error)[:200]} {AGAIN}") from None
        except Exception as error:
            if type(error).__name__ not in ("InvalidURL", "LocalProtocolError"):  # of httpx, see above
                raise
            raise Unreachable(_no_address(file, error)) from None
        time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _no_address(file: str, error: Exception) -> str:
    return f"{file}: HF_ENDPOINT is not an address: {endpoint()} ({first_line(error)[:200]}). Correct or unset it."


def _refusal(error: Exception, status: int, revision: str) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    place = f"{endpoint()}/datasets/{REPOSITORY}"
    if isinstance(error, GatedRepoError):
        return (
            f"the data set asks for its terms to be accepted. Do so at {place}, then: hf auth login (or set HF_TOKEN)."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{place} has no revision {ascii(revision)}. Leave --revision out for the current one."
    if isinstance(error, RemoteEntryNotFoundError):
        return f"{place} has no such file at revision {ascii(revision)}. Leave --revision out for the current one."
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return (
            f"{place} is not there, or not for you (status {status}). Check HF_ENDPOINT and HF_TOKEN, or: hf auth"
            " login."
        )
    return f"{endpoint()} answers with status {status}. {AGAIN}"
