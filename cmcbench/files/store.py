"""How the benchmark writes: whole files or none, one writer at a time.

Every write is a temporary file in the same folder, then a rename, so a killed run leaves the old file or the new one.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import BadInput, RunFailed

TEMPORARY = ".tmp-"  # begins the name of every unfinished file
# Folder of unfinished downloads below a file's own: on the same disk, out of the way of whatever lists images
HIDDEN = ".download"


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically; its folder is made when missing. Raises OSError (a full disk, no permission)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY}{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Any) -> None:
    """Write JSON, readable and with a stable layout; keys keep their order."""
    write_bytes(
        path, (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")
    )


def read_json(path: Path) -> Any:
    """The JSON object in `path`, None where there is no such file. Raises BadInput for a broken one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError, OSError) as error:
        raise BadInput(f"{path} is not readable JSON ({error}). Move it away, then use --overwrite.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path} holds no JSON object. Move it away, then use --overwrite.")
    return value


def _finite(text: str) -> float:
    """A number that write_json can write again. Raises ValueError for others."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number of JSON's")
    return value


def write_png(path: Path, image: Any) -> None:
    """Write a PIL image as a PNG file, atomically."""
    write_bytes(path, png_bytes(image))


def png_bytes(image: Any) -> bytes:
    """A PIL image as the bytes of a PNG file, the same for the same pixels."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def digest(data: bytes) -> str:
    """The first 16 hexadecimal digits of SHA-256: enough to tell a thousand files apart, short enough for a CSV."""
    return hashlib.sha256(data).hexdigest()[:16]


def sweep(folder: Path, stem: str = "") -> None:
    """Remove the unfinished files that a killed run left, those of files that begin with `stem`.

    Call it with the lock of these files held: another run's unfinished file is not a leftover.
    """
    if folder.is_dir():
        for leftover in folder.iterdir():
            if leftover.name.startswith(TEMPORARY + stem):
                leftover.unlink(missing_ok=True)


@contextmanager
def only_writer(lock: Path, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold `lock` (a hidden file beside the output). The system frees it when the process ends, however it ends.

    wait: seconds to wait for another run. Raises RunFailed when the other one goes on for longer.
    """
    import filelock

    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(lock, timeout=wait):
            yield
    except filelock.Timeout:
        raise RunFailed(f"another run is writing {what} (it holds {lock}). Wait for it to end, or stop it.") from None
