"""Decoding: jobs through a decoder into Result/NAME/MODE/*.png, resumable, with what made them and what each cost
beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from models.base import Job, ModelError

from ..bitstream.inputs import DecoderInput
from ..errors import ImageProblem, RunFailed
from ..files.images import read_rgb
from ..files.manifest import snapshot
from ..files.store import only_writer, png_bytes, sweep, write_bytes
from ..protocol import image_seed, working_size
from ..runtime.batches import ask
from ..runtime.devices import resolve_device, resolve_dtype
from ..runtime.messages import progress
from .clock import Clock
from .ledger import CostLedger
from .request import DecodeRequest
from .result_folder import ResultFolder


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
        if any(any(work.mine.values()) for work in works):
            _load(works)
        for work in works:
            work.settle()
        ranks.meet()  # no image before the manifest
        clock = Clock(sum(work.batches for work in works), works[0].device, requests[0].model.runs_on == "here")
        made = sum(ranks.collect(sum(work.run(clock) for work in works)))
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
    first.model.load(first.model_dir, device, dtype, modes, **first.options)
    commit = snapshot(first.model_dir) if first.model.runs_on == "here" else None
    for work in works:
        work.place.set_late(snapshot=commit)
        if first.ranks.first:
            work.place.check()


class _Decoding:
    """One request: which of its images are missing, and which of them are this process's."""

    def __init__(self, request: DecodeRequest, several: bool) -> None:
        self.request, self.several = request, several
        self.place = ResultFolder(request)
        self.costs = CostLedger(request.folder, request.jobs, request.ranks)
        self.device = "cpu"
        self.missing: dict[str, list[DecoderInput]] = {}
        if request.ranks.first:
            self.place.check()
            self.missing = self.place.missing()
        self.missing = request.ranks.tell(self.missing)
        self.mine = {mode: request.ranks.share(jobs) for mode, jobs in self.missing.items()}

    @property
    def batches(self) -> int:
        return sum(len(list(self._batches(jobs))) for jobs in self.mine.values())

    def settle(self) -> None:
        """Process 0, once the model is loaded: the manifest, rates of what is there, room for what is re-created."""
        if self.request.ranks.first:
            self.costs.open(self.missing)
            if self.request.overwrite:
                self.place.remove(self.missing)
            self.place.record()

    def run(self, clock: Clock) -> int:
        """Make this process's images. Returns their number."""
        request, made = self.request, 0
        try:
            for mode, jobs in self.mine.items():
                total = len(jobs) if request.ranks.size > 1 else len(request.jobs[mode])
                with progress(total, total - len(jobs), self._label(mode)) as bar:
                    for batch in self._batches(jobs):
                        made += self._batch(mode, batch, clock)
                        bar.update(len(batch))
        finally:  # also when it is interrupted
            self.costs.end()
        return made

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

    def _batch(self, mode: str, planned: list[DecoderInput], clock: Clock) -> int:
        """Make a few images and write them. Returns how many were made."""
        model, jobs, of = self.request.model, {}, {each.stem: each for each in planned}
        for each in planned:
            try:
                jobs[each.stem] = self._job(mode, each)
            except ImageProblem as error:
                self._fail(mode, each.stem, str(error))
        made = 0
        clock.start()
        answers = ask(model, model.generate, jobs)
        seconds, memory = clock.stop(len(jobs)), clock.memory()
        for stem, image in answers.items():
            if isinstance(image, ModelError):
                self._fail(mode, stem, f"{stem}: {image}")
                continue
            self._write(mode, of[stem], image, seconds, memory)
            made += 1
        self.costs.save_if_due()
        if model.stopped:
            raise RunFailed(f"{model.stopped} What is finished is kept; the same command goes on from here.")
        return made

    def _write(self, mode: str, planned: DecoderInput, image: Any, seconds: float | None, memory: int | None) -> None:
        image = image.convert("RGB")
        png = png_bytes(image if image.size == planned.size else image.resize(planned.size))
        write_bytes(self.place.path(mode, planned), png)
        self.costs.add(planned, png, seconds, memory)

    def _job(self, mode: str, planned: DecoderInput) -> Job:
        settings = self.request.settings[mode]
        guide = None
        if planned.guide is not None:
            guide, note = read_rgb(planned.guide)
            self.request.report.converted(planned.guide.name, note)
        seed = image_seed(settings["seed"], planned.stem)
        return Job(
            planned.stem,
            planned.prompt,
            guide,
            working_size(*planned.size),
            seed,
            settings["strength"],
            settings["steps"],
        )
