"""python -m cmcbench unpack: from packed files what their decoder needs, and nothing that they do not hold."""

from __future__ import annotations

from pathlib import Path

from .. import codecs
from ..errors import BadInput, ImageProblem, RunFailed
from ..files import captions
from ..files.images import is_whole_png
from ..files.names import folder_name, plain_name
from ..files.references import ReferenceRate, read_rates, write_rates, write_sizes
from ..files.store import digest, only_writer, png_bytes, sweep, write_bytes
from ..protocol import MODES
from ..runtime.cli import parser
from ..runtime.messages import RunLog, progress
from . import container
from .bits import BLOCK, bpp
from .container import Sent
from .grid import enlarged

LARGEST_FILE = 1 << 26  # bytes; a picture of Pillow's size limit at 6 bits per pixel


class Unpacker:
    """Writes Text/NAME.csv, Ref/pixel, Ref/image, Ref/stream, Ref/rate.csv and Ref/sizes.csv below `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.references, self.captions_file = folder / "Ref", folder / "Text" / f"{name}.csv"
        self.texts: dict[str, str] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        self.rates: dict[tuple[str, str], ReferenceRate] = {}
        try:
            self._before = read_rates(self.references / "rate.csv")
        except BadInput:
            self._before = {}  # it is written anew

    def take(self, mode: str, path: Path) -> None:
        """Unpack one file of a mode. Raises ImageProblem and RunFailed; what it holds is then left out as a whole."""
        stem = path.stem
        if not plain_name(f"{stem}.png"):
            raise ImageProblem("its name is none that a picture may have")
        if path.stat().st_size > LARGEST_FILE:
            raise ImageProblem(f"has more than {LARGEST_FILE} bytes")
        sent = container.decode(path.read_bytes())
        if sent.mode != mode:
            raise ImageProblem(f"is of mode {sent.mode}, and lies in the folder of mode {mode}")
        if self.sizes.get(stem, sent.size) != sent.size:
            raise ImageProblem("has another size than the same picture in another mode")
        if sent.caption is not None and self.texts.get(f"{stem}.png", sent.caption) != sent.caption:
            raise ImageProblem("has another caption than the same picture in another mode")
        if sent.grid is not None:
            self._keep("pixel", stem, sent, sent.grid, "rgb332", BLOCK)
        elif sent.codec:
            self._keep("image", stem, sent, sent.stream, sent.codec, sent.scale)
        self.sizes[stem] = sent.size
        if sent.caption is not None:
            self.texts[f"{stem}.png"] = sent.caption

    def _keep(self, kind: str, stem: str, sent: Sent, data: bytes, codec: str, scale: int) -> None:
        """Write one reference with its row, unless it is there already. data: its grid or its stream."""
        known = self.rates.get((kind, stem))
        if known is None:
            bits = 8 * len(data)  # as codecs count them
            shape = (bits, f"{bpp(bits, *sent.size):.6f}", *sent.size, codec, "", "", scale, "")
            seen = self._seen_before(kind, stem, data, shape) or self._write(kind, stem, sent, data)
            self.rates[kind, stem] = ReferenceRate(f"{stem}.png", kind, *shape, seen)
        elif (known.codec, known.scale) != (codec, scale) or not _holds(self._stream(stem, codec), data):
            raise ImageProblem("has another reference than the same picture in another mode")

    def _stream(self, stem: str, codec: str) -> Path:
        return self.references / "stream" / f"{stem}.{codecs.extension(codec)}"

    def _seen_before(self, kind: str, stem: str, data: bytes, shape: tuple) -> str | None:
        """The digest of an image reference that an earlier run decoded from the same stream; decoding is what takes
        time.
        """
        before, place = self._before.get((kind, stem)), self.references / kind / f"{stem}.png"
        if before is None or kind != "image" or before != ReferenceRate(f"{stem}.png", kind, *shape, before.sha256):
            return None
        whole = _holds(self._stream(stem, before.codec), data) and is_whole_png(place)
        return before.sha256 if whole and digest(place.read_bytes()) == before.sha256 else None

    def _write(self, kind: str, stem: str, sent: Sent, data: bytes) -> str:
        """Decode a reference and write it. Returns its file's digest."""
        if kind == "pixel":
            picture = enlarged(data, sent.size)
        else:
            picture = codecs.decode_stream(sent.codec, data, sent.size, sent.scale)
            write_bytes(self._stream(stem, sent.codec), data)
        png = png_bytes(picture)
        write_bytes(self.references / kind / f"{stem}.png", png)
        return digest(png)

    def finish(self) -> None:
        """Write the tables, once all files are taken."""
        if self.texts:
            captions.write(self.captions_file, dict(sorted(self.texts.items())))
        write_sizes(self.references, self.sizes)
        write_rates(self.references / "rate.csv", self.rates)

    def aliens(self, stems: set[str]) -> list[Path]:
        """Pictures in the folders of references that are of none of these images: they would pass for unpacked ones."""
        found = (path for kind in ("image", "pixel") for path in sorted((self.references / kind).glob("*.*")))
        return [path for path in found if path.stem not in stems and not path.name.startswith(".")]


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def main(argv: list[str]) -> int:
    """Unpack. Returns the exit code."""
    options = _parser().parse_args(argv)
    report, source = RunLog(), Path(options.packed)
    name = folder_name(source.resolve().name, "the folder")
    files = [
        (mode, path)
        for mode in MODES
        for path in sorted((source / mode).glob(f"*{container.ENDING}"))
        if path.is_file()
    ]
    if not files:
        expected = ", ".join(f"{mode}/*{container.ENDING}" for mode in MODES)
        raise BadInput(f"{source} holds no files {expected}. Expected a folder that pack wrote.")
    folder = Path(options.output_path or Path("Unpacked") / name)
    unpacker = Unpacker(folder, name)
    if aliens := unpacker.aliens({path.stem for _, path in files}):
        raise BadInput(
            f"{folder} holds {len(aliens)} picture(s) that are not of {source} (first: {aliens[0]}). Choose another"
            " --output_path."
        )
    with only_writer(folder / ".lock", str(folder)), progress(len(files), 0, "unpacking") as bar:
        for kind in ("", "image", "pixel", "stream"):
            sweep(unpacker.references / kind)
        for mode, path in files:
            if problem := _taken(unpacker, mode, path):
                report.fail(f"{mode}/{path.name}", f"{mode}/{path.name}: {problem}")
            bar.update()
        unpacker.finish()
    done = f"{len(files) - len(report.failures)} of {len(files)} files unpacked to {folder}."
    if unpacker.sizes:
        done += (
            f" Decode them with: python script-t2i.py --input_path {unpacker.captions_file} --ref_dir"
            f" {unpacker.references} --ground_truth none"
        )
    return report.close(done)


def _taken(unpacker: Unpacker, mode: str, path: Path) -> str | None:
    try:
        unpacker.take(mode, path)
    except (ImageProblem, RunFailed, BadInput) as error:
        return str(error)
    return None


def _parser():
    options = parser("Unpack what pack wrote: captions, references with their streams, and sizes.", "unpack")
    options.add_argument("packed", help="the folder with full/, image/, pixel/ or text/, e.g. Packed/NAME")
    options.add_argument("--output_path", default=None, help="folder that Text/ and Ref/ go to (None: Unpacked/NAME)")
    return options
