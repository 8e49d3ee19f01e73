"""Decoding: jobs through a decoder into Result/NAME/MODE/*.png, resumable, with what made them and what each cost
beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.base import Job, ModelError
from models.secrets import without_secrets

from ..bitstream.inputs import DecoderInput
from ..errors import ImageProblem, RunFailed, first_line
from ..files.images import read_rgb
from ..files.store import digest, only_writer, png_bytes, sweep, write_bytes
from ..protocol import image_seed, working_size
from ..runtime.batches import ask
from ..runtime.beside import Ahead, Behind, threads
from ..runtime.devices import resolve_device, resolve_dtype
from ..runtime.messages import progress
from .clock import Clock
from .ledger import CostLedger
from .request import DecodeRequest
from .result_folder import ResultFolder

if TYPE_CHECKING:
    from PIL.Image import Image


def make(*requests: DecodeRequest) -> int:
    """Make the reconstructions that are missing, of several results by one load of their model. Returns their number.

    The requests of a call differ in folder, jobs, settings and facts alone. With several processes each makes its share
    of the images, and process 0 holds the locks, writes the manifest and reports the failures of all. Raises BadInput,
    before anything is loaded, where a folder holds what other captions, another checkpoint or other settings made.
    """
    ranks, report = requests[0].ranks, requests[0].report
    with ExitStack() as locks:
        if ranks.first:
            for request in requests:
                for mode in request.jobs:
                    place = request.folder / mode
                    locks.enter_context(only_writer(request.folder / f".{mode}.lock", str(place)))
                    sweep(place)
        works = [_Decoding(request, several=len(requests) > 1) for request in requests]
        planned = [each for work in works for each in work.planned()]
        with Ahead(_prepared, planned, 2 * requests[0].batch_size + threads(), _weight) as ready:
            if planned:
                _load(works)  # while the first guides are read
            for work in works:
                work.settle()
            ranks.meet()  # no image before the manifest
            clock = Clock(sum(work.batches for work in works), works[0].device, requests[0].model.runs_on == "here")
            made = sum(ranks.collect(sum(work.run(clock, ready) for work in works)))
        for failures in ranks.collect(report.failures):
            report.failures.update(failures)
        if ranks.first:
            for work in works:
                work.costs.take_over()
        ranks.meet()  # torchrun ends the others when one has ended with an error
        return made


def _load(works: list[_Decoding]) -> None:
    """Load the model for all that this process is going to make."""
    first = works[0].request
    device = first.ranks.device(resolve_device(first.device))
    name, dtype = resolve_dtype(first.dtype, device, first.model.dtype)
    for work in works:
        work.device = device
        work.place.set_late(dtype=name)
        if first.ranks.first:
            work.place.check()
    modes = frozenset(mode for work in works for mode, jobs in work.mine.items() if jobs)
    asked = {(mode, work.request.settings[mode]["strength"]) for work in works for mode in modes & set(work.mine)}
    steps = next(iter(first.settings.values()))["steps"]
    strengths = sorted(asked, key=lambda pair: (pair[0], pair[1] or 0))
    first.model.load(first.model_dir, device, dtype, modes, steps=steps, strengths=strengths, **first.options)
    for work in works:
        work.place.set_late(**{"revision": first.model.revision, **first.model.identity})
        if first.ranks.first:
            work.place.check()


@dataclass(frozen=True)
class _Planned:
    """A reconstruction to make, of a mode with these settings."""

    settings: dict[str, Any]
    of: DecoderInput


@dataclass(frozen=True)
class _Ready:
    """What the model gets for one, and the note of its guide's conversion."""

    job: Job
    note: str | None


def _prepared(planned: _Planned) -> _Ready:
    """The guide read, in a thread of its own. Raises ImageProblem."""
    settings, of = planned.settings, planned.of
    guide, note = (None, None) if of.guide is None else read_rgb(of.guide)
    seed = image_seed(settings["seed"], of.stem)
    size = working_size(*of.size)
    return _Ready(Job(of.stem, of.prompt, guide, size, seed, settings["strength"], settings["steps"]), note)


def _weight(ready: _Ready) -> int:
    return 3 * ready.job.guide.width * ready.job.guide.height if ready.job.guide else 0


