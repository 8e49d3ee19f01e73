"""Captioning: images through an encoder into Text/NAME.csv, image by image, with a manifest beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

from models.base import Caption, I2TModel, ModelError

from .. import captions, manifest
from ..asking import ask
from ..dataset import read_rgb
from ..errors import BadInput, ImageProblem, RunFailed
from ..options import resolve_device, resolve_dtype
from ..protocol import i2t_prompt
from ..report import Report, progress
from ..store import digest, only_writer, read_json, sweep, write_json


@dataclass
class Request:
    """What the user asked for: which model captions which images, how, and where the captions go.

    images: stem -> path, those to caption. order: all of the ground truth's file names, the order of the rows.
    file: Text/NAME.csv. device and dtype as on the command line. options: what is handed to the model's `load` as it is.
    """

    model: I2TModel
    model_name: str
    model_dir: Optional[str]
    images: dict[str, Path]
    order: list[str]
    file: Path
    words: int
    seed: int
    device: str
    dtype: str
    batch_size: int
    overwrite: bool
    options: dict[str, Any]
    report: Report = field(default_factory=Report)


def make(request: Request) -> int:
    """Caption what Text/NAME.csv lacks. Returns the number of captions made. Raises BadInput, ModelError, OSError."""
    with only_writer(request.file.parent / f".{request.file.stem}.lock", str(request.file)):
        sweep(request.file.parent, f"{request.file.stem}.")
        return _Work(request).run()


class _Work:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.record_file = request.file.with_suffix(".json")
        self.settings: dict[str, Any] = {
            "model": request.model_name,
            "checkpoint": manifest.checkpoint(request.model_dir),
            "prompt": i2t_prompt(request.words),
            "words": request.words,
            "seed": request.seed,
            "dtype": None if request.dtype == "auto" else request.dtype,
            "command": request.options.get("command") or "",
        }
        self.texts: dict[str, str] = {}
        self.made_of: dict[str, dict[str, Any]] = {}  # image name -> digest of the picture, finish reason, usage

    def run(self) -> int:
        self._resume()
        images = {path.name: path for path in self.request.images.values()}
        missing = [name for name in images if name not in self.texts]
        if not missing:
            return 0
        self._load()
        made = 0
        with progress(len(images), len(images) - len(missing), "captions") as bar:
            for start in range(0, len(missing), self.request.batch_size):
                batch = missing[start : start + self.request.batch_size]
                made += self._batch({name: images[name] for name in batch})
                bar.update(len(batch))
        return made

    def _resume(self) -> None:
        """Take over what is there, if the same settings made it; refuse it otherwise, or drop it where asked to."""
        request = self.request
        if not request.file.exists():
            return
        chosen = {path.name for path in request.images.values()}
        try:
            found, record = captions.read(request.file), read_json(self.record_file)
        except BadInput:
            if not request.overwrite:
                raise
            return
        others = [name for name in found.texts if name not in chosen]
        if record is None:
            problem = "was not made by this program (it has no manifest beside it)"
        else:
            problem = manifest.differences(record.get("settings", {}), self.settings)
            problem = problem and f"has other settings: {problem}"
        if problem and (others or not request.overwrite):
            kept = f" {len(others)} of its captions are not among the images chosen now." if request.overwrite else ""
            raise BadInput(
                f"{request.file} {problem}.{kept} Write elsewhere with --output_path, or make all captions anew with "
                f"--overwrite (without --subset and --images)."
            )
        self.texts = dict(found.texts)
        self.made_of = dict(record.get("images", {})) if record else {}
        if self.settings["dtype"] is None and record:
            self.settings["dtype"] = record["settings"].get("dtype")
        for name, path in ((path.name, path) for path in request.images.values()):
            if request.overwrite or self._changed(name, path):
                self.texts.pop(name, None)
                self.made_of.pop(name, None)

    def _changed(self, name: str, path: Path) -> bool:
        """Whether the picture is another one than the caption was made from; the new one gets a caption of its own."""
        before = self.made_of.get(name, {}).get("sha256")
        try:
            return name in self.texts and before is not None and before != digest(path.read_bytes())
        except OSError:
            return False

    def _load(self) -> None:
        request = self.request
        device = resolve_device(request.device)
        name, dtype = resolve_dtype(request.dtype, device)
        if self.texts and self.settings["dtype"] not in (None, name):
            raise BadInput(
                f"{request.file} was begun with --dtype {self.settings['dtype']} and would go on with {name}. "
                f"Give --dtype {self.settings['dtype']}, or make all captions anew with --overwrite."
            )
        self.settings["dtype"] = name
        request.model.load(request.model_dir, device, dtype, seed=request.seed, **request.options)

    def _batch(self, images: dict[str, Path]) -> int:
        """Caption a few images and write the files. Returns how many got a caption."""
        pictures = {}
        for name, path in images.items():
            try:
                pictures[name], note = read_rgb(path)
                self.request.report.converted(name, note)
            except ImageProblem as error:
                self.request.report.fail(name, str(error))
        made = 0
        for name, answer in ask(self.request.model, self._caption, pictures).items():
            text = " ".join(answer.text.split()) if isinstance(answer, Caption) else ""
            if not text:
                why = _why(answer)
                self.request.report.fail(name, f"{name}: {why}")
                continue
            self.texts[name] = text
            self.made_of[name] = {"sha256": digest(images[name].read_bytes()), "finish_reason": answer.finish_reason}
            if answer.usage:
                self.made_of[name]["usage"] = answer.usage
            made += 1
        if made:
            self._write()
        if self.request.model.stopped:
            raise RunFailed(f"{self.request.model.stopped} What is finished is kept; the same command goes on from here.")
        return made

    def _caption(self, pictures: list[Any]) -> list[Union[Caption, ModelError]]:
        return self.request.model.caption(pictures, self.settings["prompt"], self.request.words)

    def _write(self) -> None:
        """The manifest first: a caption without a manifest would look like somebody else's."""
        order = {name: place for place, name in enumerate(self.request.order)}
        names = sorted(self.texts, key=lambda name: (order.get(name, len(order)), name))
        record = {
            "settings": self.settings,
            "baseline": self.request.model.baseline,
            "model_dir": self.request.model_dir,
            "environment": manifest.environment(),
            "images": {name: self.made_of[name] for name in names if name in self.made_of},
        }
        write_json(self.record_file, record)
        captions.write(self.request.file, {name: self.texts[name] for name in names})



def _why(answer: Union[Caption, ModelError]) -> str:
    if isinstance(answer, ModelError):
        return str(answer)
    return "the model gave no caption" + (f" (finish reason: {answer.finish_reason})" if answer.finish_reason else "")
