"""Result/NAME of a codec: pictures, their streams, rates.csv and manifest.json, resumable and never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import BadInput
from ..files import manifest, rates
from ..files.images import is_whole_png
from ..files.rates import Cost
from ..files.store import digest, png_bytes, read_json, sweep, write_bytes, write_json
from ..protocol import MODES

STREAMS = "stream"  # the folder of a target that holds what is counted


class Output:
    """One mode of one target. Hold `lock` (cmcbench.files.store.only_writer) from `begin` until the last `write`.

    settings, inputs: as the manifest keeps them; an input is what an image (by stem) is made from. extension: of
    streams, "" where there are none.
    """

    def __init__(
        self,
        folder: Path,
        mode: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, Any],
        extension: str,
        facts: Mapping[str, Any],
    ) -> None:
        self.folder, self.mode, self.extension = folder, mode, extension
        self.settings, self.inputs, self.facts = dict(settings), dict(inputs), dict(facts)
        self.file = folder / "manifest.json"
        self.lock = folder / ".target.lock"  # one for all modes, which share rates.csv and the manifest
        self.spent: rates.Rates = {}

    def picture(self, stem: str) -> Path:
        return self.folder / self.mode / f"{stem}.png"

    def stream(self, stem: str) -> Path:
        return self.folder / STREAMS / f"{stem}.{self.extension}"

    def begin(self, overwrite: bool) -> list[str]:
        """Check that the folder may go on, record what makes it, and return the stems that are missing.

        Raises BadInput where pictures are there that other settings or inputs made, and leaves them as they are.
        """
        for name in (".", self.mode, STREAMS):
            sweep(self.folder / name)
        record = read_json(self.file) or {}
        modes = manifest.modes(record, self.file)
        self._check(modes, overwrite)
        self.spent = rates.read(self.folder / rates.FILE)
        if overwrite:
            self._remove()
        before = modes.get(self.mode, {}).get("inputs", {})
        modes[self.mode] = {"settings": self.settings, "inputs": dict(sorted({**before, **self.inputs}.items()))}
        facts = {**self.facts, "baseline": False, "environment": manifest.environment()}
        write_json(self.file, {**facts, "modes": {mode: modes[mode] for mode in MODES if mode in modes}})
        return [stem for stem in self.inputs if not self._done(stem)]

    def _check(self, modes: Mapping[str, Any], overwrite: bool) -> None:
        remedy = "Choose another --output_path, or make it anew with --overwrite (without --subset and --images)."
        for old in modes.values():
            if old["settings"].get("codec") != self.settings["codec"]:
                what = f"results of {_maker(old)}, not of {self.settings['codec']}"
                raise BadInput(f"{self.folder} holds {what}. Choose another folder.")
        made = {path.stem for path in (self.folder / self.mode).glob("*.png")}
        if overwrite:
            made -= set(self.inputs)
        if made and self.mode not in modes:
            raise BadInput(
                f"{self.folder / self.mode} holds {len(made)} image(s) and no manifest tells what made them. {remedy}"
            )
        if not made:
            return
        old = modes[self.mode]
        changed = [
            stem for stem in sorted(made & set(self.inputs)) if old["inputs"].get(stem) not in (None, self.inputs[stem])
        ]
        problem = manifest.differences(old["settings"], self.settings)
        if not problem and changed:
            problem = f"{len(changed)} came from another file (first: {changed[0]})"
        if problem:
            raise BadInput(f"{self.folder / self.mode} holds {len(made)} image(s) made otherwise: {problem}. {remedy}")

    def _remove(self) -> None:
        """Take away what is made anew, so that a killed run cannot pass the old for the new."""
        for stem in self.inputs:
            self.picture(stem).unlink(missing_ok=True)
            self.spent.pop((stem, self.mode), None)
            if self.extension:
                self.stream(stem).unlink(missing_ok=True)
        if (self.folder / rates.FILE).exists():
            rates.write(self.folder / rates.FILE, self.spent)

    def _done(self, stem: str) -> bool:
        """Whether an image is whole: its picture, the row that tells of it, and a stream as long as the row says."""
        row = self.spent.get((stem, self.mode))
        if row is None or not is_whole_png(self.picture(stem)) or digest(self.picture(stem).read_bytes()) != row.sha256:
            return False
        try:
            return not self.extension or 8 * self.stream(stem).stat().st_size == row.image_bits
        except OSError:
            return False

    def write(self, stem: str, image: Image.Image, stream: bytes | None, **spent: Any) -> None:
        """Write a picture, its stream and its row; the row last, which says that the others are there."""
        png = png_bytes(image)
        if stream is not None:
            write_bytes(self.stream(stem), stream)
        write_bytes(self.picture(stem), png)
        row = Cost(f"{stem}.png", self.mode, sha256=digest(png), **spent)
        self.spent[row.key] = row
        rates.write(self.folder / rates.FILE, self.spent)


def _maker(old: Mapping[str, Any]) -> str:
    return str(old["settings"].get("codec") or old["settings"].get("model") or "something else")
