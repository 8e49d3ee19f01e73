"""What a file's structure tells before anything is decoded, and the bounds on it: chunks, scans, directories."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from .tiff import check_tiff

MOST_IDAT = 1 << 17  # PNG: 89 million pixels in chunks of 8 KiB, the smallest that is common, are 33,000
MOST_OTHER = 4096  # PNG: chunks besides
MOST_SEGMENTS = 4096  # JPEG: before the first scan; the largest profile and EXIF together need 300
MOST_SCANS = 100  # JPEG: encoders write up to 12, optimizers up to 64
MOST_WORK = 1 << 31  # JPEG: scans x pixels; about a minute of the slowest kind
MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")  # JPEG: of a segment
TEXT = frozenset({b"tEXt", b"zTXt", b"iTXt"})  # PNG: never read, so that no text of any size matters


class Unfit(Exception):
    """This picture cannot be used; the message says why, without naming the file."""


@dataclass(frozen=True)
class Facts:
    """What Pillow does not say about a picture, or says too late.

    bits: of a channel, 0 where Pillow tells. inverted: white is 0. signed: samples are signed numbers. orientation: of
    TIFF, which Pillow turns by itself. pictures: how many the file holds. cicp: (primaries, transfer) by ITU-T H.273.
    exif: PNG's, wherever it stands.
    """

    bits: int = 0
    inverted: bool = False
    signed: bool = False
    orientation: int = 1
    pictures: int = 1
    cicp: tuple[int, int] | None = None
    exif: bytes = b""


def check(data: bytes, form: str) -> tuple[bytes, Facts]:
    """(the bytes to decode, what they tell). Raises Unfit for a structure beyond the bounds."""
    if form == "PNG":
        return _check_png(data)
    if form == "JPEG":
        _check_jpeg(data)
    if form == "TIFF":
        try:
            found = check_tiff(data)
        except ValueError as error:
            raise Unfit(str(error)) from None
        return found.data, Facts(found.bits, found.inverted, found.signed, found.orientation, found.pictures)
    if form == "JPEG2000":
        return data, _jpeg2000_facts(data)
    if form == "AVIF":
        return data, _avif_facts(data)
    return data, Facts()


def png_chunks(
    read: Callable[[int, int], bytes], length: int, each: Callable[[int, int, bytes], None] | None = None
) -> dict[bytes, bytes]:
    """The first IHDR, acTL, cICP and eXIf chunk of a PNG. read: (place, count) -> bytes. length: of the file.

    each: called with place, length and kind of every chunk. Raises Unfit for more chunks than a picture has.
    """
    found: dict[bytes, bytes] = {}
    place, data, other = 8, 0, 0
    while place + 12 <= length:
        size, kind = struct.unpack(">I4s", read(place, 8))
        if kind == b"IDAT":
            data += 1
        else:
            other += 1
            if kind in (b"IHDR", b"acTL", b"cICP", b"eXIf") and kind not in found:
                found[kind] = read(place + 8, min(size, 1 << 20))
        if each is not None:
            each(place, size, kind)
        if data > MOST_IDAT or other > MOST_OTHER:
            raise Unfit(f"has more than {MOST_IDAT if data > MOST_IDAT else MOST_OTHER} chunks, beyond any picture")
        if kind == b"IEND":
            break
        place += 12 + size
    return found


def _check_png(data: bytes) -> tuple[bytes, Facts]:
    texts: list[tuple[int, int]] = []

    def each(place: int, size: int, kind: bytes) -> None:
        if kind in TEXT and place + 12 + size <= len(data):
            texts.append((place, place + 12 + size))

    found = png_chunks(lambda place, count: data[place : place + count], len(data), each)
    frames = int.from_bytes(found.get(b"acTL", b"")[:4], "big")
    if 1 < frames < 1 << 31:
        raise Unfit(f"is animated ({frames} frames), expected a still picture")
    if texts:
        kept, place = [], 0
        for begin, end in texts:
            kept.append(data[place:begin])
            place = end
        data = b"".join([*kept, data[place:]])
    cicp = found.get(b"cICP", b"")
    return data, Facts(cicp=(cicp[0], cicp[1]) if len(cicp) == 4 else None, exif=found.get(b"eXIf", b""))


def _check_jpeg(data: bytes) -> None:
    place, segments, pixels = 2, 0, 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        code = data[place + 1]
        if code == 0xFF:  # a fill byte
            place += 1
            continue
        if code in (0xDA, 0xD9):
            break
        if code in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) and place + 9 <= len(data):
            pixels = int.from_bytes(data[place + 5 : place + 7], "big") * int.from_bytes(
                data[place + 7 : place + 9], "big"
            )
        segments += 1
        if segments > MOST_SEGMENTS:
            raise Unfit(f"has more than {MOST_SEGMENTS} segments, beyond any picture")
        place += 2 if code == 0x01 or 0xD0 <= code <= 0xD7 else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    # Within coded data a byte 0xFF is followed by 0, so this counts scans, and what looks like one behind the picture
    most = min(MOST_SCANS, MOST_WORK // max(1, pixels))
    if data.count(b"\xff\xda", place) > most and _scans(data, place, most) > most:
        raise Unfit(f"has more than {most} scans, beyond any picture of its size")


def _scans(data: bytes, place: int, most: int) -> int:
    """How many scans a JPEG has from `place` on to its end, counted no further than beyond `most`."""
    count = 0
    while (marker := MARKER.search(data, place)) and count <= most and data[marker.start() + 1] != 0xD9:
        count += data[marker.start() + 1] == 0xDA
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return count


def _jpeg2000_facts(data: bytes) -> Facts:
    place = data.find(b"\xff\x4f\xff\x51", 0, 1 << 20)
    if place < 0 or len(data) < place + 43:
        return Facts()
    return Facts(bits=(data[place + 42] & 0x7F) + 1)  # of the first component (ITU-T T.800, A.5.1)


def _avif_facts(data: bytes) -> Facts:
    head = data[: 1 << 16]
    place, bits, cicp = head.find(b"av1C"), 0, None
    if 0 < place < len(head) - 7:
        flags = head[place + 6]
        bits = 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    place = head.find(b"colrnclx")
    if 0 < place <= len(head) - 12:
        cicp = struct.unpack_from(">HH", head, place + 8)
    return Facts(bits=bits, cicp=cicp)
