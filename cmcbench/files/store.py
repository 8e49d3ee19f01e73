"""How the benchmark writes: whole files or none, one writer at a time.

Every write is a temporary file in the same folder, then a rename, so a killed run leaves the old file or the new one.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import io
import json
import math
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, RunFailed

if TYPE_CHECKING:
    from PIL import Image

TEMPORARY = ".tmp-"  # begins the name of every unfinished file
LARGEST_JSON = 1 << 28  # bytes
RUNS = 3  # zlib's Z_RLE, which the zlib module does not name: a fifth of the time of Pillow's level 6, as many bytes
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


class Unreadable(BadInput):
    """A file that is there and cannot be read at the moment (rights, a failing disk): it may be whole."""


class Foreign(ValueError):
    """A readable file that is not of this program: somebody else's, which must not be replaced unasked."""


def read_bytes(path: Path, largest: int) -> bytes:
    """What a regular file holds. Raises OSError, also for a pipe or device and for more than `largest` bytes."""
    # Non-blocking, as opening a pipe that nobody writes to would otherwise wait
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
            raise OSError(errno.EINVAL, f"it is {kind}", str(path))
        if found.st_size > largest:
            raise OSError(errno.EINVAL, f"it has more than {largest} bytes", str(path))
        with open(handle, "rb", closefd=False) as file:
            return file.read(largest + 1)
    finally:
        os.close(handle)


def refuse_links(root: Path, *folders: Path) -> None:
    """Refuse to write into folders below `root` that are reached through a link. Raises BadInput.

    `root` itself may be a link, and a file that is a link is replaced by every write.
    """
    for folder in folders:
        for place in (folder, *folder.parents):
            if place == root:
                break
            if place.is_symlink():
                raise BadInput(
                    f"{place} is a link, and outputs are not written through links. Remove it, or choose another output"
                    " folder."
                )


def put_new(path: Path, data: bytes, overwrite: bool) -> None:
    """Write a file, or leave it where it has these bytes. Raises BadInput where it has others, but to overwrite."""
    if path.is_symlink() or path.exists():
        try:
            if not path.is_symlink() and read_bytes(path, len(data)) == data:
                return
        except OSError:
            pass  # it has other bytes
        if not overwrite:
            raise BadInput(f"{path} is there with other content. Move it away, or replace it with --overwrite.")
    write_bytes(path, data)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically; its folder is made when missing. Raises OSError (a full disk, no permission)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{secrets.token_hex(4)}")
    # Not mkstemp, whose files only their owner can read: the umask could not be asked for without setting it, for all
    # threads
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON, readable and with a stable layout; keys keep their order."""
    write_bytes(
        path, (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")
    )


def read_json(path: Path) -> Any:
    """The JSON object in `path`, None where there is no such file.

    Raises BadInput for a broken one, Unreadable for one that cannot be read at the moment.
    """
    try:
        value = json.loads(read_bytes(path, LARGEST_JSON).decode("utf-8"), parse_float=_finite, parse_constant=_finite)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"{path} is not readable ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not readable JSON ({error}). Move it away, then use --overwrite.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path} holds no JSON object. Move it away, then use --overwrite.")
    return value


def _finite(text: str) -> float:
    """A number that write_json can write again. Raises ValueError for others."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def png_bytes(image: Image.Image) -> bytes:
    """A PIL image as the bytes of a PNG file, the same for the same pixels (and versions of libraries)."""
    encode = _opencv() if image.mode == "RGB" else None
    if encode is not None:
        return encode(image)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_type=RUNS)
    return buffer.getvalue()


@functools.cache
def _opencv() -> Callable[[Image.Image], bytes] | None:
    """OpenCV's encoder, which takes half of the time of Pillow's; None where OpenCV cannot be imported.

    Of the settings measured (docs/performance.md) these are the fastest that write no more bytes than Pillow's level 6:
    one row filter, and zlib's search for runs alone, since a filtered photo holds few other matches.
    """
    try:
        import cv2
        import numpy as np
    except ImportError:  # it comes with pyiqa, and lacks libGL on some machines
        return None
    how = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]

    def encode(image: Image.Image) -> bytes:
        # Level 1: OpenCV's own way of setting a level would set a strategy as well, hence the order
        done, data = cv2.imencode(
            ".png", cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1, *how]
        )
        if not done:
            raise ValueError(f"OpenCV does not encode a picture of {image.width}x{image.height}")
        return data.tobytes()

    return encode


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
    held = filelock.FileLock(lock, timeout=wait)
    try:
        held.acquire()
    except filelock.Timeout:
        raise RunFailed(f"another run is writing {what} (it holds {lock}). Wait for it to end, or stop it.") from None
    except (OSError, NotImplementedError) as error:
        raise _no_lock(lock, error) from None
    try:
        yield
    finally:
        held.release()


def _no_lock(lock: Path, error: OSError | NotImplementedError) -> Exception:
    if lock.is_symlink():
        return BadInput(f"{lock} is a link, and locks are not taken through links. Remove it.")
    if isinstance(error, NotImplementedError) or error.errno in NO_LOCKS:
        return BadInput(f"{lock.parent} is on a file system without locks. Choose an output folder on another one.")
    return error
