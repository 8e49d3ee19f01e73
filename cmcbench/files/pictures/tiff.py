"""The directories of a TIFF file, read within bounds: which picture it is, and what its samples mean."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

MOST_DIRECTORIES = 64
MOST_ENTRIES = 1024  # of a directory
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
KEPT = frozenset({254, 255, 256, 257, 258, 262, 266, 274, 277, 339})
WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION, SUBFILE, FORMAT = 256, 257, 258, 262, 274, 254, 339
THUMBNAIL, MASK = 1, 4  # bits of the tag SUBFILE


@dataclass(frozen=True)
class TiffFacts:
    """bits: of a sample. inverted: white is 0. signed, orientation: as tagged. pictures: with thumbnails and masks.

    data: the file; of 9 bits and more where white is 0, which Pillow does not know, as if black were.
    """

    bits: int
    inverted: bool
    signed: bool
    orientation: int
    pictures: int
    data: bytes


@dataclass
class _Directory:
    following: int
    tags: dict[int, int] = field(default_factory=dict)  # of KEPT, the first value of each
    held: int = 0  # bytes of all values
    meaning_at: int = 0  # where the value of PHOTOMETRIC lies


def check_tiff(data: bytes) -> TiffFacts:
    """What the directories of a TIFF tell. Raises ValueError for more of them than a picture has, or several pages.

    The first picture is the one to read where the others are its thumbnails, smaller copies or masks.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = len(data) >= 16 and struct.unpack_from(order + "H", data, 2)[0] == 43
    place = _number(data, order + ("Q" if big else "I"), 8 if big else 4)
    directories: list[_Directory] = []
    seen: set[int] = set()
    while place and place not in seen:
        if len(directories) == MOST_DIRECTORIES:
            raise ValueError(f"has more than {MOST_DIRECTORIES} directories, beyond any picture")
        seen.add(place)
        directories.append(_read(data, place, order, big))
        place = directories[-1].following
    if not directories:
        raise ValueError("is damaged or truncated (a TIFF without a directory)")
    first = directories[0].tags
    if directories[0].held > 4 * len(data) + (1 << 20):
        raise ValueError("is damaged (the values in its directory are longer than the file)")
    if first.get(SUBFILE, 0) & THUMBNAIL:
        raise ValueError("begins with a thumbnail, as camera raw files do, expected the picture itself")
    pages = [number for number, each in enumerate(directories[1:], 2) if _is_page(first, each.tags, number)]
    if pages:
        raise ValueError(f"holds {len(pages) + 1} pages, expected one picture")
    bits, inverted = first.get(BITS, 1), first.get(PHOTOMETRIC) == 0
    if inverted and bits > 8:
        place = directories[0].meaning_at
        data = data[:place] + struct.pack(order + "H", 1) + data[place + 2 :]
    return TiffFacts(bits, inverted, first.get(FORMAT) == 2, first.get(ORIENTATION, 1), len(directories), data)


def _is_page(first: dict[int, int], other: dict[int, int], number: int) -> bool:
    """Whether another directory is a picture of its own, not a thumbnail, smaller copy or mask of the first."""
    if other.get(SUBFILE, 0) & (THUMBNAIL | MASK) or other.get(255) == 2:
        return False
    if WIDTH not in other or HEIGHT not in other:
        raise ValueError(f"is damaged or truncated (its directory {number} tells no size)")
    return other[WIDTH] >= first.get(WIDTH, 0) or other[HEIGHT] >= first.get(HEIGHT, 0)


def _read(data: bytes, place: int, order: str, big: bool) -> _Directory:
    count = _number(data, order + ("Q" if big else "H"), place)
    width = 20 if big else 12
    begin = place + (8 if big else 2)
    if count > MOST_ENTRIES:
        raise ValueError(f"has a directory of {count} entries, beyond any picture")
    found = _Directory(_number(data, order + ("Q" if big else "I"), begin + count * width, missing=0))
    for entry in range(begin, begin + count * width, width):
        tag, kind = _number(data, order + "H", entry), _number(data, order + "H", entry + 2)
        values = _number(data, order + ("Q" if big else "I"), entry + 4)
        length = values * SIZES.get(kind, 1)
        found.held += length
        if tag not in KEPT or kind not in (3, 4, 16) or not values:
            continue
        form = order + {3: "H", 4: "I", 16: "Q"}[kind]
        inside = entry + (12 if big else 8)
        if length > (8 if big else 4):
            inside = _number(data, order + ("Q" if big else "I"), inside)
        found.tags[tag] = _number(data, form, inside)
        found.meaning_at = inside if tag == PHOTOMETRIC and kind == 3 else found.meaning_at
    return found


def _number(data: bytes, form: str, place: int, missing: int | None = None) -> int:
    if place + struct.calcsize(form) > len(data):
        if missing is not None:
            return missing
        raise ValueError("is damaged or truncated (a directory of a TIFF lies behind its end)")
    return struct.unpack_from(form, data, place)[0]
