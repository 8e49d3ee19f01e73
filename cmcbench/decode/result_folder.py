"""Result/NAME before anything is made: what is there, whether it may be gone on with, and its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bitstream.inputs import DecoderInput
from ..errors import BadInput
from ..files import manifest, rates
from ..files.images import is_whole_png
from ..files.store import only_writer, read_json, write_json
from ..protocol import MODES

if TYPE_CHECKING:
    from .request import DecodeRequest

OWN = ("strength",)  # settings that a mode may have for itself; in all others the modes of a result agree


class ResultFolder:
    """The folder of one request. Raises BadInput where its manifest or its rates.csv is broken."""

    def __init__(self, request: DecodeRequest) -> None:
        self.request = request
        self.file = request.folder / "manifest.json"
        self.before = manifest.modes(read_json(self.file) or {}, self.file)
        rates.read(request.folder / rates.FILE)
        for settings in request.settings.values():
            if settings["dtype"] is None:  # automatic is what the folder was begun with, until the device is known
                settings["dtype"] = next((old["settings"].get("dtype") for old in self.before.values()), None)

    def path(self, mode: str, job: DecoderInput) -> Path:
        return self.request.folder / mode / f"{job.stem}.png"

    def missing(self) -> dict[str, list[DecoderInput]]:
        """mode -> the jobs that are still to do."""
        return {
            mode: [job for job in jobs if self.request.overwrite or not is_whole_png(self.path(mode, job))]
            for mode, jobs in self.request.jobs.items()
        }

    def check(self) -> None:
        """Refuse to mix: whatever is in the folder after this run must come from the same model, captions and
        settings.
        """
        request = self.request
        for mode, old in self.before.items():
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
                problem = manifest.differences(old["settings"], request.settings[mode]) or _other_inputs(
                    old, jobs, made
                )
                problem = problem if made else ""
                remedy = (
                    "Choose another --result_name, or make it anew with --overwrite (without --subset and --images)."
                )
            if problem:
                raise BadInput(
                    f"{request.folder / mode} holds {len(made)} image(s) made otherwise: {problem}. {remedy}"
                )
        for mode, jobs in request.jobs.items():
            unknown = [job for job in jobs if mode not in self.before and self.path(mode, job).exists()]
            if unknown and not request.overwrite:
                raise BadInput(
                    f"{request.folder / mode} holds {len(unknown)} image(s) and no manifest tells what made them. "
                    "Choose another --result_name, or make them anew with --overwrite."
                )

    def computed_in(self, dtype: str) -> None:
        """The device is known, and with it the number format. Refuses to go on in another one than the folder's."""
        request = self.request
        for settings in request.settings.values():
            if settings["dtype"] not in (None, dtype) and not request.overwrite:
                raise BadInput(
                    f"{request.folder} was begun with --dtype {settings['dtype']} and would go on with {dtype}. "
                    f"Give --dtype {settings['dtype']}, choose another --result_name, or make it anew with --overwrite."
                )
            settings["dtype"] = dtype

    def remove(self, jobs: dict[str, list[DecoderInput]]) -> None:
        """Once the model is there, take away what is made anew, so that a killed run cannot pass the old for the
        new.
        """
        for mode, planned in jobs.items():
            for job in planned:
                self.path(mode, job).unlink(missing_ok=True)

    def record(self) -> None:
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


def _other_inputs(old: dict[str, Any], jobs: dict[str, DecoderInput], made: set[str]) -> str:
    """Which inputs of images already made have changed since, as a phrase."""
    changed: dict[str, list[str]] = {}
    for stem in sorted(made & set(jobs)):
        seen, now = old["inputs"].get(stem), jobs[stem].inputs
        seen = seen if isinstance(seen, dict) else {}
        for key, what in (("prompt", "caption"), ("guide", "reference"), ("size", "size")):
            if seen.get(key) != now[key]:
                changed.setdefault(what, []).append(stem)
    return ", ".join(f"{len(stems)} have another {what} now (first: {stems[0]})" for what, stems in changed.items())
