"""Decoding: jobs through a decoder into Result/NAME/MODE/*.png, resumable, with a manifest that tells what made them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Optional

from models.base import Job, ModelError, T2IModel

from .. import manifest
from ..asking import ask
from ..dataset import is_whole_png, read_rgb
from ..errors import BadInput, ImageProblem, RunFailed
from ..options import resolve_device, resolve_dtype
from ..protocol import MODES, image_seed, working_size
from ..ranks import Ranks
from ..report import Report, progress
from ..store import only_writer, read_json, sweep, write_json, write_png
from .jobs import Planned

OWN = ("strength",)  # settings that a mode may have for itself; in all others the modes of a result agree


@dataclass
class Request:
    """What the user asked for. jobs: mode name -> its jobs. folder: Result/NAME. settings: mode name -> its settings,
    as the manifest keeps them; dtype may be None, for the device to decide."""

    model: T2IModel
    model_dir: Optional[str]
    jobs: dict[str, list[Planned]]
    folder: Path
    settings: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    device: str
    dtype: str
    batch_size: int
    overwrite: bool
    options: dict[str, Any] = field(default_factory=dict)  # handed to the model's `load` as they are
    ranks: Ranks = Ranks()
    report: Report = field(default_factory=Report)


def make(request: Request) -> int:
    """Make the reconstructions that are missing. Returns their number.

    With several processes each makes its share of the images, and process 0 holds the locks, writes the manifest and
    reports the failures of all. Raises BadInput where the folder holds what other captions, another checkpoint or
    other settings made.
    """
    ranks = request.ranks
    with ExitStack() as locks:
        if ranks.first:
            for mode in request.jobs:
                place = request.folder / mode
                locks.enter_context(only_writer(request.folder / f".{mode}.lock", str(place)))
                sweep(place)
        made = sum(ranks.collect(_Work(request).run()))
        for failures in ranks.collect(request.report.failures):
            request.report.failures.update(failures)
        ranks.meet()  # torchrun ends the others when one has ended with an error
        return made


class _Work:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.file = request.folder / "manifest.json"

    def run(self) -> int:
        request, ranks = self.request, self.request.ranks
        before = manifest.modes(read_json(self.file) or {}, self.file)
        for settings in request.settings.values():
            self._inherit(settings, before)
        missing = {}
        if ranks.first:
            self._check(before)
            missing = {mode: self._missing(mode, jobs) for mode, jobs in request.jobs.items()}
        missing = ranks.tell(missing)
        mine = {mode: ranks.share(jobs) for mode, jobs in missing.items()}
        if any(mine.values()):
            self._load(frozenset(mode for mode in mine if mine[mode]), before)
        if ranks.first:
            if request.overwrite:
                self._remove(missing)
            self._record()
        ranks.meet()  # no image before the manifest
        made = 0
        for mode, jobs in mine.items():
            total = len(jobs) if ranks.size > 1 else len(request.jobs[mode])
            with progress(total, total - len(jobs), mode) as bar:
                for batch in self._batches(jobs):
                    made += self._batch(mode, batch)
                    bar.update(len(batch))
        return made

    def _path(self, mode: str, job: Planned) -> Path:
        return self.request.folder / mode / f"{job.stem}.png"

    def _missing(self, mode: str, jobs: list[Planned]) -> list[Planned]:
        return [job for job in jobs if self.request.overwrite or not is_whole_png(self._path(mode, job))]

    def _inherit(self, settings: dict[str, Any], before: dict[str, Any]) -> None:
        """An automatic dtype is the one that the folder was begun with, until the device is known."""
        if settings["dtype"] is None:
            settings["dtype"] = next((old["settings"].get("dtype") for old in before.values()), None)

    def _check(self, before: dict[str, Any]) -> None:
        """Refuse to mix: whatever is in the folder after this run must come from the same model, captions and settings."""
        request = self.request
        for mode, old in before.items():
            made = {path.stem for path in (request.folder / mode).glob("*.png")}
            if mode not in request.jobs:
                # Another mode, which this run leaves as it is
                shared = {key: value for key, value in next(iter(request.settings.values())).items() if key not in OWN}
                problem = manifest.differences(old["settings"], shared) if made else ""
                remedy = "Choose another --result_name, or make all modes anew with --mode all --overwrite."
            else:
                jobs = {job.stem: job for job in request.jobs[mode]}
                if request.overwrite:
                    made -= set(jobs)
                problem = manifest.differences(old["settings"], request.settings[mode]) or self._other_inputs(old, jobs, made)
                problem = problem if made else ""
                remedy = "Choose another --result_name, or make it anew with --overwrite (without --subset and --images)."
            if problem:
                raise BadInput(f"{request.folder / mode} holds {len(made)} image(s) made otherwise: {problem}. {remedy}")
        for mode, jobs in request.jobs.items():
            unknown = [job for job in jobs if mode not in before and self._path(mode, job).exists()]
            if unknown and not request.overwrite:
                raise BadInput(
                    f"{request.folder / mode} holds {len(unknown)} image(s) and no manifest tells what made them. "
                    f"Choose another --result_name, or make them anew with --overwrite."
                )

    def _other_inputs(self, old: dict[str, Any], jobs: dict[str, Planned], made: set[str]) -> str:
        """Which inputs of images already made have changed since, as a phrase."""
        changed: dict[str, list[str]] = {}
        for stem in sorted(made & set(jobs)):
            seen, now = old["inputs"].get(stem) or {}, jobs[stem].inputs
            for key, what in (("prompt", "caption"), ("guide", "reference"), ("size", "size")):
                if seen.get(key) != now[key]:
                    changed.setdefault(what, []).append(stem)
        return ", ".join(f"{len(stems)} have another {what} now (first: {stems[0]})" for what, stems in changed.items())

    def _load(self, modes: frozenset[str], before: dict[str, Any]) -> None:
        request = self.request
        device = request.ranks.device(resolve_device(request.device))
        name, dtype = resolve_dtype(request.dtype, device, request.model.dtype)
        for mode, settings in request.settings.items():
            if settings["dtype"] not in (None, name) and not request.overwrite:
                raise BadInput(
                    f"{request.folder} was begun with --dtype {settings['dtype']} and would go on with {name}. "
                    f"Give --dtype {settings['dtype']}, choose another --result_name, or make it anew with --overwrite."
                )
            settings["dtype"] = name
        if request.ranks.first:
            self._check(before)
        request.model.load(request.model_dir, device, dtype, modes, **request.options)

    def _remove(self, jobs: dict[str, list[Planned]]) -> None:
        """Once the model is there, take away what is made anew, so that a killed run cannot pass the old for the new."""
        for mode, planned in jobs.items():
            for job in planned:
                self._path(mode, job).unlink(missing_ok=True)

    def _record(self) -> None:
        """Write the manifest before the images, so that no image is without it."""
        request = self.request
        with only_writer(request.folder / ".manifest.lock", str(self.file), wait=30):
            record = read_json(self.file) or {}
            modes = manifest.modes(record, self.file)
            for mode, jobs in request.jobs.items():
                inputs = {**modes.get(mode, {}).get("inputs", {}), **{job.stem: job.inputs for job in jobs}}
                modes[mode] = {"settings": request.settings[mode], "inputs": dict(sorted(inputs.items()))}
            # Image mode has no captions and takes none away that another mode was made with
            facts = {key: value if value is not None else record.get(key) for key, value in request.facts.items()}
            facts = {**facts, "baseline": request.model.baseline, "environment": manifest.environment()}
            write_json(self.file, {**facts, "modes": {mode: modes[mode] for mode in MODES if mode in modes}})

    def _batches(self, jobs: list[Planned]) -> Iterator[list[Planned]]:
        """Batches of equal size: a decoder would silently bring a mixed batch to the size of its first image."""
        size = min(self.request.batch_size, self.request.model.max_batch or self.request.batch_size)
        groups: dict[tuple[int, int], list[Planned]] = {}
        for job in jobs:
            groups.setdefault(job.size, []).append(job)
        for group in groups.values():
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _batch(self, mode: str, planned: list[Planned]) -> int:
        """Make a few images and write them. Returns how many were made."""
        jobs = {}
        for each in planned:
            try:
                jobs[each.stem] = self._job(mode, each)
            except ImageProblem as error:
                self.request.report.fail(f"{mode}/{each.stem}", f"{error} (mode {mode})")
        made = 0
        sizes = {each.stem: (self._path(mode, each), each.size) for each in planned}
        for stem, image in ask(self.request.model, self.request.model.generate, jobs).items():
            if isinstance(image, ModelError):
                self.request.report.fail(f"{mode}/{stem}", f"{stem}: {image} (mode {mode})")
                continue
            path, size = sizes[stem]
            image = image.convert("RGB")
            write_png(path, image if image.size == size else image.resize(size))
            made += 1
        if self.request.model.stopped:
            raise RunFailed(f"{self.request.model.stopped} What is finished is kept; the same command goes on from here.")
        return made

    def _job(self, mode: str, planned: Planned) -> Job:
        settings = self.request.settings[mode]
        guide = None
        if planned.guide is not None:
            guide, note = read_rgb(planned.guide)
            self.request.report.converted(planned.guide.name, note)
        seed = image_seed(settings["seed"], planned.stem)
        return Job(
            planned.stem, planned.prompt, guide, working_size(*planned.size), seed, settings["strength"], settings["steps"]
        )
