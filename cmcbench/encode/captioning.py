"""Captioning: images through an encoder into Text/NAME.csv, image by image, with a manifest beside it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from models.base import Caption, ModelError

from ..errors import ImageProblem, RunFailed
from ..files.images import picture_bytes, read_rgb
from ..files.manifest import snapshot
from ..files.store import digest, only_writer, sweep
from ..runtime.batches import ask
from ..runtime.devices import resolve_device, resolve_dtype
from ..runtime.messages import progress
from .ledger import CaptionLedger
from .request import EncodeRequest

if TYPE_CHECKING:
    from PIL import Image


def make(request: EncodeRequest) -> int:
    """Caption what Text/NAME.csv lacks. Returns the number of captions made. Raises BadInput, ModelError, OSError.

    With several processes each captions its share of the images into a file of its own, which process 0 takes over; the
    parts of processes that were killed are taken over by the next run.
    """
    ranks = request.ranks
    with ExitStack() as locks:
        if ranks.first:
            locks.enter_context(only_writer(request.file.parent / f".{request.file.stem}.lock", str(request.file)))
            sweep(request.file.parent, request.file.stem + ".")
        ledger = CaptionLedger(request)
        try:
            mine = _caption_share(request, ledger)
        finally:  # also when it is interrupted
            ledger.end()
        made = sum(ranks.collect(mine))
        for failures in ranks.collect(request.report.failures):
            request.report.failures.update(failures)
        if ranks.first:
            ledger.take_over(ledger.others())
        ranks.meet()  # torchrun ends the others when one has ended with an error
        return made


def _caption_share(request: EncodeRequest, ledger: CaptionLedger) -> int:
    """Caption this process's share of what is missing. Returns the number of captions made."""
    ranks, images = request.ranks, {path.name: path for path in request.images.values()}
    missing: list[str] = []
    if ranks.first:
        ledger.open()
        missing = [name for name in images if name not in ledger.texts]
    missing, ledger.begun = ranks.tell((missing, ledger.begun))
    mine = ranks.share(missing)
    if not mine:
        return 0
    _load(request, ledger)
    made, total = 0, len(mine) if ranks.size > 1 else len(images)
    with progress(total, total - len(mine), "captions") as bar:
        for start in range(0, len(mine), request.batch_size):
            batch = mine[start : start + request.batch_size]
            made += _caption_batch(request, ledger, {name: images[name] for name in batch})
            bar.update(len(batch))
    return made


def _load(request: EncodeRequest, ledger: CaptionLedger) -> None:
    device = request.ranks.device(resolve_device(request.device))
    name, dtype = resolve_dtype(request.dtype, device, request.model.dtype)
    request.model.load(request.model_dir, device, dtype, seed=request.seed, **request.options)
    # A server computes in a type of its own, wherever it is asked from
    commit = snapshot(request.model_dir) if request.model.runs_on == "here" else None
    dtype_there = None if request.model.runs_on == "server" else name
    ledger.loaded({"dtype": dtype_there, "snapshot": commit, **request.model.identity})


def _caption_batch(request: EncodeRequest, ledger: CaptionLedger, images: dict[str, Path]) -> int:
    """Caption a few images. Returns how many got a caption."""
    model, report = request.model, request.report
    pictures: dict[str, Image.Image] = {}
    digests: dict[str, str] = {}
    for name, path in images.items():
        try:
            data = picture_bytes(path)
            pictures[name], note = read_rgb(data, name)
            digests[name] = digest(data)
            report.converted(name, note)
        except ImageProblem as error:
            report.fail(name, str(error))

    def keep(name: str, answer: Caption | ModelError, seconds: float | None = None) -> bool:
        """Whether there is a caption to keep."""
        text = " ".join(answer.text.split()) if isinstance(answer, Caption) else ""
        if text:
            ledger.keep(name, text, answer, digests[name], seconds)
        return bool(text)

    def caption(batch: list[tuple[str, Image.Image]]) -> list[Caption | ModelError]:
        model.on_answer = lambda place, answer: keep(batch[place][0], answer)
        return model.caption([picture for _, picture in batch], ledger.settings["prompt"], request.words)

    start, made = time.perf_counter(), 0
    answers = ask(model, caption, {name: (name, picture) for name, picture in pictures.items()})
    seconds = round((time.perf_counter() - start) / max(1, len(pictures)), 6)
    for name, answer in answers.items():
        if keep(name, answer, seconds):  # once more for those that were told of before: how long they took is known now
            made += 1
        else:
            report.fail(name, f"{name}: {_why(answer)}")
    ledger.save_if_due()
    if model.stopped:
        raise RunFailed(f"{model.stopped} What is finished is kept; the same command goes on from here.")
    return made


def _why(answer: Caption | ModelError) -> str:
    if isinstance(answer, ModelError):
        return str(answer)
    return "the model gave no caption" + (f" (finish reason: {answer.finish_reason})" if answer.finish_reason else "")
