"""Captioning: images through an encoder into Text/NAME.csv, image by image, with a manifest beside it."""

from __future__ import annotations

from contextlib import ExitStack
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
from ..ranks import Ranks
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
    adapter: str = ""  # what identifies a user's own adapter
    ranks: Ranks = Ranks()
    report: Report = field(default_factory=Report)


def make(request: Request) -> int:
    """Caption what Text/NAME.csv lacks. Returns the number of captions made. Raises BadInput, ModelError, OSError.

    With several processes each captions its share of the images into a file of its own, which process 0 takes over; the
    parts of processes that were killed are taken over by the next run.
    """
    ranks = request.ranks
    with ExitStack() as locks:
        if ranks.first:
            locks.enter_context(only_writer(request.file.parent / f".{request.file.stem}.lock", str(request.file)))
            for name in (request.file.stem + ".", f".{request.file.stem}.part-"):
                sweep(request.file.parent, name)
        work = _Work(request)
        made = sum(ranks.collect(work.run()))
        for failures in ranks.collect(request.report.failures):
            request.report.failures.update(failures)
        if ranks.first:
            work.take_parts()
        ranks.meet()  # torchrun ends the others when one has ended with an error
        return made


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
            "adapter": request.adapter,
        }
        self.texts: dict[str, str] = {}
        self.made_of: dict[str, dict[str, Any]] = {}  # image name -> digest of the picture, finish reason, usage

    def run(self) -> int:
        request, ranks = self.request, self.request.ranks
        images = {path.name: path for path in request.images.values()}
        missing: list[str] = []
        if ranks.first:
            self._resume()
            self.take_parts(anew=request.overwrite)
            self._drop_stale()
            missing = [name for name in images if name not in self.texts]
        missing, self.settings["dtype"], begun = ranks.tell((missing, self.settings["dtype"], bool(self.texts)))
        mine = ranks.share(missing)
        if not mine:
            return 0
        self._load(begun)
        made, total = 0, len(mine) if ranks.size > 1 else len(images)
        with progress(total, total - len(mine), "captions") as bar:
            for start in range(0, len(mine), request.batch_size):
                batch = mine[start : start + request.batch_size]
                made += self._batch({name: images[name] for name in batch})
                bar.update(len(batch))
        return made

    def _part(self, number: Any) -> Path:
        """The hidden file of a process other than 0: settings, texts and what they were made of."""
        return self.request.file.parent / f".{self.request.file.stem}.part-{number}.json"

    def take_parts(self, anew: bool = False) -> None:
        """Take over what other processes wrote, in this run or in one that was killed; anew: throw it away."""
        for path in sorted(self.request.file.parent.glob(self._part("*").name)):
            part = {} if anew else read_json(path)
            if problem := manifest.differences(part.get("settings", {}), self.settings):
                raise BadInput(f"{path} holds captions of another run: {problem}. Finish that run, or use --overwrite.")
            if part:
                self.texts |= part["texts"]
                self.made_of |= part["images"]
                self.settings["dtype"] = self.settings["dtype"] or part["settings"]["dtype"]
                self._write()
            path.unlink()

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

    def _drop_stale(self) -> None:
        """Forget the captions that are to be made anew, or that are of a picture that has changed since."""
        for name, path in ((path.name, path) for path in self.request.images.values()):
            if self.request.overwrite or self._changed(name, path):
                self.texts.pop(name, None)
                self.made_of.pop(name, None)

    def _changed(self, name: str, path: Path) -> bool:
        """Whether the picture is another one than the caption was made from; the new one gets a caption of its own."""
        before = self.made_of.get(name, {}).get("sha256")
        try:
            return name in self.texts and before is not None and before != digest(path.read_bytes())
        except OSError:
            return False

    def _load(self, begun: bool) -> None:
        """begun: whether there are captions already, which the new ones must fit."""
        request = self.request
        device = request.ranks.device(resolve_device(request.device))
        name, dtype = resolve_dtype(request.dtype, device, request.model.dtype)
        if begun and self.settings["dtype"] not in (None, name):
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
        if not self.request.ranks.first:
            part = {"settings": self.settings, "texts": self.texts, "images": self.made_of}
            write_json(self._part(self.request.ranks.number), part)
            return
        order = {name: place for place, name in enumerate(self.request.order)}
        names = sorted(self.texts, key=lambda name: (order.get(name, len(order)), name))
        record = {
            "settings": self.settings,
            "baseline": self.request.model.baseline,
            "model_dir": self.request.model_dir,
            "environment": manifest.environment(),
            "usage": _total(self.made_of),
            "images": {name: self.made_of[name] for name in names if name in self.made_of},
        }
        write_json(self.record_file, record)
        captions.write(self.request.file, {name: self.texts[name] for name in names})



def _why(answer: Union[Caption, ModelError]) -> str:
    if isinstance(answer, ModelError):
        return str(answer)
    return "the model gave no caption" + (f" (finish reason: {answer.finish_reason})" if answer.finish_reason else "")


def _total(made_of: dict[str, dict[str, Any]]) -> dict[str, float]:
    """What all captions cost: the sums of the numbers that the model told of each (tokens, perhaps dollars)."""
    total: dict[str, float] = {}
    for made in made_of.values():
        for key, value in (made.get("usage") or {}).items():
            if isinstance(value, (int, float)):
                total[key] = round(total.get(key, 0) + value, 6)
    return total
