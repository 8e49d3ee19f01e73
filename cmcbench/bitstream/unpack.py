"""python -m cmcbench unpack: from packed files what their decoder needs, and nothing that they do not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from .. import codecs
from ..errors import BadInput, ImageProblem, RunFailed, first_line
from ..files import captions
from ..files.images import is_whole_png, read_rgb
from ..files.names import folder_name, name_problem
from ..files.names import stem as stem_of
from ..files.references import (
    RATES,
    SIZES,
    STREAMS,
    ReferenceRate,
    read_rates,
    read_sizes,
    stream_file,
    write_rates,
    write_sizes,
)
from ..files.store import digest, only_writer, png_bytes, put_new, read_bytes, refuse_links, sweep
from ..protocol import MODES, REFERENCES
from ..runtime.cli import parser
from ..runtime.messages import RunLog, progress
from . import container
from .bits import BLOCK, bpp
from .container import LARGEST_FILE, Sent
from .grid import enlarged

Rates = dict[tuple[str, str], ReferenceRate]


class Contents:
    """What packed files say together: captions, sizes, and rates."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        self.rates: Rates = {}
        self._references: dict[tuple[str, str], str] = {}  # (kind, stem) -> digest of its grid or stream

    def check(self, stem: str, sent: Sent) -> None:
        """Refuse a file that says other things of an image than another file does. Raises ImageProblem."""
        if self.sizes.get(stem, sent.size) != sent.size:
            raise ImageProblem("has another size than the same picture in another mode")
        if sent.caption is not None and self.texts.get(f"{stem}.png", sent.caption) != sent.caption:
            raise ImageProblem("has another caption than the same picture in another mode")
        kind, data, rate = _reference(stem, sent)
        if rate and self._references.get((kind, stem)) not in (None, digest(data)):
            raise ImageProblem("has another reference than the same picture in another mode")
        if rate and self.rates.get(rate.key, rate).settings != rate.settings:
            raise ImageProblem("has another reference than the same picture in another mode")

    def enter(self, stem: str, sent: Sent, seen: str = "") -> None:
        """Take what a file says. seen: the digest of its reference's picture."""
        self.sizes[stem] = sent.size
        if sent.caption is not None:
            self.texts[f"{stem}.png"] = sent.caption
        kind, data, rate = _reference(stem, sent)
        if rate:
            self.rates[kind, stem] = ReferenceRate(**{**rate.__dict__, "sha256": seen})
            self._references[kind, stem] = digest(data)


def _reference(stem: str, sent: Sent) -> tuple[str, bytes, ReferenceRate | None]:
    """Kind, data (grid or stream) and row of what a file says of a reference; a None row where it holds none."""
    if sent.grid is None and not sent.codec:
        return "", b"", None
    kind, data, codec, scale = (
        ("pixel", sent.grid, "rgb332", BLOCK)
        if sent.grid is not None
        else ("image", sent.stream, sent.codec, sent.scale)
    )
    bits = 8 * len(data)  # as codecs count them
    shape = (bits, f"{bpp(bits, *sent.size):.6f}", *sent.size, codec, "", "", scale, "")
    return kind, data, ReferenceRate(f"{stem}.png", kind, *shape, "")


class Unpacker:
    """Writes Text/NAME.csv, Ref/pixel, Ref/image, Ref/stream, Ref/rate.csv and Ref/sizes.csv below `folder`.

    Without `overwrite` nothing that is there gets other content.
    """

    def __init__(self, folder: Path, name: str, overwrite: bool) -> None:
        self.references, self.captions_file = folder / "Ref", folder / "Text" / f"{name}.csv"
        self.overwrite, self.found = overwrite, Contents()
        self.folders = [self.references / kind for kind in (*REFERENCES, STREAMS)]
        refuse_links(folder, *self.folders, self.captions_file.parent)
        try:
            self._before = read_rates(self.references / RATES)
        except BadInput:
            if not overwrite:
                raise
            self._before = {}  # it is written again

    def check_tables(self, files: list[tuple[str, Path]]) -> None:
        """Refuse tables that are there and say other things than these files. Raises BadInput."""
        there = [self.captions_file, self.references / RATES, self.references / SIZES]
        if self.overwrite or not any(file.exists() for file in there):
            return
        now = Contents()
        for mode, path in files:
            try:
                stem, sent = _opened(mode, path)
                now.check(stem, sent)
                now.enter(stem, sent)
            except ImageProblem:
                continue  # taking it will say why
        rates = {key: ReferenceRate(**{**rate.__dict__, "sha256": ""}) for key, rate in self._before.items()}
        texts = captions.read(self.captions_file).texts if self.captions_file.exists() else {}
        tables: tuple[tuple[dict[Any, Any], dict[Any, Any]], ...] = (
            (texts, now.texts),
            (rates, now.rates),
            (read_sizes(self.references), now.sizes),
        )
        for file, (old, new) in zip(there, tables):
            if other := [key for key in old if new.get(key) != old[key]]:
                raise BadInput(
                    f"{file} is there and says something else of {len(other)} image(s) (first: {other[0]}). Choose"
                    " another --output_path, or replace what is there with --overwrite."
                )

    def take(self, mode: str, path: Path) -> None:
        """Unpack one file of a mode. Raises ImageProblem, RunFailed and BadInput; what it holds is then left out as a
        whole.
        """
        stem, sent = _opened(mode, path)
        self.found.check(stem, sent)
        kind, data, rate = _reference(stem, sent)
        seen = ""
        if rate:
            known = self.found.rates.get(rate.key)
            seen = known.sha256 if known else self._seen_before(rate, data) or self._write(kind, stem, sent, data)
        self.found.enter(stem, sent, seen)

    def _picture(self, kind: str, stem: str) -> Path:
        return self.references / kind / f"{stem}.png"

    def _seen_before(self, rate: ReferenceRate, data: bytes) -> str | None:
        """The digest of an image reference that an earlier run decoded from the same stream; decoding is what takes
        time.
        """
        kind, stem = rate.key
        before, place = self._before.get(rate.key), self._picture(kind, stem)
        if before is None or kind != "image" or before != ReferenceRate(**{**rate.__dict__, "sha256": before.sha256}):
            return None
        stream = stream_file(self.references, stem, codecs.extension(before.codec))
        whole = _holds(stream, data) and is_whole_png(place)
        return before.sha256 if whole and digest(place.read_bytes()) == before.sha256 else None

    def _write(self, kind: str, stem: str, sent: Sent, data: bytes) -> str:
        """Decode a reference and write it. Returns its file's digest."""
        if kind == "pixel":
            picture = enlarged(data, sent.size)
        else:
            picture = codecs.decode_stream(sent.codec, data, sent.size, sent.scale)
            put_new(stream_file(self.references, stem, codecs.extension(sent.codec)), data, self.overwrite)
        path = self._picture(kind, stem)
        if _shows(path, picture):
            return digest(path.read_bytes())  # another version of Pillow may have compressed it otherwise
        png = png_bytes(picture)
        put_new(path, png, self.overwrite)
        return digest(png)

    def finish(self) -> None:
        """Write the tables, once all files are taken."""
        if self.found.texts:
            captions.write(self.captions_file, dict(sorted(self.found.texts.items())))
        write_sizes(self.references, self.found.sizes)
        write_rates(self.references / RATES, self.found.rates)

    def aliens(self, stems: set[str]) -> list[Path]:
        """Pictures in the folders of references that are of none of these images: they would pass for unpacked ones."""
        found = (path for kind in REFERENCES for path in sorted((self.references / kind).glob("*.*")))
        return [path for path in found if stem_of(path.name) not in stems and not path.name.startswith(".")]


