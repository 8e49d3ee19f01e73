"""Which files are pictures: the formats that Pillow decodes itself, without another program, by their first bytes."""

from __future__ import annotations

from pathlib import PurePosixPath

# Pillow's name -> the endings of its files. No format that holds a program (EPS, WMF), text (XPM, XBM) or a stub
FORMATS: dict[str, tuple[str, ...]] = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "WEBP": (".webp",),
    "AVIF": (".avif", ".avifs"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "QOI": (".qoi",),
    "TGA": (".tga",),
    "DDS": (".dds",),
    "PCX": (".pcx",),
    "SGI": (".sgi", ".rgb"),
    "ICO": (".ico",),
    "PSD": (".psd",),
}
ENDINGS = frozenset(ending for endings in FORMATS.values() for ending in endings)
BOUNDED = frozenset({"PNG", "JPEG", "BMP"})  # decoded in this process: their work is bounded by bounds.py
UNREAD = {  # pictures that Pillow cannot read by itself: what they are -> their endings
    "HEIC": (".heic", ".heif", ".hif"),
    "camera raw": (".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2"),
    "JPEG XL": (".jxl",),
    "high dynamic range": (".exr", ".hdr"),
}

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"qoif", "QOI"),
    (b"8BPS", "PSD"),
    (b"DDS ", "DDS"),
    (b"\x01\xda", "SGI"),
    (b"\0\0\1\0", "ICO"),
)
_HEIF = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm"}
NEEDED = 64  # bytes of a file's beginning that form_of looks at


def form_of(head: bytes, name: str = "") -> str | None:
    """Pillow's name of the format that a file begins with, "HEIF" for one that Pillow cannot read, None for no picture.

    name: the file's, which alone tells a TGA, a format without a signature.
    """
    for beginning, form in _BEGINNINGS:
        if head.startswith(beginning):
            return form
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[place : place + 4] for place in range(16, min(len(head), NEEDED), 4))}
        return "AVIF" if brands & {b"avif", b"avis"} else "HEIF" if brands & _HEIF else None
    if head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3] in b" \t\r\n#" and len(head) > 2:
        return "PPM"
    if head[:1] == b"\x0a" and head[1:2] in b"\0\2\3\5" and head[2:3] in b"\0\1" and len(head) > 2:
        return "PCX"
    return "TGA" if PurePosixPath(name).suffix.lower() in FORMATS["TGA"] else None
