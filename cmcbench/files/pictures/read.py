"""Reading a picture from a file or from bytes, once, and its size from the beginning of the file."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ImageProblem
from . import decode, worker
from .bounds import Unfit, png_chunks
from .formats import BOUNDED, NEEDED, form_of
from .upright import orientation_of, upright_size

if TYPE_CHECKING:
    from PIL import Image

LARGEST = 1 << 30  # bytes of a file; the largest picture that Pillow opens has 0.7 GB in 16 bits with alpha
HEAD = 1 << 18  # bytes that hold a JPEG's header: EXIF, profile, size


def read_rgb(source: Path | bytes, name: str = "") -> tuple[Image.Image, str | None]:
    """A picture as 8-bit sRGB, upright, and a note where it had to be converted (None for a plain RGB picture).

    source: a file, or its bytes where they were read before; `name` is then what messages call it. Alpha is dropped as
    the published scripts drop it; 16 bits are scaled to 8; colours are converted by the picture's own profile; EXIF's
    orientation is applied. Of several photos in one file the first is taken.
    Raises ImageProblem for a file that is missing, no regular one, empty, truncated, animated, over Pillow's size
    limit, of a structure or a duration beyond bounds, or no picture.
    """
    name = name or (source.name if isinstance(source, Path) else "picture")
    try:
        data = _file(source) if isinstance(source, Path) else source
        form = _form(data[:NEEDED], name, len(data))
        return (decode if form in BOUNDED else worker).decoded(data, form)
    except Unfit as problem:
        raise ImageProblem(f"{name}: {problem}") from None


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels of the upright picture, from the file's header alone. Raises ImageProblem."""
    try:
        handle, length = _open(path)
        try:
            head = os.pread(handle, HEAD, 0) if hasattr(os, "pread") else _read(handle, HEAD)
            form = _form(head[:NEEDED], path.name, length)
            if form == "PNG" and hasattr(os, "pread"):
                return _png_size(handle, length)
        except OSError as error:
            raise Unfit(f"cannot be read ({error.strerror})") from None
        finally:
            os.close(handle)
        if form in BOUNDED and length > HEAD:
            try:
                return decode.size_of(head, form)
            except Unfit:  # the header is longer
                pass
        return (decode if form in BOUNDED else worker).size_of(_file(path), form)
    except Unfit as problem:
        raise ImageProblem(f"{path.name}: {problem}") from None


def picture_bytes(path: Path) -> bytes:
    """What a picture's file holds, to be hashed and decoded. Raises ImageProblem; never waits for a pipe or device."""
    try:
        return _file(path)
    except Unfit as problem:
        raise ImageProblem(f"{path.name}: {problem}") from None


def _file(path: Path) -> bytes:
    handle, length = _open(path)
    try:
        return _read(handle, length)
    except OSError as error:
        raise Unfit(f"cannot be read ({error.strerror})") from None
    except MemoryError:
        raise Unfit(f"needs more memory than there is for its {length} bytes") from None
    finally:
        os.close(handle)


def _open(path: Path) -> tuple[int, int]:
    """(descriptor, length in bytes) of a regular file. Raises Unfit."""
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes to it
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise Unfit(f"is not in {path.parent}") from None
    except OSError as error:  # a socket, a loop of links, no permission
        raise Unfit(f"cannot be read ({error.strerror})") from None
    found = os.fstat(handle)
    problem = None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, terminal or device"
        problem = f"cannot be read (it is {kind}, no regular file)"
    elif found.st_size > LARGEST:
        problem = f"has {found.st_size:,} bytes, at most {LARGEST:,} are read"
    if problem:
        os.close(handle)
        raise Unfit(problem)
    return handle, found.st_size


def _read(handle: int, count: int) -> bytes:
    with open(handle, "rb", closefd=False) as file:
        return file.read(count)


def _form(head: bytes, name: str, length: int) -> str:
    form = form_of(head, name)
    if form == "HEIF":
        raise Unfit("is a HEIC picture, which Pillow cannot read; convert it, e.g. to PNG")
    if form is None:
        raise Unfit("is an empty file" if length == 0 else "is no picture that Pillow can read")
    return form


def _png_size(handle: int, length: int) -> tuple[int, int]:
    """The size of a PNG by the headers of its chunks: EXIF may stand behind the pixels."""
    try:
        found = png_chunks(lambda place, count: os.pread(handle, count, place), length)
    except struct.error:  # the file became shorter meanwhile
        raise Unfit("is damaged or truncated") from None
    if len(found.get(b"IHDR", b"")) < 13:
        raise Unfit("is damaged or truncated (a PNG without a header)")
    width, height = struct.unpack_from(">II", found[b"IHDR"])
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        raise Unfit("is damaged (a PNG without pixels)")
    decode.check_size(width, height)
    return upright_size((width, height), orientation_of(found.get(b"eXIf")))