class _Decoding:
    """One request: which of its images are missing, and which of them are this process's."""

    def __init__(self, request: DecodeRequest, several: bool) -> None:
        self.request, self.several = request, several
        self.place = ResultFolder(request)
        self.costs = CostLedger(request.folder, request.jobs, request.ranks)
        self.device = "cpu"
        self.made = 0
        self.missing: dict[str, list[DecoderInput]] = {}
        if request.ranks.first:
            self.place.check()
            self.missing = self.place.missing()
        self.missing = request.ranks.tell(self.missing)
        self.mine = {mode: request.ranks.share(jobs) for mode, jobs in self.missing.items()}

    @property
    def batches(self) -> int:
        return sum(len(list(self._batches(jobs))) for jobs in self.mine.values())

    def planned(self) -> Iterator[_Planned]:
        """What this process makes, in the order in which `run` does."""
        for mode, jobs in self.mine.items():
            for batch in self._batches(jobs):
                yield from (_Planned(self.request.settings[mode], each) for each in batch)

    def settle(self) -> None:
        """Process 0, once the model is loaded: the manifest, rates of what is there, room for what is re-created."""
        if self.request.ranks.first:
            self.costs.open(self.missing)
            if self.request.overwrite:
                self.place.remove(self.missing)
            self.place.record()

    def run(self, clock: Clock, ready: Ahead[_Planned, _Ready]) -> int:
        """Make this process's images, which `ready` gives in the order of `planned`. Returns their number."""
        request = self.request
        try:
            for mode, jobs in self.mine.items():
                total = len(jobs) if request.ranks.size > 1 else len(request.jobs[mode])
                with (
                    progress(total, total - len(jobs), self._label(mode)) as bar,
                    Behind(request.batch_size + threads()) as behind,
                ):
                    for batch in self._batches(jobs):
                        self._batch(mode, batch, ready.take(len(batch)), clock, behind, bar)
        finally:  # also when it is interrupted
            self.costs.end()
        return self.made

    def _label(self, mode: str) -> str:
        return f"{mode} of {self.request.folder.name}" if self.several else mode

    def _fail(self, mode: str, stem: str, problem: str) -> None:
        self.request.report.fail(f"{self._label(mode)}/{stem}", f"{problem} (mode {self._label(mode)})")

    def _batches(self, jobs: list[DecoderInput]) -> Iterator[list[DecoderInput]]:
        """Batches of equal size: a decoder would silently bring a mixed batch to the size of its first image."""
        size = min(self.request.batch_size, self.request.model.max_batch or self.request.batch_size)
        groups: dict[tuple[int, int], list[DecoderInput]] = {}
        for job in jobs:
            groups.setdefault(job.size, []).append(job)
        for group in groups.values():
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _batch(
        self,
        mode: str,
        planned: list[DecoderInput],
        ready: list[tuple[_Planned, Future[_Ready]]],
        clock: Clock,
        behind: Behind,
        bar: Any,
    ) -> None:
        """Make a few images, and have them written behind the model's back."""
        from PIL.Image import Image

        model, jobs, of = self.request.model, {}, {each.stem: each for each in planned}
        for each, (_, prepared) in zip(planned, ready, strict=True):
            try:
                found = prepared.result()
            except ImageProblem as error:
                self._fail(mode, each.stem, str(error))
                bar.update()
                continue
            if each.guide is not None:
                self.request.report.converted(each.guide.name, found.note)
            jobs[each.stem] = found.job
        clock.start()
        answers = ask(model, model.generate, jobs, Image)
        seconds, memory = clock.stop(len(jobs)), clock.memory()
        for stem, image in answers.items():
            self._write(mode, of[stem], image, (seconds, memory), behind, bar)
        self.costs.save_if_due(behind)
        if model.stopped:
            raise RunFailed(f"{model.stopped} What is finished is kept; the same command goes on from here.")

    def _write(
        self,
        mode: str,
        of: DecoderInput,
        image: Image | ModelError,
        spent: tuple[float | None, int | None],
        behind: Behind,
        bar: Any,
    ) -> None:
        """Have one picture written, and its row entered once it is there."""
        path = self.place.path(mode, of)
        picture = image if isinstance(image, ModelError) else _copy(image)

        def finish() -> str | ModelError:
            png = picture if isinstance(picture, ModelError) else _finished(picture, of.size)
            if isinstance(png, ModelError):
                return png
            write_bytes(path, png)
            return digest(png)

        def settle(seen: str | ModelError) -> None:
            if isinstance(seen, ModelError):
                self._fail(mode, of.stem, f"{of.stem}: {without_secrets(str(seen))}")
            else:
                self.costs.add(of, seen, *spent)
                self.made += 1
            bar.update()

        behind.put(finish, settle)


def _copy(image: Image) -> Image | ModelError:
    """A decoder's picture in RGB and out of its hands: it may use the same memory for the next one."""
    if not (image.width and image.height):
        return ModelError(f"the model's picture cannot be used: it has {image.width}x{image.height} pixels")
    try:
        return image.convert("RGB")
    except Exception as error:  # what Pillow raises for a picture that it has not read yet
        return _unusable(error)


def _finished(image: Image, size: tuple[int, int]) -> bytes | ModelError:
    """An RGB picture as the PNG to write, at the ground truth's size."""
    try:
        return png_bytes(image if image.size == size else image.resize(size))
    except Exception as error:
        return _unusable(error)


def _unusable(error: Exception) -> ModelError:
    return ModelError(f"the model's picture cannot be used ({type(error).__name__}: {first_line(error)})")
