"""Picture files of every kind for the tests: whole, odd, hostile and written by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from bench import SAMPLES
from PIL import Image

COLOURS = np.random.default_rng(7).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def png(width: int, height: int, depth: int, colour_type: int, rows: list[bytes], before: bytes = b"") -> bytes:
    """A PNG file written by hand; `before` are chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def big_endian_tiff(samples: list[int], channels: int = 1) -> bytes:
    """A TIFF of one row of 16-bit pixels, gray or RGB, the high byte first."""
    kind, length = {1: 1, 3: 2}[channels], 2 * len(samples)
    tags = {
        256: len(samples) // channels,
        257: 1,
        258: 16,
        259: 1,
        262: kind,
        273: 8,
        277: channels,
        278: 1,
        279: length,
    }
    pixels = struct.pack(f">{len(samples)}H", *samples)
    table = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack(">2sHI", b"MM", 42, 8 + len(pixels)) + pixels + struct.pack(">H", len(tags)) + table + bytes(4)


def save(path: Path, image: Image.Image, form: str = "PNG", **options) -> Path:
    """Save as `form` whatever the name says: users rename files."""
    image.save(path, format=form, **options)
    return path


def picture(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(COLOURS).convert(mode)


def photo(size: tuple[int, int] = (40, 30)) -> Image.Image:
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:
        return image.convert("RGB").resize(size)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def moving(path: Path, form: str) -> Path:
    return save(path, picture(), form, save_all=True, append_images=[picture().rotate(180)])


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG whose header alone tells of width x height pixels."""
    path.write_bytes(png(width, height, 8, 2, []))
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def half(path: Path, form: str, **options) -> Path:
    whole = save(path, photo(), form, **options).read_bytes()
    return written(path, whole[: len(whole) * 2 // 3])


def lacking_second_page(path: Path) -> Path:
    """A TIFF whose second page has no width."""
    save(path, picture(), "TIFF", save_all=True, append_images=[picture()])
    data = path.read_bytes()
    first = struct.unpack("<I", data[4:8])[0]
    second = struct.unpack("<I", data[first + 2 + 12 * struct.unpack("<H", data[first : first + 2])[0] :][:4])[0]
    assert struct.unpack("<H", data[second + 2 : second + 4])[0] == 256  # ImageWidth
    return written(path, data[: second + 2] + struct.pack("<H", 255) + data[second + 4 :])


def with_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A maker of cameras"
    return exif


def with_chunks(data: bytes, *chunks: bytes, after: bytes = b"IHDR") -> bytes:
    """A PNG with chunks put behind the first of the kind `after`."""
    place = data.index(after) - 4
    place += 12 + int.from_bytes(data[place : place + 4], "big")
    return data[:place] + b"".join(chunks) + data[place:]


def tiff(tags: dict[int, int | tuple[int, ...]], pixels: bytes, order: str = "<") -> bytes:
    """A TIFF of one uncompressed strip. tags: number -> value of 16 bits (several: all of them)."""
    tags = {**tags, 273: 8, 279: len(pixels), 278: tags[257]}
    body, extra = b"", b""
    place = 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (value,)
        kind, form = (4, "I") if tag in (273, 279) else (3, "H")
        content = struct.pack(f"{order}{len(values)}{form}", *values)
        if len(content) > 4:
            content, extra = struct.pack(order + "I", place + len(extra)), extra + content
        body += struct.pack(order + "HHI", tag, kind, len(values)) + content.ljust(4, b"\0")
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(pixels))
    return head + pixels + struct.pack(order + "H", len(tags)) + body + bytes(4) + extra
