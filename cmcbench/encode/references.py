"""References: Ref/pixel (one 8-bit pixel for each 64x64 block) and Ref/image (a picture near 0.02 bpp), and their bits.

Ref/stream holds the coded pictures that Ref/image was decoded from: what is counted, and nothing else.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from ..bitstream.bits import BLOCK, bpp, grid_bits
from ..bitstream.grid import enlarged, grid_of
from ..codecs import FAMILY, Avif, Codec, Coded, Vvc, create, decoded, ffmpeg_program, scaled_down, timed, to_budget
from ..errors import BadInput, ImageProblem, RunFailed
from ..files.images import is_whole_png, picture_bytes, read_rgb
from ..files.references import RATES, STREAMS, ReferenceRate, read_rates, stream_file, write_rates
from ..files.store import digest, only_writer, png_bytes, refuse_links, sweep, write_bytes
from ..protocol import REFERENCES
from ..runtime.beside import Behind, cores
from ..runtime.messages import RunLog, progress, say
from ..runtime.pace import Pace

UNSAVED = 32  # references in memory; saving the table of rates for each would cost more than making them


def pixel_reference(image: Image.Image) -> Image.Image:
    """The pixel reference of an RGB picture: each 64x64 block as one 8-bit pixel, enlarged to the picture's size."""
    return enlarged(grid_of(image), image.size)


def image_codec() -> Codec:
    """VVC where an ffmpeg with libvvenc is there, else AVIF, with a warning."""
    try:
        ffmpeg_program()
        return Vvc()
    except RunFailed as error:
        say(f"note: {error}. Image references are made with AVIF instead, which needs about 1.5 times VVC's bits.")
        return Avif()


def make(ground_truth: dict[str, Path], folder: Path, budget: float, overwrite: bool, report: RunLog) -> None:
    """Make the references of `ground_truth` (stem -> path) that `folder` lacks, and keep rate.csv in step.

    budget: bits per pixel of an image reference. Failures go to the report by name; the others go on.
    Raises BadInput where `folder` holds references of other settings, or pictures that this program did not make.
    """
    codec = image_codec()
    with only_writer(folder / ".lock", f"references in {folder}"):
        work = _ReferenceRun(ground_truth, folder, codec, budget, report)
        work.settle(overwrite)
        work.run()


@dataclass(frozen=True)
class _Made:
    """A reference, ready to be written. png is None where the picture is there and only its stream was missing."""

    rate: ReferenceRate
    png: bytes | None
    stream: bytes | None
    note: str | None