def _opened(mode: str, path: Path) -> tuple[str, Sent]:
    """The stem of a packed file of a mode, and what it holds. Raises ImageProblem."""
    stem = _stem(path)
    if problem := name_problem(f"{stem}.png"):
        raise ImageProblem(f"its name is not one that a picture may have: {problem}")
    try:
        sent = container.decode(read_bytes(path, LARGEST_FILE))
    except OSError as error:
        raise ImageProblem(f"cannot be read: {error.strerror}") from None
    if sent.mode != mode:
        raise ImageProblem(f"is of mode {sent.mode}, and lies in the folder of mode {mode}")
    return stem, sent


def _stem(path: Path) -> str:
    return stem_of(f"{path.name.removesuffix(container.ENDING)}.png")


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _shows(path: Path, picture: Image.Image) -> bool:
    """Whether a PNG file is there, whole, not a link, and of exactly this picture."""
    if path.is_symlink() or not is_whole_png(path):
        return False
    try:
        there, _ = read_rgb(path)
    except ImageProblem:
        return False
    return there.size == picture.size and there.tobytes() == picture.tobytes()


def main(argv: list[str]) -> int:
    """Unpack. Returns the exit code."""
    options = _parser().parse_args(argv)
    report, source = RunLog(), Path(options.packed)
    name = folder_name(source.resolve().name, "the folder")
    files = [
        (mode, path)
        for mode in MODES
        for path in sorted((source / mode).glob(f"*{container.ENDING}"))
        if not path.is_dir()
    ]
    if not files:
        expected = ", ".join(f"{mode}/*{container.ENDING}" for mode in MODES)
        raise BadInput(f"{source} holds no files {expected}. Expected a folder that pack wrote.")
    folder = Path(options.output_path or Path("Unpacked") / name)
    unpacker = Unpacker(folder, name, options.overwrite)
    if aliens := unpacker.aliens({_stem(path) for _, path in files}):
        raise BadInput(
            f"{folder} holds {len(aliens)} picture(s) that are not of {source} (first: {aliens[0]}). Choose another"
            " --output_path."
        )
    with only_writer(folder / ".lock", str(folder)), progress(len(files), 0, "unpacking") as bar:
        unpacker.check_tables(files)
        for place in (unpacker.references, *unpacker.folders):
            sweep(place)
        sweep(unpacker.captions_file.parent, unpacker.captions_file.name)
        for mode, path in files:
            if problem := _taken(unpacker, mode, path):
                report.fail(f"{mode}/{path.name}", f"{mode}/{path.name}: {problem}")
            bar.update()
        unpacker.finish()
    done = f"{len(files) - len(report.failures)} of {len(files)} files unpacked to {folder}."
    if unpacker.found.sizes:
        done += (
            f" Decode them with: python script-t2i.py --input_path {unpacker.captions_file} --ref_dir"
            f" {unpacker.references} --ground_truth none"
        )
    return report.close(done)


def _taken(unpacker: Unpacker, mode: str, path: Path) -> str | None:
    """Why a file was not taken, None where it was. One file never costs the others their tables."""
    try:
        unpacker.take(mode, path)
    except (ImageProblem, RunFailed, BadInput) as error:
        return str(error)
    except (ValueError, ArithmeticError, LookupError, MemoryError) as error:  # of a decoder, for damaged data
        return f"cannot be decoded ({first_line(error)})"
    return None


def _parser():
    options = parser("Unpack what pack wrote: captions, references with their streams, and sizes.", "unpack")
    options.add_argument("packed", help="the folder with full/, image/, pixel/ or text/, e.g. Packed/NAME")
    options.add_argument("--output_path", default=None, help="folder that Text/ and Ref/ go to (None: Unpacked/NAME)")
    options.add_argument("--overwrite", action="store_true", help="replace files that are there with other content")
    return options
