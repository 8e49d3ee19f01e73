"""Result/NAME of a codec: pictures, their streams, rates.csv and manifest.json, resumable and never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import BadInput, ImageProblem
from ..files import rates
from ..files.images import is_whole_png, picture_bytes, read_rgb
from ..files.rates import Cost
from ..files.references import STREAMS, stream_file
from ..files.result_manifest import Inputs, ResultManifest
from ..files.store import digest, png_bytes, refuse_links, sweep, write_bytes
from ..runtime.pace import Pace

MODE = "image"  # of a codec, which sends a picture and no caption, as the benchmark's image mode does


class Output:
    """One mode of one target. Hold `lock` (cmcbench.files.store.only_writer) from `begin` until `end`.

    settings, inputs: as the manifest keeps them; an input is what an image (by stem) is made from. extension: of
    streams, "" where there are none. side_by_side: how many targets are written at the same time.
    """

    def __init__(
        self,
        folder: Path,
        mode: str,
        settings: Mapping[str, Any],
        inputs: Inputs,
        extension: str,
        facts: Mapping[str, Any],
        side_by_side: int = 1,
    ) -> None:
        self.folder, self.mode, self.extension = folder, mode, extension
        self.settings, self.inputs, self.facts = dict(settings), dict(inputs), dict(facts)
        self.lock = folder / ".target.lock"  # one for all modes, which share rates.csv and the manifest
        self.spent: rates.Rates = {}
        self._unsaved, self._pace = False, Pace(files=side_by_side)

    def picture(self, stem: str) -> Path:
        return self.folder / self.mode / f"{stem}.png"

    def stream(self, stem: str) -> Path:
        return stream_file(self.folder, stem, self.extension)

    def read(self, stem: str, source: Path, what: str = "ground_truth") -> tuple[Image.Image, str | None]:
        """The RGB picture of an image's input, and the note of its conversion: of the bytes that the manifest names.

        Raises ImageProblem for a file that cannot be read, or is not the one that the run began with.
        """
        data = picture_bytes(source)
        if digest(data) != self.inputs[stem][what]:
            raise ImageProblem(f"{source.name} has changed since this run began. Run the same command again")
        return read_rgb(data, source.name)

    def begin(self, overwrite: bool) -> list[str]:
        """Check that the folder may go on, record what makes it, and return the stems that are missing.

        Raises BadInput where pictures are there that other settings or inputs made, and leaves them as they are.
        """
        folders = [self.folder / self.mode, self.folder / STREAMS]
        refuse_links(self.folder, *folders)
        manifest = ResultManifest(self.folder, "--output_path")
        self._check(manifest, overwrite)
        self.spent = rates.read(self.folder / rates.FILE)
        for folder in folders:
            sweep(folder)
        sweep(self.folder, rates.FILE)
        if overwrite:
            self._remove()
        manifest.record({self.mode: (self.settings, self.inputs)}, self.facts, baseline=False)
        return [stem for stem in self.inputs if not self._done(stem)]

    def _check(self, manifest: ResultManifest, overwrite: bool) -> None:
        for old in manifest.before.values():
            if old["settings"].get("codec") != self.settings["codec"]:
                what = f"results of {_maker(old)}, not of {self.settings['codec']}"
                raise BadInput(f"{self.folder} holds {what}. Choose another folder.")

        def changed(before: Inputs, stems: list[str]) -> str:
            others = [stem for stem in stems if before.get(stem) not in (None, self.inputs[stem])]
            return f"{len(others)} came from another file (first: {others[0]})" if others else ""

        manifest.check_mode(self.mode, self.settings, self.inputs, overwrite, changed)

    def _remove(self) -> None:
        """Take away what is made again, so that a killed run cannot pass the old for the new."""
        for stem in self.inputs:
            self.picture(stem).unlink(missing_ok=True)
            self.spent.pop((stem, self.mode), None)
            if self.extension:
                self.stream(stem).unlink(missing_ok=True)
        if (self.folder / rates.FILE).exists():
            rates.write(self.folder / rates.FILE, self.spent)

    def _done(self, stem: str) -> bool:
        """Whether an image is whole: its picture, its row, and a stream as long as the row says."""
        row = self.spent.get((stem, self.mode))
        if row is None or not is_whole_png(self.picture(stem)) or digest(self.picture(stem).read_bytes()) != row.sha256:
            return False
        try:
            return not self.extension or 8 * self.stream(stem).stat().st_size == row.image_bits
        except OSError:
            return False

    def put(self, stem: str, image: Image.Image, stream: bytes | None) -> str:
        """Write a picture and its stream, in any thread. Returns the picture's digest, for `enter`."""
        png = png_bytes(image)
        if stream is not None:
            write_bytes(self.stream(stem), stream)
        write_bytes(self.picture(stem), png)
        return digest(png)

    def enter(self, stem: str, seen: str, **spent: Any) -> None:
        """Enter the row of a picture, which says that it is there; a row that a kill takes makes it missing. `end`
        writes the last rows.
        """
        row = Cost(f"{stem}.png", self.mode, sha256=seen, **spent)
        self.spent[row.key] = row
        self._unsaved = True
        if self._pace.due:
            self.end()

    def end(self) -> None:
        """Write the rows that are not written yet."""
        if self._unsaved:
            with self._pace.saving():
                rates.write(self.folder / rates.FILE, self.spent)
            self._unsaved = False


def _maker(old: Mapping[str, Any]) -> str:
    return str(old["settings"].get("codec") or old["settings"].get("model") or "something else")