class _ReferenceRun:
    """One run of `make`: which references are missing, and the rates known so far."""

    def __init__(
        self, ground_truth: dict[str, Path], folder: Path, codec: Codec, budget: float, report: RunLog
    ) -> None:
        self.ground_truth, self.folder, self.codec, self.budget, self.report = (
            ground_truth,
            folder,
            codec,
            budget,
            report,
        )
        self.file = folder / RATES
        self.settings = {"pixel": ("rgb332", ""), "image": (codec.name, f"{budget:g}")}
        self.jobs = [(kind, stem) for kind in REFERENCES for stem in ground_truth]
        self.missing: list[tuple[str, str]] = []
        self.unsaved: dict[tuple[str, str], _Made] = {}  # made, and not in the folder yet
        self._pace = Pace()

    def path(self, kind: str, stem: str) -> Path:
        return self.folder / kind / f"{stem}.png"

    def settle(self, overwrite: bool) -> None:
        """Find out what is missing; refuse what is there and not ours, or remove it where asked to."""
        folders = [self.folder, *(self.folder / kind for kind in (*REFERENCES, STREAMS))]
        refuse_links(*folders)
        for folder in folders:
            sweep(folder)
        try:
            self.rates = read_rates(self.file)
        except BadInput:
            if not overwrite:
                raise
            self.rates = {}
        # Images that are not chosen now: references of two rates in one folder would pass for one
        others = [
            key
            for key, rate in self.rates.items()
            if key not in self.jobs and rate.settings != self.settings.get(key[0])
        ]
        if overwrite and not others:
            self._forget(self.jobs)
        others += [job for job in self.jobs if self.path(*job).exists() and not self._ours(*job)]
        if others:
            kind, stem = others[0]
            rate = self.rates.get(others[0])
            why = (
                f"made with {' '.join(rate.settings)}"
                if rate and rate.settings != self.settings.get(kind)
                else "not of this run"
            )
            raise BadInput(
                f"{len(others)} reference(s) in {self.folder} cannot go on as they are; the first,"
                f" {self.path(kind, stem)}, is {why} (expected: {' '.join(self.settings.get(kind, ('nothing',)))}, from"
                " this ground truth). Choose another --ref_dir, or make all again with --overwrite (without --subset"
                " and --images)."
            )
        self.missing = [job for job in self.jobs if not (is_whole_png(self.path(*job)) and self._has_stream(*job))]

    def _has_stream(self, kind: str, stem: str) -> bool:
        """Whether a reference's coded picture is there, as long as rate.csv says; a pixel reference has none."""
        try:
            return (
                kind != "image"
                or 8 * stream_file(self.folder, stem, self.codec.extension).stat().st_size
                == self.rates[kind, stem].bits
            )
        except OSError:
            return False

    def _ours(self, kind: str, stem: str) -> bool:
        """Whether rate.csv has this reference, as it is, from this ground truth and these settings."""
        rate = self.rates.get((kind, stem))
        if rate is None or rate.settings != self.settings[kind]:
            return False
        if not is_whole_png(self.path(kind, stem)):
            return True  # a damaged picture of ours is made again
        try:
            now = digest(picture_bytes(self.ground_truth[stem])), digest(picture_bytes(self.path(kind, stem)))
        except ImageProblem:
            return False
        return now == (rate.ground_truth, rate.sha256)

    def _forget(self, jobs: list[tuple[str, str]]) -> None:
        for job in jobs:
            self.path(*job).unlink(missing_ok=True)
            for codec in FAMILY if job[0] == "image" else ():
                stream_file(self.folder, job[1], create(codec).extension).unlink(missing_ok=True)
            self.rates.pop(job, None)
        if self.file.exists():
            write_rates(self.file, self.rates)

    def run(self) -> None:
        """Make what is missing, several pictures at once: ffmpeg works in processes of its own."""
        done, workers = len(self.jobs) - len(self.missing), cores()
        try:
            with (
                progress(len(self.jobs), done, "references") as bar,
                Behind(2 * workers, workers, drop=True) as behind,
            ):
                for job in self.missing:
                    behind.put(functools.partial(self._attempt, *job), functools.partial(self._finish, job, bar))
        finally:
            self._save()

    def _attempt(self, kind: str, stem: str) -> _Made | ImageProblem | RunFailed:
        try:
            return self._make(kind, stem)
        except (ImageProblem, RunFailed) as error:
            return error

    def _make(self, kind: str, stem: str) -> _Made:
        source = self.ground_truth[stem]
        data = picture_bytes(source)
        image, note = read_rgb(data, source.name)
        if kind == "pixel":
            begun = time.perf_counter()
            reference = pixel_reference(image)
            seconds, bits = time.perf_counter() - begun, grid_bits(*image.size)
            png = png_bytes(reference)
            rate = self._rate(kind, source.name, digest(data), reference.size, png, bits, "", BLOCK, seconds)
            return _Made(rate, png, None, note)
        if is_whole_png(self.path(kind, stem)):
            return self._made_before(stem, image)
        coded = to_budget(self.codec, image, self.budget * image.width * image.height)
        reference = decoded(self.codec, coded, image.size)
        png, level, size = png_bytes(reference), str(coded.level), reference.size
        rate = self._rate(kind, source.name, digest(data), size, png, coded.bits, level, coded.scale, coded.seconds)
        return _Made(rate, png, coded.stream, note)

    def _rate(
        self,
        kind: str,
        name: str,
        seen: str,
        size: tuple[int, int],
        png: bytes,
        bits: int,
        level: str,
        scale: int,
        seconds: float,
    ) -> ReferenceRate:
        """The row of a reference. name, seen: of the ground truth's file, its digest. size: of both. png: its file."""
        return ReferenceRate(
            name,
            kind,
            bits,
            f"{bpp(bits, *size):.6f}",
            *size,
            *self.settings[kind],
            level,
            scale,
            seen,
            digest(png),
            round(seconds, 4),
        )

    def _made_before(self, stem: str, image: Image.Image) -> _Made:
        """The stream of a reference whose picture is there, coded again. Raises RunFailed where it gives another
        picture.
        """
        rate = self.rates["image", stem]
        coded: Coded | None = None
        if rate.level.isdigit() and int(rate.level) <= self.codec.finest and rate.scale > 0:
            level = int(rate.level)
            coded = timed(self.codec, scaled_down(image, rate.scale), self.codec.settings[level], level, rate.scale)
        path = self.path("image", stem)
        if coded is None or coded.bits != rate.bits or not _same(decoded(self.codec, coded, image.size), path):
            raise RunFailed(
                f"{path} has no stream, and {self.codec.name} gives another picture today than the version that made"
                " it. Make the references again with --overwrite, or choose another --ref_dir"
            )
        return _Made(replace(rate, seconds=round(coded.seconds, 4)), None, coded.stream, None)

    def _finish(self, job: tuple[str, str], bar: Any, made: _Made | ImageProblem | RunFailed) -> None:
        bar.update()
        kind, stem = job
        if isinstance(made, Exception):
            self.report.fail(f"{kind}/{stem}", f"{self.ground_truth[stem].name}: {kind} reference: {made}")
            return
        self.report.converted(self.ground_truth[stem].name, made.note)
        self._tell(made.rate)
        self.rates[job] = made.rate
        self.unsaved[job] = made
        if self._pace.due or len(self.unsaved) >= UNSAVED:
            self._save()

    def _save(self) -> None:
        """Write what is made. The rows first: a picture without a row would look like somebody else's and be refused.
        The picture last: with it, a reference is done.
        """
        if not self.unsaved:
            return
        with self._pace.saving():
            write_rates(self.file, self.rates)
        while self.unsaved:
            job = next(iter(self.unsaved))
            made = self.unsaved[job]
            if made.stream is not None:
                write_bytes(stream_file(self.folder, job[1], self.codec.extension), made.stream)
            if made.png is not None:
                write_bytes(self.path(*job), made.png)
            del self.unsaved[job]

    def _tell(self, rate: ReferenceRate) -> None:
        if rate.reference != "image":
            return
        if rate.bits > self.budget * rate.width * rate.height:
            what = f"{rate.codec} cannot reach {self.budget:g} bpp, and the reference is over it (rate.csv, bpp),"
        elif rate.scale > 1:
            what = f"coded at 1/{rate.scale} of its size to stay within {self.budget:g} bpp:"
        else:
            return
        self.report.gather(what, rate.name, len(self.ground_truth))


def _same(image: Image.Image, path: Path) -> bool:
    """Whether a file holds this RGB picture."""
    there, _ = read_rgb(path)
    return there.size == image.size and there.tobytes() == image.tobytes()
