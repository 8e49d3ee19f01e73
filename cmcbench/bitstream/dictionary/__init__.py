"""Captions deflated with a shared dictionary: the second way to count a caption's bits (the headline is 8 bits a
character).

Raw deflate (RFC 1951, no zlib header), level 9, with a preset dictionary that sender and receiver have beforehand. It
is not counted, as the decoder's weights are not. There are two, since none may have seen the captions that it codes: an
image's stem tells its fold (0 or 1), and a fold's dictionary is made of captions of the other fold's images alone. They
were trained by tools/train_dictionary.py on the published captions (LICENSE.md beside them). Images outside the
benchmark follow the same
rule.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from pathlib import Path

from ...errors import BadInput
from ...files.store import write_bytes

FOLDER = Path(__file__).parent
SHA256 = {  # fold -> what the file of its dictionary has
    0: "aa62e46254a93edab3c49ee3b5d49e25cffeedde55deccf0e345d09f8da8c34e",
    1: "6130b9012859e4b2c385b9ca75d7d950abd7a27de87bbaddcef7b0989704a3be",
}


class Undecodable(ValueError):
    """Bytes that are no caption deflated with this dictionary."""


def fold(stem: str) -> int:
    """The fold of an image, 0 or 1: the lowest bit of the first byte of its stem's SHA-256."""
    return hashlib.sha256(stem.encode("utf-8", "surrogatepass")).digest()[0] & 1


@functools.cache
def load(fold: int) -> bytes:
    """The dictionary for the captions of a fold. Raises BadInput where its file is not the one that this program came
    with.
    """
    path = FOLDER / f"fold{fold}.dict"
    data = path.read_bytes() if path.is_file() else b""
    if sha256(data) != SHA256[fold]:
        raise BadInput(f"{path} is not the dictionary that belongs to this program. Restore it: git checkout {path}")
    return data


def store(folder: Path, fold: int, data: bytes) -> None:
    """Write the dictionary of a fold."""
    write_bytes(folder / f"fold{fold}.dict", data)


def sha256(data: bytes) -> str:
    """What stands in SHA256 of a dictionary."""
    return hashlib.sha256(data).hexdigest()


def deflate(text: str, dictionary: bytes) -> bytes:
    """A caption's UTF-8 bytes, deflated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return packer.compress(text.encode("utf-8")) + packer.flush()


def inflate(data: bytes, dictionary: bytes, largest: int) -> bytes:
    """The bytes that `deflate` packed. Raises Undecodable, also where they would be more than `largest`."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS, dictionary)
    try:
        text = unpacker.decompress(data, largest + 1)
    except zlib.error as error:
        raise Undecodable(f"it is damaged ({error})") from None
    if len(text) > largest:
        raise Undecodable(f"it is of more than {largest} bytes")
    if not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
        raise Undecodable("its deflated bytes end too early or too late")
    return text


@functools.lru_cache(maxsize=4096)  # the modes share captions
def deflate_bits(text: str, stem: str) -> int:
    """Bits of the caption of an image, deflated with the dictionary for its fold."""
    return 8 * len(deflate(text, load(fold(stem))))
