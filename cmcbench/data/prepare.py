"""python -m cmcbench prepare: a test set that the user has downloaded becomes a ground truth of a stated size."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BadInput, ImageProblem
from ..files.images import picture_bytes, read_rgb
from ..files.manifest import PREPARED, differences, environment
from ..files.names import folder_name
from ..files.store import digest, only_writer, png_bytes, read_bytes, read_json, sweep, write_bytes, write_json
from ..published.test_sets import BENCHMARK, TEST_SETS, KnownSet
from ..runtime.cli import parser, positive
from ..runtime.messages import SHOWN, RunLog, progress, say
from ..runtime.pace import Pace
from . import originals
from .preparation import FILTERS, Preparation, pixel_digest, seal

DEFAULT_TO = "./GT/"
LONGEST = 100  # characters of a set's name, which stands in tables and figures
RESERVED = (*TEST_SETS, BENCHMARK)
LARGEST_PNG = 1 << 30  # bytes
AGAIN = "make them anew with --overwrite, or choose another folder with --to"


def main(argv: list[str]) -> int:
    """Prepare a test set. Returns 0, or 1 where a picture could not be prepared."""
    options = _parser().parse_args(argv)
    name, known, folders = _asked(options)
    preparation = Preparation(options.short, options.crop, options.resample, options.enlarge)
    problems: list[str] = []
    images = originals.find(folders, known, problems)
    if known:
        problems += originals.compare(name, known, images)
    problems += originals.check_sizes(images, known, preparation)
    if problems:
        _refuse(name, problems, known)
    if any(Path(options.to).resolve() == path.parent.resolve() for path in images.values()):
        raise BadInput(f"--to {options.to} is the folder that is read. Name another one.")
    with only_writer(Path(options.to) / ".prepare.lock", str(options.to)):
        return _Preparing(name, known, preparation, images, Path(options.to), options.overwrite).run()


def _asked(options: argparse.Namespace) -> tuple[str, KnownSet | None, list[Path]]:
    """(the set's name, what is known of it, the folders of its pictures). Raises BadInput."""
    known = TEST_SETS.get(options.set)
    if known and not options.source:
        raise BadInput(
            f"{options.set} is not fetched by this program: download it from {known.source}, and name its folder with"
            " --from."
        )
    if known:
        return options.set, known, [Path(folder) for folder in options.source]
    if options.source:
        raise BadInput(
            f"--from goes with one of the sets {', '.join(TEST_SETS)}, and {ascii(options.set)} is none. A folder of"
            " your own is named without it: python -m cmcbench prepare FOLDER"
        )
    folder = Path(options.set)
    if not folder.is_dir():
        raise BadInput(f"{ascii(options.set)[1:-1]} is neither a folder nor one of the sets {', '.join(TEST_SETS)}.")
    name = folder_name(folder.resolve().name, "the folder's name")
    if len(name) > LONGEST:
        raise BadInput(f"{folder}: its name, which becomes the set's, has more than {LONGEST} characters. Rename it.")
    if name in RESERVED:
        raise BadInput(
            f"{folder}: its pictures would go by the name {name} without being compared with that set. Name the set"
            f" with --from {folder}, or rename the folder."
        )
    return name, None, [folder]


def _refuse(name: str, problems: list[str], known: KnownSet | None) -> None:
    for problem in problems[:SHOWN]:
        say(f"  {problem.rstrip('.')}")
    if len(problems) > SHOWN:
        say(f"  ... and {len(problems) - SHOWN} more")
    source = f" {name} is had from {known.source}." if known else ""
    raise BadInput(
        f"these pictures cannot be prepared as {name}: {len(problems)} problem(s). Nothing was written.{source}"
    )


class _Preparing:
    """One run into one folder. Its manifest grows with the pictures, and is whole when all of them are there."""

    def __init__(
        self,
        name: str,
        known: KnownSet | None,
        preparation: Preparation,
        images: Mapping[str, Path],
        folder: Path,
        overwrite: bool,
    ) -> None:
        self.name, self.known, self.preparation = name, known, preparation
        self.images, self.folder, self.overwrite = images, folder, overwrite
        self.file = folder / PREPARED
        self.made: dict[str, dict[str, Any]] = {}  # file name -> what the manifest says of the picture
        self.found: dict[str, Any] = {}  # the manifest that is there
        self.written = False  # whether this run has made a picture
        self.report = RunLog()
        self.pace = Pace()

    @property
    def label(self) -> str:
        return f"{self.name} {self.preparation.name}"

    def run(self) -> int:
        before = self._before()
        originals.check_target(self.folder, self.images, ours=before is not None or self.overwrite)
        recorded = {} if self.overwrite else before or {}
        self._check_unchanged(recorded)
        sweep(self.folder)
        with progress(len(self.images), 0, "pictures") as bar:
            for image, path in self.images.items():
                try:
                    self._one(f"{image}.png", path, recorded.get(f"{image}.png"))
                except ImageProblem as error:
                    self.report.fail(path.name, str(error))
                bar.update()
        return self._end()

    def _before(self) -> dict[str, dict[str, Any]] | None:
        """What an earlier run recorded of its pictures, None where none prepared this folder as it is asked for now.

        Raises BadInput for another preparation, but to overwrite.
        """
        try:
            found = read_json(self.file)
        except BadInput:
            if self.overwrite:
                return None
            raise
        if found is None:
            return None
        other = differences(found, {"set": self.name, **self.preparation.settings})
        if other and not self.overwrite:
            raise BadInput(f"{self.folder} holds pictures that were prepared otherwise: {other}; {AGAIN}.")
        pictures = found.get("pictures")
        if other or not isinstance(pictures, dict):
            return None
        self.found = found
        whole = (name for name, each in pictures.items() if isinstance(each, dict) and _recorded(each))
        return {name: pictures[name] for name in whole}

    def _check_unchanged(self, recorded: dict[str, dict[str, Any]]) -> None:
        """Raise BadInput where a picture is no longer what an earlier run wrote."""
        for name in (f"{image}.png" for image in self.images):
            there = _digest_of(self.folder / name) if name in recorded else ""
            if there and there != recorded[name]["file"]:
                raise BadInput(f"{self.folder / name} has changed since it was prepared; {AGAIN}.")

    def _one(self, name: str, path: Path, recorded: dict[str, Any] | None) -> None:
        """Prepare a picture, or keep it where it is there as recorded. Raises ImageProblem."""
        data = picture_bytes(path)
        target = self.folder / name
        if recorded is not None and target.exists():
            if recorded["source_sha256"] != digest(data):
                raise ImageProblem(f"{path}: is not what {target} was made of; {AGAIN}")
            self.made[name] = recorded
            return
        picture, note = read_rgb(data, path.name)
        self.report.converted(path.name, note)
        size = picture.size
        picture = self.preparation.apply(picture)
        png = png_bytes(picture)
        if not self.written:
            self._write()  # before the first picture: what is there is of this preparation from now on
        self.written = True
        write_bytes(target, png)
        self.made[name] = {
            "source": path.name,
            "source_sha256": digest(data),
            "source_size": list(size),
            "size": list(picture.size),
            "file": digest(png),
            "pixels": pixel_digest(picture),
            **({"converted": note} if note else {}),
        }
        if self.pace.due:
            with self.pace.saving():
                self._write()

    def _write(self, sealed: str = "") -> None:
        state = {"digest": sealed} if sealed else {"unfinished": True}
        about = {"split": self.known.split, "source": self.known.source} if self.known else {}
        told = {
            "name": self.label,
            **state,
            "set": self.name,
            **about,
            "short": self.preparation.short,
            "crop": self.preparation.crop,
            **self.preparation.settings,
            "images": len(self.images),
            "environment": environment(),
            "pictures": dict(sorted(self.made.items())),
        }
        # What made the pictures stays told, where this run has made none
        if self.written or {**told, "environment": 0} != {**self.found, "environment": 0}:
            write_json(self.file, told)

    def _end(self) -> int:
        if len(self.made) < len(self.images):
            self._write()
            return self.report.close(
                f"{self.folder} is not whole: {len(self.made)} of {len(self.images)} pictures of {self.label}. Mend the"
                " others and run the same command again."
            )
        sealed = seal({name.removesuffix(".png"): each["pixels"] for name, each in self.made.items()})
        self._write(sealed)
        return self.report.close(f"{self.folder} is {self.label}: {len(self.made)} pictures, digest {sealed}.")


def _recorded(each: dict[str, Any]) -> bool:
    return all(isinstance(each.get(key), str) for key in ("source_sha256", "file", "pixels"))


def _digest_of(file: Path) -> str:
    """The digest of a prepared picture, "" where there is none that can be read."""
    try:
        return digest(read_bytes(file, LARGEST_PNG))
    except OSError:
        return ""


def _parser() -> argparse.ArgumentParser:
    options = parser("Make a ground truth of a test set that you have downloaded, at a stated size.", "prepare")
    options.add_argument("set", metavar="SET", help=f"{', '.join(TEST_SETS)}, or a folder of your own pictures")
    options.add_argument(
        "--from",
        dest="source",
        metavar="FOLDER",
        nargs="+",
        default=[],
        help="where the set's pictures are; of an archive of several parts also the folder that holds the parts",
    )
    options.add_argument("--to", metavar="FOLDER", default=DEFAULT_TO, help="folder of the ground truth that is made")
    options.add_argument(
        "--short", metavar="N", type=positive, default=None, help="resize the short side to N pixels (None: not)"
    )
    options.add_argument(
        "--crop", metavar="N", type=positive, default=None, help="then cut N x N pixels out of the middle (None: not)"
    )
    options.add_argument("--resample", choices=FILTERS, default=FILTERS[0], help="Pillow's filter of the resizing")
    options.add_argument(
        "--enlarge", action="store_true", help="also resize pictures whose short side is below N; they are refused else"
    )
    options.add_argument("--overwrite", action="store_true", help="prepare anew what is there")
    return options
