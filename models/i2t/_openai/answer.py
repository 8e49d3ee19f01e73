"""What a chat-completions server said: a caption, a refusal, or a problem and whether asking again may mend it."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...base import Caption, ModelError
from .._refusals import is_refusal

if TYPE_CHECKING:
    import openai

THOUGHT = re.compile(r"\s*<think>.*?(</think>\s*|\Z)", re.DOTALL)  # some servers leave it in the text
POOR = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
UNWANTED = ("content_filter", "content_policy_violation")
LONGEST = 300  # characters of a server's own words in a message


class Later(Exception):
    """Asking again may help. wait: seconds that the server asked for, or None."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Refused(Exception):
    """The request cannot be served. parameter: the optional one that the server does not take, or None."""

    def __init__(self, why: str, parameter: str | None = None) -> None:
        super().__init__(why)
        self.parameter = parameter


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
        try:
            parts = urlsplit(base)
            hidden = [parts.netloc.rpartition("@")[0], parts.password or "", parts.query]
        except ValueError:
            hidden = []
        hidden += [key, json.dumps(key)[1:-1]]
        self._hidden = sorted({text for text in hidden if len(text) > 3}, key=len, reverse=True)

    def cut(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._hidden:
            text = text.replace(secret, "[hidden]")
        return re.sub(r"(?i)\bbearer\s+[^\s'\"}\]]+", "Bearer [hidden]", text)

    def quote(self, text: str) -> str:
        """A server's own words for a message: cut before they are shortened, which could leave half a secret."""
        line = " ".join(self.cut(text).split())
        return line if len(line) <= LONGEST else line[:LONGEST] + "..."


def judged(error: openai.APIStatusError, model: str, where: str, sent: dict[str, Any], secrets: Secrets) -> Exception:
    """What an HTTP status of 400 and above means for the image, or for all of them."""
    status, code, text = error.status_code, *_words(error.body)
    said = secrets.quote(f"{status} {error.response.reason_phrase}" + (f": {text}" if text else ""))
    if code in POOR or status == 402:
        return Hopeless(
            f"the account has no money left ({said}). Add credit or raise its limit, then run the same command."
        )
    if status == 401:
        return Hopeless(f"{where} does not take the key ({said}). Put a valid one into OPENAI_API_KEY.")
    if status == 403:
        return Hopeless(f"{where} does not allow this ({said}). Look at what the key and its project may do.")
    if status == 404:
        return Hopeless(
            f"{where} has no model '{model}', or is not the address of its API, which mostly ends in /v1 ({said}). "
            f"Check --model_dir and --api_base."
        )
    if status in (408, 409, 425, 429) or status >= 500:
        return Later(said, _wait(error.response.headers))
    if code in UNWANTED:
        return Declined(f"the server's content filter refused the image ({said})")
    return Refused(said, _parameter(error.body, text, sent))


def read(body: str, price: tuple[float, float] | None, secrets: Secrets) -> Caption | ModelError:
    """The caption in a chat completion, or a ModelError for a refusal. Raises Later for what is no chat completion."""
    try:
        completion = json.loads(body)
        choice = completion["choices"][0]
        message = choice["message"]
        text, refusal = _text(message.get("content")), message.get("refusal")
        reason = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise Later(f"the answer is no chat completion: {secrets.quote(body)!r}") from None
    text = THOUGHT.sub("", text, count=1).strip()
    if refusal:
        return ModelError(f"the model refused: {secrets.quote(str(refusal))}")
    if reason == "content_filter":
        return ModelError("the server's content filter held the caption back")
    if not text:
        return ModelError(f"the model gave no caption (finish reason: {secrets.quote(str(reason))})")
    if is_refusal(text):
        return ModelError(f"the model refused: {secrets.quote(text)}")
    if secrets.cut(text) != text:
        return ModelError("the caption holds the API key")
    reason = reason if isinstance(reason, str) and len(reason) < 50 else None
    return Caption(text, reason, _usage(completion.get("usage"), price))


def _text(content: Any) -> str:
    if isinstance(content, list):
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


def _words(body: Any) -> tuple[str, str]:
    """The error's code (or type) and message, wherever the server puts them."""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if not isinstance(body, dict):
        return "", body if isinstance(body, str) else ""
    codes = [str(body.get(key)) for key in ("code", "type")]
    text = next(
        (body[key] for key in ("message", "detail", "error") if isinstance(body.get(key), str)), json.dumps(body)
    )
    return next((code for code in codes if code in POOR), codes[0]), text


def _parameter(body: Any, text: str, sent: dict[str, Any]) -> str | None:
    """Which optional parameter a 400 is about: the one that it names as unsupported."""
    named = body.get("param") if isinstance(body, dict) else None
    if named == "max_tokens" or "max_completion_tokens" in text:
        # It may also be too large; only where the new name is mentioned does the server want that
        return "max_tokens" if "max_tokens" in sent and "max_completion_tokens" in text else None
    return named if named in ("temperature", "seed") and named in sent else None


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
