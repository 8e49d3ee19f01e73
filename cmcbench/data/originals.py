"""The pictures of a test set as the user downloaded them: found, counted and compared with what the set has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BadInput, ImageProblem
from ..files.images import image_size, list_images
from ..published.test_sets import KnownSet
from ..runtime.messages import say
from .preparation import Preparation

WHAT = "originals"
LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp")  # the sets are distributed as PNG; these are somebody's copies


def find(folders: Sequence[Path], known: KnownSet | None, problems: list[str]) -> dict[str, Path]:
    """stem -> file of the pictures in these folders, or in the folders of the set's archives within them, by name.

    Files that seem to be pictures and cannot be used, and two of one name, go to `problems`. Raises BadInput for a
    folder without pictures.
    """
    found: dict[str, Path] = {}
    for folder in (part for each in folders for part in _parts(each, known)):
        listing = list_images(folder, WHAT)
        if not listing and not listing.problems:
            there = "holds no pictures" if folder.is_dir() else "does not exist"
            raise BadInput(f"{folder} {there}.{listing.hint}")
        problems += [reason.removeprefix(f"{WHAT}: ") for reason in listing.problems.values()]
        for image, path in listing.items():
            if found.setdefault(image, path) != path:
                problems.append(f"{path} and {found[image]} have one name")
        if listing.note:
            say(listing.note)
    return dict(sorted(found.items()))


def _parts(folder: Path, known: KnownSet | None) -> list[Path]:
    """The folder, or those of the set's parts within it: the archives hold a folder each."""
    inner = [folder / name for name in known.parts if (folder / name).is_dir()] if known else []
    return inner if inner and not list_images(folder, WHAT) else [folder]


def compare(name: str, known: KnownSet, images: Mapping[str, Path]) -> list[str]:
    """In what the pictures are not those of the set, a sentence each: number, names, sizes, and lossy copies."""
    problems = []
    if known.stems:
        called = f"{name} has {known.images} pictures, {known.spelled}"
        problems += [
            f"{path.name}: is not of the set; {called}" for each, path in images.items() if each not in known.stems
        ]
        problems += [f"{each}: is missing; {called}" for each in known.stems if each not in images]
    elif len(images) != known.images:
        parts = ", ".join(f"{part} {count}" for part, count in known.parts.items())
        problems.append(f"there are {len(images)} pictures, and {name} has {known.images} ({parts})")
    lossy = [path.name for path in images.values() if path.suffix.lower() in LOSSY]
    return problems + [f"{name}: is a lossy copy; the set consists of PNG files" for name in lossy]


def check_sizes(images: Mapping[str, Path], known: KnownSet | None, preparation: Preparation) -> list[str]:
    """What stands against preparing the pictures, by the sizes in their headers, a sentence each."""
    problems = []
    for path in images.values():
        try:
            size = image_size(path)
        except ImageProblem as error:
            problems.append(str(error))
            continue
        if sides := _other_sides(known, size):
            problems.append(f"{path.name}: is {size[0]}x{size[1]}; the set's pictures have {sides}")
        elif problem := preparation.problem(size):
            problems.append(f"{path.name}: {problem}")
    return problems


def _other_sides(known: KnownSet | None, size: tuple[int, int]) -> str:
    """The sides that every picture of the set has, as a phrase, where this one has others; "" where it has them."""
    sides = [("short", known.short, min(size)), ("long", known.long, max(size))] if known else []
    if all(limit in (None, side) for _, limit, side in sides):
        return ""
    return " and ".join(f"the {what} side of {limit}" for what, limit, _ in sides if limit)


def check_target(folder: Path, images: Mapping[str, Path], ours: bool) -> None:
    """Refuse an output folder that holds other pictures: they would pass for a part of the ground truth.

    ours: whether prepare wrote the pictures of these names, or may replace them. Raises BadInput.
    """
    there = list_images(folder, "--to")
    foreign = sorted(path.name for image, path in there.items() if image not in images or path.suffix != ".png")
    if foreign:
        raise BadInput(
            f"--to {folder} holds {len(foreign)} picture(s) that are not of the set (first: {ascii(foreign[0])[1:-1]})."
            " Choose an empty folder, or move them away."
        )
    if there and not ours:
        raise BadInput(
            f"--to {folder} holds {len(there)} picture(s) that prepare did not write (first:"
            f" {next(iter(there.values())).name}). Choose an empty folder, or replace them with --overwrite."
        )
