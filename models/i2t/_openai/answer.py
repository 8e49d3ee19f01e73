"""What a chat-completions server said: a caption, a refusal, or a problem and whether asking again may mend it."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ...base import Caption, ModelError
from ...secrets import holds_data, without_secrets
from .._refusals import is_refusal
from .._thoughts import Unended, caption_in
from . import complaint

if TYPE_CHECKING:
    import openai

POOR = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
REFUSED = "the model refused"  # begins the message of an image that the model does not describe
UNWANTED = ("content_filter", "content_policy_violation")
TOO_LARGE = re.compile(
    r"(image|picture|payload|request|body|entity|file)\b[^.]{0,80}"
    r"(too (large|big)|exceeds?\b[^.]{0,40}\d ?(MB|MiB|bytes|px|pixels))",
    re.IGNORECASE,
)
LONGEST = 300  # characters of a server's own words in a message


class Later(Exception):
    """Asking again may help. wait: seconds that the server asked for, or None."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Refused(Exception):
    """The request cannot be served. parameter: the optional one that the server does not take, or None. room: how many
    tokens an answer may have, None where that is not the matter."""

    def __init__(self, why: str, parameter: str | None = None, room: int | None = None) -> None:
        super().__init__(why)
        self.parameter, self.room = parameter, room


class Missing(Exception):
    """There is no API at this address. The message says what the server answered."""


class Spent(Exception):
    """The tokens came to an end within a thought, or after one within the caption that is kept here."""

    def __init__(self, caption: Caption | ModelError | None = None) -> None:
        super().__init__()
        self.caption = caption


class Declined(Exception):
    """This image is not described, for what it shows."""


class Fruitless(Exception):
    """This image gets no answer."""


class Hopeless(Exception):
    """No image will get an answer."""


class Secrets:
    """The key, and whatever an address holds before its host, cut out of texts that are shown or written."""

    def __init__(self, key: str, base: str) -> None:
        self.key = key
        hidden = [key, json.dumps(key)[1:-1], base.rpartition("@")[0].rpartition("/")[2]]
        try:
            parts = urlsplit(base)
            hidden += [parts.netloc.rpartition("@")[0], parts.password or "", parts.query]
            hidden += [value for name, value in parse_qsl(parts.query) if name != "api-version"]
        except ValueError:
            pass
        hidden += [unquote(text) for text in hidden]
        self._hidden = sorted({text for text in hidden if len(text) > 3}, key=len, reverse=True)

    def cut(self, text: str) -> str:
        """The text without the secrets and without the data of images."""
        for secret in self._hidden:
            text = text.replace(secret, "[hidden]")
        return without_secrets(text)

    def held_by(self, text: str) -> bool:
        """Whether a text holds a secret; one of a few letters ("none", "test") is none, and may be a caption's word."""
        return any(secret in text for secret in self._hidden if len(secret) >= 8)

    def quote(self, text: str) -> str:
        """A server's own words for a message: cut before they are shortened, which could leave half a secret."""
        line = " ".join(self.cut(text).split())
        return line if len(line) <= LONGEST else line[:LONGEST] + "..."


