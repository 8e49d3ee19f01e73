"""Folders of images: which files are pictures, what is passed over and why; and, handed on, reading one picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ..errors import BadInput, ImageProblem
from ..runtime.beside import threads
from .names import name_problem, stem
from .pictures import ENDINGS, bare_copy, form_of, image_size, picture_bytes, read_rgb
from .pictures.formats import NEEDED, UNREAD
from .store import digest
from .subset import choose

__all__ = [
    "ENDINGS",
    "Listing",
    "bare_copy",
    "digests",
    "image_size",
    "is_whole_png",
    "list_images",
    "picture_bytes",
    "read_rgb",
]

SHOWN = 3  # names in a note
LOOKED_AT = 200  # entries of a sub-folder, and sub-folders, in the search for pictures
NO_ENDING = re.compile(r"(\.[^.]*[^A-Za-z.][^.]*)?")  # none, or one that is part of the name: scene.v2, frame.0001


class Listing(dict[str, Path]):
    """stem -> path of a folder's pictures, sorted by name.

    problems: file name -> why a file that seems to be a picture cannot be used. others: the names of files that are
    no pictures. folders: the names of its sub-folders, which are not read.
    """

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__()
        self.folder, self.what = folder, what
        self.problems: dict[str, str] = {}
        self.others: list[str] = []
        self.folders: list[str] = []

    @property
    def note(self) -> str | None:
        """What was passed over besides the problems, as a sentence; None where nothing was."""
        parts = []
        if self.others:
            parts.append(f"{len(self.others)} file(s) that are no pictures ({_some(self.others)})")
        if nested := self.nested():
            parts.append(f"sub-folder(s) that hold pictures ({_some(nested)})")
        return f"note: {self.what}: {self.folder}: passed over {' and '.join(parts)}." if parts else None

    @property
    def hint(self) -> str:
        """Why a folder without pictures has none, as a sentence after a space; "" where it is empty or missing."""
        if nested := self.nested():
            return f" Its sub-folder(s) do: {_some(nested)}. Name one of them, e.g. {self.folder / nested[0]}."
        if self.problems:
            return f" {next(iter(self.problems.values()))}."
        return f" It holds {len(self.others)} other file(s), first: {_some(self.others[:1])}." if self.others else ""

    def nested(self) -> list[str]:
        """The sub-folders that hold pictures themselves."""
        return [name for name in self.folders[:LOOKED_AT] if _holds_pictures(self.folder / name)]

    def tell(self, report: _Report, pattern: str | None = None, where: str = "") -> None:
        """Report what is not among the pictures: the problems, of names that match `pattern`, and the note.

        where: tells problems of one name in several folders apart.
        """
        report.fail_all((where + name, self.problems[name]) for name in choose(self.problems, pattern))
        if note := self.note:
            report.once(note, note)


class _Report(Protocol):
    def fail_all(self, problems: Iterable[tuple[str, str]]) -> None: ...

    def once(self, kind: str, message: str) -> None: ...


def list_images(folder: Path, what: str) -> Listing:
    """The pictures of a folder; none for a folder that does not exist.

    Pictures are paired by stem, so that x.jpg in one folder meets x.png in another. Taken are regular files with an
    ending of a picture that Pillow reads, and files without an ending that begin as such a picture; not what begins
    with a dot. what: the folder's role, for messages. Raises BadInput when two files share a stem.
    """
    images = Listing(folder, what)
    if not folder.is_dir():
        if folder.exists():
            raise BadInput(f"{what}: {folder} is a file, not a folder of images.")
        return images
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            _enter(images, entry)
    return images


def _enter(images: Listing, entry: os.DirEntry[str]) -> None:
    """Put one entry of the folder where it belongs."""
    name = entry.name
    if name.startswith("."):
        return
    path = images.folder / name
    try:
        is_folder, is_file = entry.is_dir(), entry.is_file()
        dangling = entry.is_symlink() and not is_file and not path.exists()
    except OSError:  # a link to itself
        is_folder, is_file, dangling = False, False, True
    if is_folder:
        images.folders.append(name)
        return
    is_picture = path.suffix.lower() in ENDINGS or (NO_ENDING.fullmatch(path.suffix) and _begins_as_picture(entry))
    unread = next((kind for kind, endings in UNREAD.items() if path.suffix.lower() in endings), None)
    if not is_picture and unread is None:
        images.others.append(name)
    elif problem := name_problem(name):
        images.problems[name] = f"{images.what}: {ascii(name)}: its name cannot be used: {problem}. Rename it"
    elif unread:
        images.problems[name] = f"{images.what}: {name}: is {unread}, which Pillow cannot read. Convert it, e.g. to PNG"
    elif not is_file and not dangling:
        images.problems[name] = f"{images.what}: {name}: is a pipe, socket or device, no regular file"
    elif (key := stem(name)) in images:
        raise BadInput(
            f"{images.what}: {images[key]} and {name} differ only in their ending; images are paired by name. "
            "Remove one of them."
        )
    else:
        images[key] = path  # a dangling link as well, which fails by name when it is read


def _begins_as_picture(entry: os.DirEntry[str]) -> bool:
    try:
        if not entry.is_file():
            return False
        with open(entry.path, "rb") as file:
            return form_of(file.read(NEEDED)) is not None
    except OSError:
        return False


def _holds_pictures(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(
                os.path.splitext(entry.name)[1].lower() in ENDINGS and not entry.name.startswith(".")
                for entry, _ in zip(entries, range(LOOKED_AT))
            )
    except OSError:
        return False


def _some(names: list[str]) -> str:
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in names[:SHOWN])
    return shown + (", ..." if len(names) > SHOWN else "")


def digests(images: Mapping[str, Path]) -> dict[str, str | ImageProblem]:
    """stem -> digest of each picture's file, or why it cannot be read; several at once, since hashing waits for the
    disk.
    """

    def one(path: Path) -> str | ImageProblem:
        try:
            return digest(picture_bytes(path))
        except ImageProblem as error:
            return error

    with ThreadPoolExecutor(threads()) as pool:
        return dict(zip(images, pool.map(one, images.values())))


def is_whole_png(path: Path) -> bool:
    """Whether a PNG of ours is there and complete, by its header and its last chunk; quick enough to ask of
    thousands.
    """
    try:
        if not path.is_file():  # opening a pipe would wait
            return False
        with open(path, "rb") as file:
            head = file.read(8)
            file.seek(-12, 2)
            return head == b"\x89PNG\r\n\x1a\n" and file.read() == b"\0\0\0\0IEND\xaeB`\x82"
    except OSError:
        return False
