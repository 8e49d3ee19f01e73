"""Learned codecs as targets: one image after the other, encoded and decoded apart."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from models import create
from models.base import CodecModel, ModelError
from models.secrets import without_secrets
from models.sources import canonical

from ..errors import BadInput, ImageProblem, RunFailed
from ..files.names import target_name
from ..runtime.devices import resolve_device, resolve_dtype
from ..runtime.messages import RunLog, progress, say
from .output import MODE, Output

CHECKED = 2  # images whose streams are decoded twice: one in the same process, one in a new one


@dataclass
class _Target:
    """One learned codec at one quality, None where its checkpoint or its command is its rate."""

    quality: float | None
    output: Output
    missing: set[str] = field(default_factory=set)


class LearnedCodec:
    """The learned codec of `options`, at each quality. Raises ModelError and BadInput for what is refused before
    anything is loaded.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        asked, _, part = (options.names or ["command"])[0].partition(":")
        if asked.endswith(".py"):
            asked, part = options.names[0], ""
        model = create("codec", asked)
        assert isinstance(model, CodecModel)
        program = model.runs_on == "program"
        if program and not (options.command or "").strip():
            raise BadInput(f"'{asked}' runs a program of yours: give it with --command 'PROGRAM ARGUMENTS'.")
        if options.command is not None and not program:
            raise BadInput(f"--command runs a program of yours, and {asked} needs none: leave one of them out.")
        if program and not options.name:
            raise BadInput("--command needs --name: what the codec is called in Result/ and on curves.")
        if not model.takes_quality and options.quality:
            raise BadInput(f"{asked} takes no --quality: its checkpoint is its rate. Give one with --model_dir.")
        if model.takes_quality and not program and not options.quality:
            raise BadInput(f"{asked} needs --quality, one value or several.")
        self._model, self._options = model, options
        self._model_dir = canonical(options.model_dir)
        self._name = target_name(options.name or part or Path(asked).stem, "--name")
        self._qualities: list[float | None] = [*dict.fromkeys(options.quality or [None])]
        if options.quality and "@" in self._name:
            raise BadInput(f"--name {self._name}: holds @, and --quality adds @qVALUE itself. Leave @ out.")
        model.inspect(self._model_dir, part, options.quality or (), options.command)
        self._device = resolve_device(options.device)
        self._dtype_name, self._dtype = resolve_dtype(options.dtype, self._device, model.dtype)

    def targets(self, truth: dict[str, str], report: RunLog) -> list[_Target]:
        """A target each quality. truth: stem -> digest of its ground truth."""
        targets = []
        for quality in self._qualities:
            name = self._name if quality is None else f"{self._name}@q{quality:g}"
            settings = {
                "codec": self._name,
                "setup": self._model.setup,
                "bpp": None,
                "quality": quality,
                "floor": None,
                "model_dir": self._model_dir or "",  # None would not be compared
                "dtype": self._dtype_name,
                "seed": self._options.seed,
            }
            group = self._name.partition("@")[0] or self._name
            facts = {"t2i": group, "codec": group, "model_dir": self._model_dir, "captions": None}
            inputs = {stem: {"ground_truth": value} for stem, value in truth.items()}
            folder = Path(self._options.output_path) / name
            output = Output(folder, MODE, settings, inputs, self._model.extension, facts)
            targets.append(_Target(quality, output))
        return targets

    def run(self, targets: list[_Target], images: dict[str, Path], report: RunLog) -> None:
        """Make what the targets lack. Raises ModelError where the codec does not load before anything is made."""
        lacking = [target for target in targets if target.missing]
        total = len(images) * len(targets)
        done = total - sum(len(target.missing) for target in targets)
        try:
            with progress(total, done, "codec") as bar:
                for place, target in enumerate(lacking):
                    try:
                        self._model.load(self._model_dir, self._device, self._dtype, target.quality, self._options.seed)
                    except ModelError as error:
                        if place == 0:
                            raise
                        report.fail(target.output.folder.name, f"{target.output.folder.name}: {error}")
                        continue
                    self._one_quality(target, images, report, bar)
                    if self._model.stopped:
                        report.fail(self._name, self._model.stopped)
                        break
        finally:
            self._model.close()

    def _one_quality(self, target: _Target, images: dict[str, Path], report: RunLog, bar: Any) -> None:
        name, checked = target.output.folder.name, 0
        for stem in (stem for stem in images if stem in target.missing):
            if self._model.stopped:
                return
            try:
                image, note = target.output.read(stem, images[stem])
                stream, seconds = self._encoded(image)
                begun = time.perf_counter()
                picture = self._decoded(stream, image.size)
                decode_seconds = time.perf_counter() - begun
                if checked < CHECKED:
                    checked += 1
                    self._tell_difference(name, stem, stream, picture, renewed=checked == CHECKED)
            except (ImageProblem, ModelError, RunFailed) as error:
                report.fail(f"{name}/{stem}", f"{images[stem].name}: {name}: {error}")
            else:
                report.converted(images[stem].name, note)
                seen = target.output.put(stem, picture, stream)
                level = "" if target.quality is None else f"{target.quality:g}"
                target.output.enter(
                    stem,
                    seen,
                    bits=8 * len(stream),
                    image_bits=8 * len(stream),
                    encode_seconds=round(seconds, 4),
                    decode_seconds=round(decode_seconds, 4),
                    level=level,
                    scale=1,
                )
            bar.update()

    def _encoded(self, image: Image.Image) -> tuple[bytes, float]:
        """The stream and the seconds that it took. Raises ModelError, RunFailed for an empty one."""
        begun = time.perf_counter()
        stream = self._model.encode(image)
        seconds = time.perf_counter() - begun
        if not stream:
            raise RunFailed("the encoder wrote a stream of 0 bytes, which no picture can be decoded from")
        return stream, seconds

    def _decoded(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        picture = self._model.decode(stream, size)
        if picture.size != size:
            found, expected = ("x".join(map(str, each)) for each in (picture.size, size))
            raise RunFailed(f"the decoder gave a picture of {found} pixels, its ground truth has {expected}")
        return picture

    def _tell_difference(self, name: str, stem: str, stream: bytes, picture: Image.Image, renewed: bool) -> None:
        """Decode a stream once more, and say where the picture is another one. renewed: as a new process would; else
        noise that goes on from one picture to the next shows.
        """
        if renewed:
            self._model.renew()
        try:
            second = self._decoded(stream, picture.size)
        except (ModelError, RunFailed) as error:
            say(f"note: {name}: {stem} decodes once, and not on a second run: {without_secrets(str(error))}")
            return
        if second.tobytes() != picture.tobytes():
            import numpy as np

            apart = np.abs(np.asarray(picture, np.int16) - np.asarray(second, np.int16))
            say(
                f"note: {name}: the decoder does not repeat itself: a second run on the stream of {stem} gives a"
                f" picture up to {apart.max()} of 255 away (mean {apart.mean():.3g}). The first one is scored; let all"
                " noise come from the seed that the program is told."
            )
