"""Zip files that pack did not write."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib

from cmcbench.submission import archive as zipped

LIMITS = {"a.csv": 1000, "b.json": 1000, "c.csv": 50_000_000, "d.csv": 50_000_000}
HONEST = {"a.csv": b"x,y\n" * 20, "b.json": b"{}"}
WHOLE = zipped.pack(HONEST)
CENTRAL = WHOLE.index(b"PK\1\2")  # where the directory begins
SECOND = WHOLE.index(b"PK\1\2", CENTRAL + 1)  # the entry of b.json in it
LOCAL = WHOLE.index(b"PK\3\4", 1)  # and its own header


def entry(name: str = "a.csv", data: bytes = b"x", **changes):
    """A zip of one entry whose ZipInfo is changed before it is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _add(archive, name, data, **changes)
    return buffer.getvalue()


def _add(archive, name, data, **changes):
    info = zipfile.ZipInfo(name, zipped.NO_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    for key, value in changes.items():
        setattr(info, key, value)
    archive.writestr(info, data)


def several(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            _add(archive, name, b"x")
    return buffer.getvalue()


def patched(at: int, form: str, *values: int, data: bytes = WHOLE) -> bytes:
    """The bytes with some overwritten."""
    new = struct.pack(form, *values)
    return data[:at] + new + data[at + len(new) :]


def understated() -> bytes:
    """b.json inflates to more than both of its headers say, and the checksum is that of the part which they tell of."""
    crc = zlib.crc32(b"{")
    data = patched(LOCAL + 14, "<L", crc)
    data = patched(LOCAL + 22, "<L", 1, data=data)
    data = patched(SECOND + 16, "<L", crc, data=data)
    return patched(SECOND + 24, "<L", 1, data=data)


def overlapping() -> bytes:
    """Two entries of the directory that share one header."""
    return patched(SECOND + 42, "<L", 0)


def with_gap() -> bytes:
    """Bytes between the entries and the directory that nothing owns."""
    gap = b"secret"
    size, offset = struct.unpack("<2L", WHOLE[-10:-2])
    return WHOLE[:CENTRAL] + gap + WHOLE[CENTRAL:-10] + struct.pack("<2L", size, offset + len(gap)) + b"\0\0"


def with_prefix() -> bytes:
    buffer = io.BytesIO(b"#!/bin/sh\n")
    buffer.seek(0, 2)
    with zipfile.ZipFile(buffer, "a") as archive:
        _add(archive, "a.csv", b"x")
    return buffer.getvalue()


def streamed() -> bytes:
    """Written to a pipe: sizes stand behind the data."""

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError

        seek = tell

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        _add(archive, "a.csv", b"x")
    return pipe.getvalue()


def zip64() -> bytes:
    """Two more records that tell of another directory, which only some readers believe."""
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(WHOLE), 1)
    return WHOLE[:-22] + locator + WHOLE[-22:]


def stored_name(raw: bytes) -> bytes:
    """A name of raw bytes, said to be UTF-8, in both headers."""
    data = entry("a" * len(raw))
    return data.replace(b"a" * len(raw), raw).replace(struct.pack("<2H", 0, 8), struct.pack("<2H", 0x800, 8))


def bomb(size: int, name: str = "c.csv") -> bytes:
    return entry(name, bytes(size))
