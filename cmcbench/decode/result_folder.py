"""Result/NAME before anything is made: what is there, whether it may be gone on with, and its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.secrets import without_secrets_in

from ..bitstream.inputs import DecoderInput
from ..errors import BadInput
from ..files import rates
from ..files.images import is_whole_png
from ..files.result_manifest import Inputs, ResultManifest
from ..files.store import only_writer, refuse_links

if TYPE_CHECKING:
    from .request import DecodeRequest

OWN = ("strength",)  # settings that a mode may have for itself; in all others the modes of a result agree
LATE = ("dtype", "revision")  # settings that are known once the model is loaded
MAKER = ("model", "checkpoint", "base")
COMPARED = (("prompt", "caption"), ("guide", "reference"), ("size", "size"))  # inputs, and what they are called


class ResultFolder:
    """The folder of one request. Raises BadInput where its manifest or its rates.csv is broken.

    settings: those of the request, and LATE ones as the folder was begun with them until the model is loaded.
    """

    def __init__(self, request: DecodeRequest) -> None:
        self.request = request
        refuse_links(request.folder, *(request.folder / mode for mode in request.jobs))
        self.manifest = ResultManifest(request.folder, "--result_name")
        for old in self.manifest.before.values():  # an earlier version kept the secrets of a command line
            old["settings"] = without_secrets_in(old["settings"])
        rates.read(request.folder / rates.FILE)
        begun = next((old["settings"] for old in self.manifest.before.values()), {})
        self.settings = {mode: dict(settings) for mode, settings in request.settings.items()}
        for settings in self.settings.values():
            settings |= {key: begun[key] for key in LATE if settings.get(key) is None and begun.get(key) is not None}
            if all(begun.get(key) == settings.get(key) for key in MAKER):  # what an earlier run's loading told besides
                settings |= {key: value for key, value in begun.items() if key not in settings}
            if settings.get("lora_revision") is None and begun.get("lora") == settings.get("lora"):
                settings["lora_revision"] = begun.get("lora_revision")

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
        shared = {key: value for key, value in next(iter(self.settings.values())).items() if key not in OWN}
        self.manifest.check_other_modes(self.request.jobs, shared)
        for mode in self.request.jobs:
            inputs = self._inputs(mode)

            def changed(before: Inputs, stems: list[str], now: Inputs = inputs) -> str:
                return _changed(before, now, stems)

            self.manifest.check_mode(mode, self.settings[mode], inputs, self.request.overwrite, changed)

    def _inputs(self, mode: str) -> Inputs:
        return {job.stem: job.inputs for job in self.request.jobs[mode]}

    def set_late(self, **late: str | None) -> None:
        """Enter settings that are known once the model is loaded. Refuses to go on with others than the folder's.

        dtype: the number format. revision: the commit of a hub checkpoint, None where it is not known.
        """
        remedies = {"dtype": "--dtype {}", "revision": "--model_dir NAME@{}"}
        for settings in self.settings.values():
            for key, value in late.items():
                before = settings.get(key)
                if None not in (before, value) and before != value and not self.request.overwrite:
                    remedy = remedies.get(key, "the same files").format(before)
                    raise BadInput(
                        f"{self.request.folder} was begun with {key} {before} and would go on with {value}. Give "
                        f"{remedy}, choose another --result_name, or replace all with --overwrite."
                    )
                if value is not None:
                    settings[key] = value

    def remove(self, jobs: dict[str, list[DecoderInput]]) -> None:
        """Once the model is there, take away what is made again, so that a killed run cannot pass the old for the
        new.
        """
        for mode, planned in jobs.items():
            for job in planned:
                self.path(mode, job).unlink(missing_ok=True)

    def record(self) -> None:
        """Write the manifest before the images, so that no image is without it."""
        made = {mode: (self.settings[mode], self._inputs(mode)) for mode in self.request.jobs}
        with only_writer(self.request.folder / ".manifest.lock", str(self.manifest.file), wait=30):
            self.manifest.record(made, self.request.facts, self.request.model.baseline)


def _changed(before: Inputs, now: Inputs, stems: list[str]) -> str:
    """Which inputs of these images have changed since, as a phrase."""
    changed: dict[str, list[str]] = {}
    for stem in stems:
        seen = before.get(stem)
        seen = seen if isinstance(seen, dict) else {}
        for key, what in COMPARED:
            if seen.get(key) != now[stem][key]:
                changed.setdefault(what, []).append(stem)
    return ", ".join(f"{len(stems)} have another {what} now (first: {stems[0]})" for what, stems in changed.items())
