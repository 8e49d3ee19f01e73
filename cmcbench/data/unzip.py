"""Unpacking a zip of pictures into a folder: nothing outside of it, no file half written, nothing replaced unasked.

The directory of the zip is judged as a whole before the first picture is written.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..files.images import ENDINGS
from ..files.names import plain_name
from ..files.store import TEMPORARY, write_bytes
from ..files.zips import ENCRYPTED, opened
from ..runtime.messages import progress

LARGEST_IMAGE = 128 << 20  # bytes; a picture of 4096x4096 has 48 MiB before compression
LARGEST_RATIO = 20  # of all pictures to the zip; PNG files are compressed, so that the published zips are near 1
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Members = dict[str, tuple[int, int]]  # file name -> size in bytes, CRC-32


@dataclass
class Unpacked:
    """members: every picture of the zip. kept: those whose files here differ and were left alone. skipped: entries that
    are
    no pictures."""

    members: Members
    written: int = 0
    kept: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def unpack(archive: Path, folder: Path, overwrite: bool) -> Unpacked:
    """Write the pictures of a zip into `folder`, each as a whole file or not at all; those that are there stay.

    Folders inside the zip are left out of the names. A file that differs from the zip's is replaced only with
    overwrite.
    Raises RunFailed for a zip that is damaged, and before anything is written for one that is not built as an honest
    one.
    """
    with opened(archive) as file:
        entries, skipped = _entries(file.infolist(), archive.stat().st_size)
        done = Unpacked({name: (entry.file_size, entry.CRC) for name, entry in entries.items()}, skipped=skipped)
        with progress(len(entries), 0, str(folder)) as bar:
            for name, entry in entries.items():
                _write(file, entry, folder / name, overwrite, done)
                bar.update()
    sweep_of(folder, entries)
    return done


def total_size(archive: Path) -> int:
    """Bytes of all pictures of a zip. Raises RunFailed as unpack does."""
    with opened(archive) as file:
        return sum(entry.file_size for entry in _entries(file.infolist(), archive.stat().st_size)[0].values())


def compare(folder: Path, members: Mapping[str, tuple[int, int]]) -> tuple[list[str], list[str]]:
    """(missing, changed): the names whose files are not there, and those whose files have another content."""
    missing, changed = [], []
    with progress(len(members), 0, f"checking {folder}") as bar:
        for name, (size, checksum) in members.items():
            same = _same(folder / name, size, checksum)
            if same is None:
                missing.append(name)
            elif not same:
                changed.append(name)
            bar.update()
    return missing, changed


def sweep_of(folder: Path, names: Collection[str]) -> None:
    """Remove the unfinished files of these names; others in the folder may be another program's, which goes on."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        if leftover.name.removeprefix(TEMPORARY).rpartition("-")[0] in names:
            leftover.unlink(missing_ok=True)


def _write(file: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, overwrite: bool, done: Unpacked) -> None:
    same = _same(target, entry.file_size, entry.CRC)
    if same or (same is False and not overwrite) or target.is_dir():
        done.kept += [] if same else [target.name]
        return
    # zipfile unpacks no further than file_size, which is bounded, and compares the checksum
    write_bytes(target, file.read(entry))
    done.written += 1


def _same(path: Path, size: int, checksum: int) -> bool | None:
    """Whether a file has this size and CRC-32; None where there is none."""
    if not os.path.lexists(path):
        return None
    if not path.is_file() or path.stat().st_size != size:
        return False
    found = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found = zlib.crc32(block, found)
    return found == checksum


def _entries(infos: list[zipfile.ZipInfo], packed: int) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """(pictures by the name of the file that they become, names of what is no picture). Raises ValueError."""
    entries: dict[str, zipfile.ZipInfo] = {}
    skipped: list[str] = []
    stems: dict[str, str] = {}
    for info in infos:
        shown = ascii(info.orig_filename[:80])
        path = _checked(info, shown)
        if info.filename.endswith("/") or _of_the_system(path):  # is_dir() fails at an empty name
            continue
        if path.suffix.lower() not in ENDINGS:
            skipped.append(shown)
            continue
        if not plain_name(path.name):
            raise ValueError(f"it holds {shown}, whose name no file here can have")
        # By stem: the three steps pair pictures so. Without case: many file systems know none.
        stem = path.stem.casefold()
        if stem in stems:
            raise ValueError(f"it holds {stems[stem]} and {shown}, which would become one image")
        stems[stem], entries[path.name] = shown, info
    total = sum(info.file_size for info in entries.values())
    if total > LARGEST_RATIO * packed:
        raise ValueError(f"it would unpack to {total:,} bytes, more than {LARGEST_RATIO} times its own size")
    if not entries:
        raise ValueError("it holds no pictures")
    return entries, skipped


def _checked(info: zipfile.ZipInfo, shown: str) -> PurePosixPath:
    """The entry's path, if it is one that stays in its folder, of a plain file or a folder. Raises ValueError."""
    name = info.orig_filename  # zipfile cuts `filename` at a NUL and turns backslashes on Windows
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or any(character in name for character in "\\\0:"):
        raise ValueError(f"it holds {shown}, which would lead out of its folder")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"it holds {shown}, which is {'a link' if stat.S_ISLNK(kind) else 'no file'}")
    if info.flag_bits & ENCRYPTED:
        raise ValueError(f"it holds {shown}, which is encrypted")
    if info.compress_type not in READABLE:
        raise ValueError(f"it holds {shown}, packed by method {info.compress_type}, which is not read here")
    if info.file_size > LARGEST_IMAGE:
        raise ValueError(f"it holds {shown} of {info.file_size:,} bytes, at most {LARGEST_IMAGE:,} are expected")
    return path


def _of_the_system(path: PurePosixPath) -> bool:
    """What macOS and Windows put into zips unasked."""
    return path.name.startswith(".") or "__MACOSX" in path.parts or path.name in ("Thumbs.db", "desktop.ini")
