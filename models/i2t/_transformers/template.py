"""The chat template of a checkpoint: text of a stranger that is run, and that must say the same tomorrow."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...base import ModelError, first_line

if TYPE_CHECKING:
    from transformers import ProcessorMixin

SECONDS = 10  # to render a prompt; an honest template takes a millisecond
LONGEST = 1 << 20  # characters of a template, and of a prompt
# Some templates tell the model the date, and it would get another prompt each day: always the benchmark's own
DAY = {
    "%Y": "2024", "%y": "24", "%m": "06", "%-m": "6", "%B": "June", "%b": "Jun", "%h": "Jun", "%d": "13", "%-d": "13",
    "%e": "13", "%A": "Thursday", "%a": "Thu", "%j": "165", "%F": "2024-06-13", "%D": "06/13/24", "%x": "06/13/24",
    "%H": "00", "%I": "12", "%M": "00", "%S": "00", "%p": "AM", "%T": "00:00:00", "%X": "00:00:00",
    "%c": "Thu Jun 13 00:00:00 2024", "%f": "000000", "%Z": "UTC", "%z": "+0000", "%s": "1718236800",
}  # fmt: skip


def chat_template(processor: ProcessorMixin) -> str | None:
    """The chat template that places an image, None where the model wants a plain prompt; its day is fixed."""
    for owner in (processor, processor.tokenizer):
        template = getattr(owner, "chat_template", None)
        template = template.get("default") if isinstance(template, dict) else template
        if template and "image" in template:  # a language model's own would print the list of parts as text
            if len(template) > LONGEST:
                raise ModelError(f"the chat template has {len(template)} characters, which none needs.")
            return _on_a_fixed_day(template)
    return None


def messages(prompt: str, image: Any) -> list[dict[str, Any]]:
    """The chat that a template is given: one message with an image and a text."""
    return [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}]


def rendered(processor: ProcessorMixin, template: str | None, prompt: str, name: str) -> str:
    """The prompt as the model gets it, before tokens stand for the image. Raises ModelError for a template that fails
    or does not end."""
    if template is None:
        return prompt
    try:
        with _time_limit():
            text = processor.apply_chat_template(messages(prompt, "an image"), template, add_generation_prompt=True)
    except (TimeoutError, MemoryError):
        raise ModelError(f"the chat template of {name} does not end within {SECONDS} s: take another copy.") from None
    except Exception as error:
        raise ModelError(f"the chat template of {name} fails: {first_line(error)}") from error
    if not isinstance(text, str) or len(text) > LONGEST:
        raise ModelError(f"the chat template of {name} makes no prompt of at most {LONGEST} characters.")
    return text


def digest(prompt: str) -> str:
    """What identifies a rendered prompt in a manifest."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _on_a_fixed_day(template: str) -> str:
    """The template with a `strftime_now` of its own, which stands before the library's."""
    if "strftime_now" not in template:
        return template
    replaced = "".join(f"|replace('{directive}', '{value}')" for directive, value in DAY.items())
    return f"{{%- macro strftime_now(format) -%}}{{{{ format{replaced} }}}}{{%- endmacro %}}{{{{ '' }}}}{template}"


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise TimeoutError in what takes longer than SECONDS; loops in a template could run for years."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
