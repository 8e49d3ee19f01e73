"""Names that become files and folders: none may lead out of the folder it is for; and stems, by which images pair."""

from __future__ import annotations

import fnmatch
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath

from ..errors import BadInput
from .store import TEMPORARY

OUTPUTS = ("curves", "report")  # folders in a results folder that hold figures and pages: no targets
SEED_MARK = "@seed="  # stands before the seed in the names of results that one run made with several
LONGEST = 200  # bytes; file systems take 255, and an unfinished file's name is longer than the finished one's

# What is cut off a name to get its stem: endings of pictures, and of the streams that tables of rates name. Another
# ending is a part of the name: scene.v2 is not scene
ENDINGS = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .bmp .dib .tif .tiff .gif .avif .avifs .heic .heif .hif .mpo .ppm .pgm .pbm"
    " .pnm .pfm .jp2 .j2k .j2c .jpc .jpf .jpx .jxl .tga .qoi .ico .icns .dds .pcx .sgi .rgb .exr .hdr .psd .svg .eps"
    " .cmc .bin .bit .bits .vvc .266 .h266 .hevc .265 .h265 .avc .264 .h264 .av1 .obu .ivf".split()
)
# Embedding, override and isolation of writing direction, zero-width space and byte order mark: they only disguise
DISGUISES = frozenset("\u200b\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
UNSAFE = {"Cc": "a control character", "Cs": "bytes that are not UTF-8", "Zl": "a line end", "Zp": "a line end"}


def stem(name: str) -> str:
    """What an image is called wherever it lies: its name without a picture's ending, in Unicode's form NFC.

    Pictures, captions and rows of tables pair by it. name: a file name, not a path. scene.v2.png -> scene.v2.
    """
    before, dot, ending = name.rpartition(".")
    return unicodedata.normalize("NFC", before if before and f"{dot}{ending.lower()}" in ENDINGS else name)


def name_problem(name: str) -> str:
    """Why a name is not a bare file name that is safe on every system, as a phrase; "" where it is one.

    Spaces of all kinds and joiners (as in emoji) may be inside; white space at an end may not, as tables drop it.
    """
    kinds = {unicodedata.category(character) for character in name}
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        return "it is a path" if len(name) > 2 else "it names no file"
    if name.startswith(TEMPORARY):
        return f"{TEMPORARY} begins the names of unfinished files"
    if forbidden := [character for character in ':\0<>"|?*' if character in name]:
        return f"it holds {ascii(forbidden[0])}, which some file systems do not take"
    if unsafe := kinds & UNSAFE.keys():
        return f"it holds {UNSAFE[min(unsafe)]}"
    if kinds & {"Co", "Cn"} or not DISGUISES.isdisjoint(name):
        return "it holds an invisible or unassigned character"
    if name != name.strip():
        return "it begins or ends with white space"
    if len(name.encode("utf-8", "replace")) > LONGEST:
        return f"it has more than {LONGEST} bytes"
    return "Windows reserves it" if PureWindowsPath(name).is_reserved() else ""


def plain_name(name: str) -> bool:
    """Whether a name from a file is a bare file name, on every system: it cannot lead out of its folder."""
    return not name_problem(name)


def short_name(model_name: str) -> str:
    """What a model is called in file names: the name itself, of a user's own adapter the file's without its ending."""
    return Path(model_name).stem if model_name.endswith(".py") else model_name


def folder_name(text: str, flag: str) -> str:
    """A name that becomes a folder or a file: it may not lead anywhere else. Raises BadInput."""
    if problem := name_problem(text) or ("it begins with a dot" if text.startswith(".") else ""):
        raise BadInput(
            f"{flag} {ascii(text)}: is not a plain name ({problem}); it may hold no '/', '\\', ':' and not begin with"
            " '.'."
        )
    return text


def target_name(text: str, flag: str) -> str:
    """A name that becomes a target's folder: besides, no figures or pages lie there. Raises BadInput."""
    if text in OUTPUTS:
        raise BadInput(
            f"{flag} {text}: is the folder of figures and pages beside the targets, which would leave it out."
        )
    return folder_name(text, flag)


def as_typed(text: str, parent: Path) -> str:
    """The name that a path such as Result/real, or real/, means among the folders in `parent`; others as they are."""
    path = Path(text)
    if path.name in ("", "..") or path.name == text:
        return text
    return path.name if path.parent == Path() or path.parent.resolve() == parent.resolve() else text


def matching(asked: str, there: Iterable[str]) -> list[str]:
    """The names that a name or a pattern such as 'real*' means: that very name where it is there, whatever characters
    it holds, else all that fit the pattern. Composed and decomposed letters (Unicode's NFC and NFD) are the same.
    """
    there = list(there)
    if asked in there:
        return [asked]
    plain = unicodedata.normalize("NFC", asked)
    forms = {name: unicodedata.normalize("NFC", name) for name in there}
    same = [name for name, form in forms.items() if form == plain]
    return same or [name for name, form in forms.items() if fnmatch.fnmatchcase(form, plain)]
