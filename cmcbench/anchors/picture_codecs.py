"""Picture codecs as targets: several images at once, rate control, and the streams that are counted."""

from __future__ import annotations

import argparse
import functools
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image

from ..bitstream.bits import bpp
from ..codecs import SCALES, Codec, Coded, NoRoom, Search, create, decoded, timed
from ..codecs.ffmpeg import peak
from ..errors import ImageProblem, RunFailed
from ..runtime.beside import Behind
from ..runtime.messages import RunLog, progress, say
from .output import MODE, Output


@dataclass
class _Target:
    """One codec at one rate (bits per pixel), or at one setting of its own scale."""

    codec: Codec
    rate: float | None
    quality: float | None
    output: Output
    missing: set[str] = field(default_factory=set)
    scaled: dict[int, int] = field(default_factory=dict)  # scale -> images
    over: list[float] = field(default_factory=list)  # bpp of the images that are above the rate


class PictureCodecs:
    """The codecs of `options.names`, each at each rate or quality. Raises BadInput for a name or quality that is
    none.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._codecs = [create(name) for name in dict.fromkeys(options.names)]
        for value in options.quality or ():
            for codec in self._codecs:
                codec.setting(value)

    def targets(self, truth: dict[str, str], report: RunLog) -> list[_Target]:
        """A target each of the codecs that this machine has. truth: stem -> digest of its ground truth."""
        able = []
        for codec in self._codecs:
            if problem := codec.problem():
                report.fail(codec.name, f"{codec.name} is left out: {problem}")
            else:
                able.append(codec)
        return [target for codec in able for target in _targets(codec, self._options, truth)]

    def run(self, targets: list[_Target], images: dict[str, Path], report: RunLog) -> None:
        """Make what the targets lack, and say what a reader of their rates must know."""
        _Run(targets, images, self._options.floor, report).run(self._options.jobs)
        for target in targets:
            _tell(target)


def _targets(codec: Codec, options: argparse.Namespace, truth: dict[str, str]) -> list[_Target]:
    targets = []
    wanted = [*((rate, None) for rate in options.bpp or ()), *((None, value) for value in options.quality or ())]
    for rate, quality in wanted:
        name = f"{codec.name}@{rate:g}" if quality is None else f"{codec.name}@q{quality:g}"
        floor = options.floor if rate else None
        settings = {"codec": codec.name, "setup": codec.setup, "bpp": rate, "quality": quality, "floor": floor}
        facts = {
            "t2i": codec.name,
            "codec": codec.name,
            "model_dir": None,
            "captions": None,
            "ffmpeg": _ffmpeg_release(),
        }
        inputs = {stem: {"ground_truth": value} for stem, value in truth.items()}
        output = Output(Path(options.output_path) / name, MODE, settings, inputs, codec.extension, facts, len(wanted))
        targets.append(_Target(codec, rate, None if quality is None else codec.setting(quality), output))
    return list({target.output.folder: target for target in targets}.values())


def _ffmpeg_release() -> str | None:
    try:
        return f"imageio-ffmpeg {metadata.version('imageio-ffmpeg')}"
    except metadata.PackageNotFoundError:
        return None


_Result = tuple[_Target, str, Any]  # what one rate of one image gave, or an exception


class _Run:
    """The codings that are missing, several images at once; an image's rates share its trial encodings."""

    def __init__(self, targets: list[_Target], images: dict[str, Path], floor: str, report: RunLog) -> None:
        self.targets, self.images, self.report = targets, images, report
        self.scales = SCALES if floor == "downscale" else SCALES[:1]
        self.stopped = False

    def run(self, jobs: int) -> None:
        groups = [
            (stem, [target for target in self.targets if target.codec is codec and stem in target.missing])
            for codec in dict.fromkeys(target.codec for target in self.targets)
            for stem in self.images
        ]
        total = len(self.images) * len(self.targets)
        done = total - sum(len(targets) for _, targets in groups)
        with progress(total, done, "codec") as bar, Behind(2 * jobs, jobs, drop=True) as behind:
            try:
                for stem, targets in groups:
                    if targets:
                        behind.put(functools.partial(self._image, stem, targets), functools.partial(self._finish, bar))
                behind.settle()
            finally:
                self.stopped = True  # a search that goes on ends with its next encoding

    def _finish(self, bar: Any, results: list[_Result]) -> None:
        """Enter what one image gave. By the run's own thread alone, so that no table is written by two."""
        bar.update(len(results))
        for target, stem, result in results:
            name = target.output.folder.name
            if isinstance(result, NoRoom):
                what = f"{target.codec.name} cannot reach {name.partition('@')[2]}{' bpp' if target.rate else ''}"
                self.report.gather(what, self.images[stem].name, len(self.images), lacking=True)
                continue
            if isinstance(result, Exception):
                self.report.fail(f"{name}/{stem}", f"{self.images[stem].name}: {name}: {result}")
                continue
            coded, size, seen, spent, setting, note = result
            self.report.converted(self.images[stem].name, note)
            rate = bpp(coded.bits, *size)
            target.scaled[coded.scale] = target.scaled.get(coded.scale, 0) + 1
            if target.rate is not None and coded.bits > target.rate * size[0] * size[1]:
                target.over.append(rate)
            target.output.enter(
                stem,
                seen,
                bits=coded.bits,
                image_bits=coded.bits,
                encode_seconds=round(coded.seconds, 4),
                level=f"{setting:g}",
                scale=coded.scale,
                **spent,
            )

    def _image(self, stem: str, targets: list[_Target]) -> list[_Result]:
        """Code one image for several rates of one codec and write what was made: for each the coding, the picture's
        size and digest, time and memory, setting, note, or why not.
        """
        try:
            image, note = targets[0].output.read(stem, self.images[stem])
        except ImageProblem as error:
            return [(target, stem, error) for target in targets]
        search = Search(targets[0].codec, image, lambda: self.stopped)
        results: list[_Result] = []
        for target in targets:
            try:
                coded, setting = self._coded(target, search, image)
                begun, peak.bytes = time.perf_counter(), None
                picture = decoded(target.codec, coded, image.size)
                spent = {"decode_seconds": round(time.perf_counter() - begun, 4), "peak_memory": peak.bytes}
                seen = target.output.put(stem, picture, coded.stream)
                results.append((target, stem, (coded, picture.size, seen, spent, setting, note)))
            except RunFailed as error:
                results.append((target, stem, error))
        return results

    def _coded(self, target: _Target, search: Search, image: Image.Image) -> tuple[Coded, float]:
        codec = target.codec
        if target.rate is None:
            return timed(codec, image, target.quality, -1, 1), target.quality
        budget = target.rate * image.width * image.height
        coded = search.within(budget, self.scales)
        if coded.bits > budget and len(self.scales) > 1:
            raise NoRoom(
                f"{codec.name} cannot go below {bpp(coded.bits, *image.size):.4f} bpp here, even at 1/{self.scales[-1]}"
                " of its size"
            )
        return coded, codec.settings[coded.level]


def _tell(target: _Target) -> None:
    """What a reader of a target's rate must know: how many of this run's images were downscaled, or are above it."""
    name = target.output.folder.name
    small = ", ".join(
        f"{count} at 1/{scale} of their size" for scale, count in sorted(target.scaled.items()) if scale > 1
    )
    if small:
        say(f"note: {name}: {target.codec.name} cannot go so low at full size; coded {small} (rates.csv, scale).")
    if target.over:
        mean = sum(target.over) / len(target.over)
        say(
            f"note: {name}: {len(target.over)} image(s) are above {target.rate:g} bpp, at the codec's floor (mean"
            f" {mean:.4f} bpp)."
        )
