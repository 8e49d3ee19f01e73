"""Captioning: images through an encoder into Text/NAME.csv, image by image, with a manifest beside it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.base import Caption, ModelError
from models.secrets import without_secrets

from ..errors import ImageProblem, RunFailed
from ..files.images import image_size, picture_bytes, read_rgb
from ..files.store import digest, only_writer, sweep
from ..runtime.batches import ask
from ..runtime.beside import Ahead, threads
from ..runtime.devices import resolve_device, resolve_dtype
from ..runtime.messages import progress, say
from .ledger import CaptionLedger
from .request import EncodeRequest
from .suspicion import described, suspicions

if TYPE_CHECKING:
    from PIL.Image import Image

WINDOW = 8  # batches within which images are sorted by size


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
            ledger.take_over(ledger.merge_journals())
            for line in suspicions(ledger.chosen, ledger.texts, ledger.made_of):
                say(f"warning: {line}")
            say(described(ledger.chosen, ledger.texts, ledger.made_of, request.words))
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
    batches = _batches(mine, images, request)
    total = len(mine) if ranks.size > 1 else len(images)
    size = request.batch_size
    with Ahead(_read, [images[name] for batch in batches for name in batch], 2 * size + threads(), _weight) as pictures:
        _load(request, ledger)  # while the first pictures are read

        def gathered(batch: list[str]) -> _Batch:
            return _gathered(request, ledger.settings["prompt"], pictures.take(len(batch)))

        made = 0
        with progress(total, total - len(mine), "captions") as bar, Ahead(gathered, batches, 1, workers=1) as ready:
            for names, batch in ready:
                made += _caption_batch(request, ledger, batch.result())
                bar.update(len(names))
    return made


def _batches(names: list[str], images: dict[str, Path], request: EncodeRequest) -> list[list[str]]:
    """The batches. For a model that works here, images of like sizes go together within a window, so that a batch is
    padded little; neither captions nor the order of their rows depend on it.
    """
    size = request.batch_size
    if size > 1 and request.model.runs_on == "here":
        wide = {name: _pixels(images[name]) for name in names}
        windows = [names[start : start + WINDOW * size] for start in range(0, len(names), WINDOW * size)]
        names = [name for window in windows for name in sorted(window, key=wide.__getitem__)]
    return [names[start : start + size] for start in range(0, len(names), size)]


def _pixels(path: Path) -> tuple[int, int]:
    """(pixels, width) of a picture, (0, 0) of one that cannot be read."""
    try:
        width, height = image_size(path)
    except ImageProblem:
        return 0, 0
    return width * height, width


def _load(request: EncodeRequest, ledger: CaptionLedger) -> None:
    device = request.ranks.device(resolve_device(request.device))
    name, dtype = resolve_dtype(request.dtype, device, request.model.dtype)
    asked = {"prompt": ledger.settings["prompt"], "words": request.words, "seed": request.seed}
    request.model.load(request.model_dir, device, dtype, **asked, **request.options)
    # A server computes in a type of its own, wherever it is asked from
    ledger.check_loaded_settings(None if request.model.runs_on == "server" else name)


@dataclass(frozen=True)
class _Picture:
    """A picture as it was read, the note of its conversion, and the digest of its file."""

    image: Image
    note: str | None
    seen: str


@dataclass(frozen=True)
class _Batch:
    """What the model gets next. inputs: the model's own, already prepared, None where it prepares nothing."""

    pictures: dict[str, _Picture]
    problems: dict[str, ImageProblem]
    inputs: Any


def _read(path: Path) -> _Picture:
    """Read, in a thread of its own. Raises ImageProblem."""
    data = picture_bytes(path)
    image, note = read_rgb(data, path.name)
    return _Picture(image, note, digest(data))


def _weight(picture: _Picture) -> int:
    return 3 * picture.image.width * picture.image.height


def _gathered(request: EncodeRequest, prompt: str, read: list[tuple[Path, Future[_Picture]]]) -> _Batch:
    """A batch with the model's inputs of it, in a thread of its own while the model works on the last batch."""
    pictures: dict[str, _Picture] = {}
    problems: dict[str, ImageProblem] = {}
    for path, future in read:
        try:
            pictures[path.name] = future.result()
        except ImageProblem as error:
            problems[path.name] = error
    inputs = None
    if pictures and request.model.runs_on == "here":
        with suppress(Exception):  # `caption` will meet it again, and say which image it is
            inputs = request.model.prepare([each.image for each in pictures.values()], prompt, request.words)
    return _Batch(pictures, problems, inputs)


def _caption_batch(request: EncodeRequest, ledger: CaptionLedger, found: _Batch) -> int:
    """Caption a few images. Returns how many got a caption."""
    model, report, pictures = request.model, request.report, found.pictures
    broken: list[OSError] = []
    for name, error in found.problems.items():
        report.fail(name, str(error))
    for name, picture in pictures.items():
        report.converted(name, picture.note)

    def keep(name: str, answer: Caption | ModelError, seconds: float | None = None) -> bool:
        """Whether there is a caption, which is kept then."""
        text = " ".join(answer.text.split()) if _has_text(answer) else ""
        if text:
            ledger.keep(name, text, answer, pictures[name].seen, seconds)
        return bool(text)

    def caption(batch: list[tuple[str, Image]]) -> list[Caption | ModelError]:
        def keep_early(place: int, answer: Caption | ModelError) -> None:
            try:
                keep(batch[place][0], answer)
            except OSError as error:  # the journal's, not the image's
                broken.append(error)

        model.on_answer = keep_early
        asked = [picture for _, picture in batch], ledger.settings["prompt"], request.words
        if found.inputs is not None and len(batch) == len(pictures):
            return model.caption_prepared(found.inputs, *asked)
        return model.caption(*asked)

    start, made = time.perf_counter(), 0
    answers = ask(model, caption, {name: (name, picture.image) for name, picture in pictures.items()}, Caption)
    if broken:
        raise broken[0]
    seconds = round((time.perf_counter() - start) / max(1, len(pictures)), 6)
    for name, answer in answers.items():
        if keep(name, answer, seconds):  # once more for those that were kept early: how long they took is known now
            made += 1
        else:
            report.fail(name, f"{name}: {_why(answer)}")
    ledger.save_if_due()
    if model.stopped:
        raise RunFailed(f"{model.stopped} What is finished is kept; the same command goes on from here.")
    return made


def _has_text(answer: Any) -> bool:
    return isinstance(answer, Caption) and isinstance(answer.text, str)


def _why(answer: Caption | ModelError) -> str:
    if isinstance(answer, ModelError):
        return without_secrets(str(answer))
    if not _has_text(answer):
        return f"the caption's text has the type {type(answer.text).__name__}, expected: str"
    reason = without_secrets(str(answer.finish_reason))[:80] if answer.finish_reason else ""
    return "the model gave no caption" + (f" (finish reason: {reason})" if reason else "")
