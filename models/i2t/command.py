"""Your own encoder: a program in its own environment, given with --command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._command import Program
from ..base import Caption, I2TModel, ModelError
from ..secrets import holds_data, without_secrets
from ._refusals import is_refusal
from ._thoughts import caption_in

if TYPE_CHECKING:
    import torch
    from PIL import Image


class Model(I2TModel):
    """Hands each image to the program, as a PNG, and takes the text that it answers."""

    runs_on = "program"

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, **options: Any) -> None:
        """Start the program. Option used: command (str); the program is told the others. Raises ModelError."""
        name = type(self).__module__.rpartition(".")[2]
        settings = {
            "kind": "i2t",
            "model_dir": model_dir or self.default_dir,
            "device": device,
            "dtype": str(dtype).removeprefix("torch."),
            "seed": options.get("seed"),
        }
        self._program = Program(options.get("command"), name, settings)

    def caption(self, images: list[Image.Image], prompt: str, words: int) -> list[Caption | ModelError]:
        """Captions in order, one request after the other. usage: the numbers that the program answers."""
        answers = []
        for place, image in enumerate(images):
            answers.append(self._one(image, prompt, words))
            self.on_answer(place, answers[place])
        self.stopped = self._program.stopped
        return answers

    def _one(self, image: Image.Image, prompt: str, words: int) -> Caption | ModelError:
        picture: Path = self._program.file(".png")
        try:
            image.convert("RGB").save(picture)
            return _read(self._program.ask({"image": str(picture), "prompt": prompt, "words": words}))
        except ModelError as error:
            return error
        finally:
            picture.unlink(missing_ok=True)


def _read(answer: dict[str, Any]) -> Caption:
    text, reason, usage = answer.get("text"), answer.get("finish_reason"), answer.get("usage")
    text = caption_in(text) if isinstance(text, str) else ""
    if not text:
        raise ModelError('the program of --command answered without a "text"')
    if is_refusal(text):
        raise ModelError(f"the program of --command refused: {without_secrets(text)[:80]}")
    if holds_data(text):
        raise ModelError("the program of --command answered with an image's data in place of a caption")
    numbers = usage.items() if isinstance(usage, dict) else ()
    kept = {name: value for name, value in numbers if type(value) in (int, float) and abs(value) < 1e15}
    reason = without_secrets(reason)[:50] if isinstance(reason, str) else None
    return Caption(text, reason, kept)