def judged(error: openai.APIStatusError, model: str, where: str, sent: dict[str, Any], secrets: Secrets) -> Exception:
    """What an HTTP status of 400 and above means for the image, or for all of them."""
    status, (codes, text) = error.status_code, complaint.words(error.body)
    said = secrets.quote(f"{status} {error.response.reason_phrase}" + (f": {text}" if text else ""))
    if status == 402 or any(code in POOR for code in codes):
        return Hopeless(
            f"the account has no money left ({said}). Add credit or raise its limit, then run the same command."
        )
    if status == 401:
        return Hopeless(f"{where} does not take the key ({said}). Put a valid one into OPENAI_API_KEY.")
    if status == 403:
        return Hopeless(f"{where} does not allow this ({said}). Look at what the key and its project may do.")
    if status in (404, 405):
        remedy = "Check --model_dir and --api_base."
        why = f"{where} has no model '{model}', or is not the address of its API, which mostly ends in /v1 ({said}). "
        names_model = re.search(rf"(?<!\w){re.escape(model)}(?!\w)", text)
        return Hopeless(why + remedy) if names_model else Missing(why + remedy)
    if status in (408, 409, 425, 429) or status >= 500:
        return Later(said, _wait(error.response.headers))
    if any(code in UNWANTED for code in codes):
        return Declined(f"the server's content filter refused the image ({said})")
    if status == 413 or TOO_LARGE.search(text):
        return Refused(f"the image is too large for the server ({said}): give --image_max 1024, or smaller")
    if complaint.max_completion_wanted(text, sent):
        return Refused(said, "max_tokens")
    budget = next((sent[name] for name in complaint.TOKENS if name in sent), None)
    room = complaint.room(text, budget) if budget else None
    if room == 0 and "context" in text:
        said += ". Image and prompt leave no room for an answer; --image_max N makes images smaller"
    return Refused(said, complaint.parameter(error.body, text, sent) if room is None else None, room)


def read(body: str, price: tuple[float, float] | None, secrets: Secrets) -> Caption | ModelError:
    """The caption in a chat completion, or a ModelError for a refusal. Raises Later for what is no chat completion and
    Spent for one that holds thoughts alone, because its tokens came to an end.
    """
    try:
        completion = json.loads(body)
        choice = completion["choices"][0]
        message = choice["message"]
        text, refusal = _text(message.get("content")), message.get("refusal")
        reason = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise Later(f"the answer is no chat completion: {secrets.quote(body)!r}") from None
    if refusal:
        return ModelError(f"{REFUSED}: {secrets.quote(str(refusal))}")
    if reason == "content_filter":
        return ModelError("the server's content filter held the caption back")
    try:
        caption = caption_in(text)
    except Unended as error:
        if reason == "length":
            raise Spent from None
        return error
    if not caption and reason == "length":
        raise Spent
    found = _judged_text(caption, reason, _usage(completion.get("usage"), price), secrets)
    if reason == "length" and caption != text.strip():
        raise Spent(found)
    return found


def _judged_text(text: str, reason: Any, usage: dict[str, Any], secrets: Secrets) -> Caption | ModelError:
    if not text:
        return ModelError(f"the model gave no caption (finish reason: {secrets.quote(str(reason))})")
    if is_refusal(text):
        return ModelError(f"{REFUSED}: {secrets.quote(text)}")
    if holds_data(text):
        return ModelError(f"the answer repeats the image's data and is no caption: {secrets.quote(text)}")
    if secrets.held_by(text):
        return ModelError("the caption holds the API key or another secret")
    reason = reason if isinstance(reason, str) and len(reason) < 50 and secrets.cut(reason) == reason else None
    return Caption(text, reason, usage)


def _text(content: Any) -> str:
    if isinstance(content, list):  # Mistral's parts of another type are thoughts
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if content is not None and not isinstance(content, str):
        raise TypeError
    return content or ""


def _usage(usage: Any, price: tuple[float, float] | None) -> dict[str, Any]:
    counts = {}
    for name, key in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        value = usage.get(key) if isinstance(usage, dict) else None
        if type(value) is int and 0 <= value < 1 << 40:
            counts[name] = value
    if price and len(counts) == 2:
        usd = (counts["input_tokens"] * price[0] + counts["output_tokens"] * price[1]) / 1e6
        return {**counts, "usd": round(usd, 8)}
    return counts


def _wait(headers: Any) -> float | None:
    """Seconds that the server asks to wait for: retry-after-ms, or Retry-After in seconds or as a date."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name)) * unit
        except (TypeError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return _until(headers.get("retry-after"))


def _until(date: str | None) -> float | None:
    from datetime import datetime, timezone
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(date or "")
        return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
