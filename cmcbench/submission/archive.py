"""A submission as a zip file: the same bytes for the same contents, and read as what it is, a stranger's file.

Nothing is ever extracted to a disk. What is not laid out as `pack` lays it out is refused: entries one after the other
from the first byte on, headers that agree, no dates, no links, no data that no entry owns. So there is one way to read
the file.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import BadInput
from ..files.names import plain_name
from ..files.untrusted import same
from ..files.zips import ENCRYPTED, END

LARGEST_FILE = 32 << 20  # bytes of the zip; the published benchmark's thousand images in four modes take about 1
LARGEST_TOTAL = 48 << 20  # bytes of all entries together
LARGEST_RATIO = 100  # of an entry above RATIO_FROM; tables of scores reach 10
RATIO_FROM = 1 << 20
MOST_ENTRIES = 32
DIRECTORY = MOST_ENTRIES * 512  # bytes of the central directory
NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell
LOCAL = struct.Struct("<4s5H3L2H")  # local file header, 4.3.7
UTF8 = 0x800  # bit of the general purpose flag, 4.4.4


def pack(contents: Mapping[str, bytes]) -> bytes:
    """The zip file that holds `contents` (entry name -> bytes), sorted by name and without dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, NO_DATE)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
            archive.writestr(entry, contents[name])
    return buffer.getvalue()


def read(path: Path, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The entries of a zip file by name, as of `opened`."""
    return opened(path, load(path), limits)


def opened(path: Path, data: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The entries of what `load` read, by name, at most LARGEST_TOTAL bytes.

    limits: the names that may be there, and how many bytes each may have. Raises BadInput with everything that is wrong
    about the file's build; its contents are not looked at here.
    """
    entries = _entries(path, data)
    problems = [*_directory(entries, limits), *_layout(entries, data)]
    if problems:
        raise _refused(path, problems)
    try:
        return {entry.filename: _content(entry, data) for entry in entries}
    except ValueError as error:
        raise _refused(path, [str(error)]) from None


def _refused(path: Path, problems: list[str]) -> BadInput:
    listed = "; ".join(problems)
    return BadInput(
        f"{path} is refused and nothing of it was used: {listed}. A submission is the file that --submit wrote,"
        " unchanged."
    )


def load(path: Path) -> bytes:
    """The bytes of a file that may be a submission, at most LARGEST_FILE. Raises BadInput."""
    try:
        if not path.is_file():  # a pipe or a device could go on for ever
            raise BadInput(f"{path} is not a file. Name the zip file that script-evaluate.py --submit wrote.")
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None
    if len(data) > LARGEST_FILE:
        raise _refused(path, [f"it has more than {LARGEST_FILE >> 20} MiB"])
    return data


def _entries(path: Path, data: bytes) -> list[zipfile.ZipInfo]:
    """The central directory, read by zipfile once its bounds are known: a directory of millions would fill the
    memory.
    """
    if len(data) < END.size or data[-END.size :][:4] != b"PK\5\6":
        raise _refused(path, ["it does not end as a zip file ends"])
    _, disk, first_disk, here, total, size, offset, comment = END.unpack(data[-END.size :])
    if data[-END.size - 20 :][:4] == b"PK\6\7":
        raise _refused(path, ["it is in the zip64 format, which files of this size do not need"])
    if disk or first_disk or comment or here != total or offset + size + END.size != len(data):
        raise _refused(
            path, ["its last record contradicts the file (number of entries, place of the directory, or a comment)"]
        )
    if total > MOST_ENTRIES or size > DIRECTORY:
        raise _refused(path, [f"it has {total} entries, at most {MOST_ENTRIES} are expected"])
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError) as error:
        raise _refused(path, [f"it is not a readable zip file ({error})"]) from None
    if len(entries) != total:
        raise _refused(path, [f"its directory has {len(entries)} entries and its last record names {total}"])
    return entries


def _directory(entries: list[zipfile.ZipInfo], limits: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with the entries as the central directory lists them."""
    seen: dict[str, str] = {}
    for entry in entries:
        name = ascii(entry.orig_filename[:80])
        key = same(entry.filename)
        if key in seen:
            yield f"{name} and {seen[key]} are the same name"
        seen.setdefault(key, name)
        yield from (f"{name} {problem}" for problem in _problems(entry, limits))
    if sum(entry.file_size for entry in entries) > LARGEST_TOTAL:
        yield f"its entries have more than {LARGEST_TOTAL >> 20} MiB together"


def _problems(entry: zipfile.ZipInfo, limits: Mapping[str, int]) -> Iterator[str]:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if stat.S_ISLNK(kind):
        yield "is a link"
    elif entry.filename.endswith("/") or kind not in (0, stat.S_IFREG):  # is_dir() fails at an empty name
        yield "is not a file"
    elif entry.filename != entry.orig_filename or not plain_name(entry.filename):
        yield "is not a plain name and could lead out of a folder"
    elif entry.filename not in limits:
        yield "is not part of a submission"
    elif entry.file_size > limits[entry.filename]:
        yield f"has {entry.file_size:,} bytes, at most {limits[entry.filename]:,} are expected"
    if entry.flag_bits & ENCRYPTED:
        yield "is encrypted"
    elif entry.flag_bits & ~UTF8 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield "is packed in another way than --submit packs"
    if entry.file_size > max(RATIO_FROM, LARGEST_RATIO * entry.compress_size):
        yield f"unpacks to more than {LARGEST_RATIO} times its size"
    if entry.date_time != NO_DATE or entry.extra or entry.comment:
        yield "carries a date, a comment or other fields, which --submit does not write"


def _layout(entries: list[zipfile.ZipInfo], data: bytes) -> Iterator[str]:
    """Where the file itself contradicts its directory: local headers, gaps, entries that overlap."""
    position = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        name = ascii(entry.orig_filename[:80])
        if entry.header_offset != position:
            yield f"{name} overlaps another entry, or bytes stand before it that no entry owns"
        header = data[max(0, entry.header_offset) :][: LOCAL.size]
        if len(header) < LOCAL.size or header[:4] != b"PK\3\4":
            yield f"{name} has no header where the directory says"
            return
        _, _, flags, method, time, date, crc, packed, size, length, extra = LOCAL.unpack(header)
        start = entry.header_offset + LOCAL.size
        told = (entry.flag_bits, entry.compress_type, 0, 1 << 5 | 1, entry.CRC, entry.compress_size, entry.file_size, 0)
        encoding = "utf-8" if flags & UTF8 else "cp437"
        if (flags, method, time, date, crc, packed, size, extra) != told or data[start:][
            :length
        ] != entry.orig_filename.encode(encoding, "replace"):
            yield f"{name} has a header that says otherwise than the directory"
        position = start + length + extra + entry.compress_size
    if entries and position != END.unpack(data[-END.size :])[6]:
        yield "its entries do not end where its directory begins"


def _content(entry: zipfile.ZipInfo, data: bytes) -> bytes:
    """An entry's bytes, unpacked no further than its size is said to be. Raises ValueError."""
    start = entry.header_offset + LOCAL.size + len(entry.orig_filename.encode())
    content = packed = data[start : start + entry.compress_size]
    whole = True
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = stream.decompress(packed, entry.file_size + 1)
        except zlib.error:
            content = b""
        whole = stream.eof and not stream.unused_data
    if not whole or len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
        raise ValueError(f"{entry.filename} is damaged: its size or checksum is not what the zip says")
    return content
