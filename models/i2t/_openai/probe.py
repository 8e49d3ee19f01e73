"""Whether a server sees: two different images with one question must not get one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...base import Caption, ModelError
from . import answer as answer_module

if TYPE_CHECKING:
    from PIL import Image

QUESTION = "Name the colours and shapes in this image in a few words."
WORDS = 10
SIDE = 256  # px


def images() -> list[Image.Image]:
    """A red image and a blue disc on white, of two sizes."""
    from PIL import Image, ImageDraw

    disc = Image.new("RGB", (SIDE + 64, SIDE), "white")
    ImageDraw.Draw(disc).ellipse((60, 30, 240, 210), "blue")
    return [Image.new("RGB", (SIDE, SIDE), "red"), disc]


def blindness(ask: Callable[[Image.Image], Caption | ModelError]) -> str:
    """Why the images do not arrive, as a sentence; "" where they do, or where there is no answer to judge by."""
    texts = []
    for image in images():
        answer = ask(image)
        if isinstance(answer, ModelError):
            # Any other problem will show at the images of the run
            return f"asked about a test image, {answer}." if str(answer).startswith(answer_module.REFUSED) else ""
        texts.append(" ".join(answer.text.lower().split()))
    if texts[0] == texts[1]:
        return f"two different images get the same answer ({texts[0][:80]!r})."
    return ""
