"""python -m cmcbench codec: picture codecs as targets, Result/CODEC@RATE, with the streams that are counted."""

from __future__ import annotations

import argparse
import functools
import math
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image

from ..bitstream.bits import bpp
from ..codecs import FAMILY, SCALES, Codec, Coded, NoRoom, Search, create, decoded, timed
from ..codecs.ffmpeg import peak
from ..errors import BadInput, ImageProblem, RunFailed
from ..files.images import digests, list_images, read_rgb
from ..files.store import only_writer
from ..files.subset import choose
from ..runtime.beside import Behind
from ..runtime.cli import add_choice, parser, positive
from ..runtime.messages import RunLog, progress, say
from .output import Output

MODE = "image"  # a codec sends a picture and no caption, as the benchmark's image mode does
FLOORS = ("downscale", "report")


@dataclass
class _CodecTarget:
    """One codec at one rate (bits per pixel), or at one setting of its own scale."""

    codec: Codec
    rate: float | None
    quality: float | None
    output: Output
    missing: set[str] = field(default_factory=set)
    scaled: dict[int, int] = field(default_factory=dict)  # scale -> images
    over: list[float] = field(default_factory=list)  # bpp of the images that are above the rate


def main(argv: list[str]) -> int:
    """Code pictures with codecs. Returns the exit code."""
    options = _parser().parse_args(argv)
    codecs = [create(name) for name in dict.fromkeys(options.names)]
    for value in options.quality or ():
        for codec in codecs:
            codec.setting(value)
    folder = Path(options.ground_truth)
    everything = list_images(folder, "--ground_truth")
    images = {stem: everything[stem] for stem in choose(everything, options.images, options.subset)}
    if not images:
        found = f"of the {len(everything)} images in {folder} none is chosen"
        raise BadInput(
            f"--ground_truth: {found}.{'' if everything else everything.hint} Try: --ground_truth samples/GT"
        )
    report = RunLog()
    everything.tell(report, options.images)
    able = []
    for codec in codecs:
        problem = codec.problem()
        if problem:
            report.fail(codec.name, f"{codec.name} is left out: {problem}")
        else:
            able.append(codec)
    truth, readable = _digests(images, report)
    with ExitStack() as locks:
        targets = [target for codec in able for target in _targets(codec, options, truth)]
        for target in targets:
            locks.enter_context(only_writer(target.output.lock, str(target.output.folder)))
        for target in targets:  # all are checked before the first is worked on
            target.missing = set(target.output.begin(options.overwrite))
        try:
            _CodecRun(targets, readable, options.floor, report).run(options.jobs)
        finally:  # also when it is interrupted
            for target in targets:
                target.output.end()
    for target in targets:
        _tell(target)
    names = [target.output.folder.name for target in targets]
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    where = f"{len(names)} target(s) in {options.output_path}"
    return report.close(f"{len(images)} images, {where} but for what failed: {listed or 'none'}.")


def _digests(images: dict[str, Path], report: RunLog) -> tuple[dict[str, str], dict[str, Path]]:
    """(stem -> digest, stem -> path) of the ground truths whose files can be read at all."""
    truth = {}
    for stem, seen in digests(images).items():
        if isinstance(seen, ImageProblem):
            report.fail(stem, str(seen))
        else:
            truth[stem] = seen
    return truth, {stem: images[stem] for stem in truth}


def _targets(codec: Codec, options: argparse.Namespace, truth: dict[str, str]) -> list[_CodecTarget]:
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
        targets.append(_CodecTarget(codec, rate, None if quality is None else codec.setting(quality), output))
    return list({target.output.folder: target for target in targets}.values())


def _ffmpeg_release() -> str | None:
    try:
        return f"imageio-ffmpeg {metadata.version('imageio-ffmpeg')}"
    except metadata.PackageNotFoundError:
        return None


_Result = tuple[_CodecTarget, str, Any]  # what one rate of one image gave, or an exception


class _CodecRun:
    """The codings that are missing, several images at once; an image's rates share its trial encodings."""

    def __init__(self, targets: list[_CodecTarget], images: dict[str, Path], floor: str, report: RunLog) -> None:
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

    def _image(self, stem: str, targets: list[_CodecTarget]) -> list[_Result]:
        """Code one image for several rates of one codec and write what was made: for each the coding, the picture's
        size and digest, time and memory, setting, note, or why not.
        """
        try:
            image, note = read_rgb(self.images[stem])
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

    def _coded(self, target: _CodecTarget, search: Search, image: Image.Image) -> tuple[Coded, float]:
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


def _tell(target: _CodecTarget) -> None:
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


def _parser() -> argparse.ArgumentParser:
    options = parser(
        "Picture codecs as targets: Result/CODEC@RATE/image, the streams that are counted, and rates.csv.", "codec"
    )
    units = ", ".join(f"{name} {codec.unit}" for name, codec in FAMILY.items())
    options.add_argument("names", nargs="+", metavar="CODEC", help=f"one or more of: {', '.join(FAMILY)}")
    rate = options.add_mutually_exclusive_group(required=True)
    rate.add_argument(
        "--bpp", nargs="+", type=_rate, metavar="RATE", help="bits per pixel that each picture may take at most"
    )
    rate.add_argument("--quality", nargs="+", type=_number, metavar="VALUE", help=f"its own setting instead ({units})")
    options.add_argument(
        "--floor",
        choices=FLOORS,
        default=FLOORS[0],
        help=(
            "where a codec cannot go as low as --bpp: downscale the picture by 2, then 4, and leave it out if that is"
            " not enough; report: code it at the codec's lowest rate, above --bpp, and say so"
        ),
    )
    options.add_argument("--ground_truth", default="./GT/", help="folder of the images")
    options.add_argument("--output_path", default="./Result/", help="folder that results go to")
    options.add_argument(
        "--jobs", metavar="N", type=positive, default=os.cpu_count() or 1, help="images coded at the same time"
    )
    options.add_argument("--overwrite", action="store_true", help="replace the chosen images")
    add_choice(options)
    return options


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _rate(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 24:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate in bits per pixel above 0 and up to 24")
    return value
