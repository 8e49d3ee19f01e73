"""Streams without what a decoder does not need: NAL units, marker segments, and the containers of WebP and AVIF."""

from __future__ import annotations

import struct

from ..errors import RunFailed


def nal_units(stream: bytes) -> list[bytes]:
    """Split an Annex B byte stream at its start codes; each unit keeps a three-byte start code."""
    parts = stream.split(b"\0\0\1")[1:]
    # zero bytes before a start code belong to the start code, not to the unit (ITU-T H.264, H.265, H.266, annex B)
    return [b"\0\0\1" + part.rstrip(b"\0") for part in parts]


def without_segments(stream: bytes, needless: frozenset[int]) -> bytes:
    """A JPEG or JPEG 2000 stream without the marker segments of these codes (0xE0: JFIF's header, 0x64: a comment).

    A marker is 0xFF and its code; but for the first (start of image) a length of two bytes and that many bytes, itself
    among them, follow. The entropy-coded part begins after a start of scan (0xDA) or of tile part (0x90) (ITU-T T.81,
    T.800).
    """
    kept, position = [stream[:2]], 2
    while position + 4 <= len(stream) and stream[position] == 0xFF and stream[position + 1] not in (0xDA, 0x90):
        end = position + 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
        if stream[position + 1] not in needless:
            kept.append(stream[position:end])
        position = end
    return b"".join([*kept, stream[position:]])


def vp8_frame(file: bytes) -> bytes:
    """The VP8 key frame of a lossy WebP file, without RIFF's 20 bytes of header and its padding byte (RFC 9649,
    2.5).
    """
    if file[8:16] != b"WEBPVP8 ":
        raise RunFailed("Pillow wrote a WebP file with more than a picture in it")
    return file[20 : 20 + int.from_bytes(file[16:20], "little")]


def webp_file(frame: bytes) -> bytes:
    """The WebP file of a VP8 key frame: all of its header follows from the frame's length."""
    body = b"WEBPVP8 " + struct.pack("<I", len(frame)) + frame + bytes(len(frame) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def coded_picture(file: bytes) -> bytes:
    """The content of an AVIF file's `mdat` box: the AV1 stream of its one picture (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while position + 8 <= len(file):
        length, kind = int.from_bytes(file[position : position + 4], "big"), file[position + 4 : position + 8]
        end = position + length if length >= 8 else len(file)
        if kind == b"mdat":
            return file[position + 8 : end]
        position = end
    raise RunFailed("Pillow wrote an AVIF file without a picture in it")


def avif_file(picture: bytes, size: tuple[int, int]) -> bytes:
    """An AVIF file around the AV1 stream of an 8-bit 4:2:0 picture of `size` (width, height).

    It says nothing that the stream's own sequence header does not say: the colours are those of the header, since the
    file has no `colr` box (the AVIF specification, 2.2.1, and ISO/IEC 23008-12 for the boxes).
    """
    configuration = bytes((0x81, 0x1F, 0x0C, 0))  # version 1; profile 0, any level; 8 bits, 4:2:0
    properties = _box(b"ispe", bytes(4) + struct.pack(">II", *size)) + _box(b"pixi", bytes(4) + bytes((3, 8, 8, 8)))
    properties += _box(b"av1C", configuration)
    uses = _box(b"ipma", bytes(4) + struct.pack(">IHB3B", 1, 1, 3, 1, 2, 0x80 | 3))  # of item 1; av1C is essential
    item = _box(b"infe", bytes((2, 0, 0, 0)) + struct.pack(">HH", 1, 0) + b"av01\0")
    handler = _box(b"hdlr", bytes(8) + b"pict" + bytes(13))
    primary = _box(b"pitm", bytes(4) + struct.pack(">H", 1))
    items = _box(b"iinf", bytes(4) + struct.pack(">H", 1) + item)
    iprp = _box(b"iprp", _box(b"ipco", properties) + uses)
    head = _box(b"ftyp", b"avif" + bytes(4) + b"avifmif1miaf")

    def meta(offset: int) -> bytes:
        where = _box(b"iloc", bytes(4) + struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(picture)))
        return _box(b"meta", bytes(4) + handler + primary + where + items + iprp)

    return head + meta(len(head) + len(meta(0)) + 8) + _box(b"mdat", picture)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content
