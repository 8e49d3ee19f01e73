"""What thinking models write besides the caption: thoughts, channels, answer and box markers.

One function for the answers of servers, of models that run here, and of programs. A leading thought is cut, again and
again; a closing tag without an opening one cuts what precedes it; a thought without an end is no caption. A tag in
the middle of a caption, or in quotes, is something that the caption speaks of.
"""

from __future__ import annotations

import re

from ..base import ModelError

NAMES = (
    r"(?:[\w-]{1,20}:)?(?:think|thinking|thoughts?|reason|reasoning|reflection|analysis|scratchpad|"
    r"inner_monologue|summary)"
)
OPEN = (
    rf"<{NAMES}(?:\s+[\w-]+\s*=[^<>\n]{{0,80}}|\s*)>|\[THINK\]|\u25c1think\u25b7|"
    r"<details\b[^<>\n]{0,100}reasoning[^<>\n]{0,100}>"
)
CLOSE = rf"</{NAMES}\s*>|\[/THINK\]|\u25c1/think\u25b7|</details\s*>"
SPECIAL_OPEN = (
    r"<\|(?:START_THINKING|begin_of_thought|begin_of_thinking|think_start|think|thinking)\|>|<\|channel>(?!final)|"
    r"<unused94>"
)
SPECIAL_CLOSE = (
    r"<\|(?:END_THINKING|end_of_thought|end_of_thinking|think_end|/think|/thinking)\|>|<channel\|>|<unused95>"
)
OPENING = re.compile(rf"(?:{OPEN}|{SPECIAL_OPEN})", re.IGNORECASE)
CLOSING = re.compile(rf"(?:{CLOSE}|{SPECIAL_CLOSE})", re.IGNORECASE)
TAG = re.compile(rf"(?P<open>{OPEN}|{SPECIAL_OPEN})|(?P<close>{CLOSE}|{SPECIAL_CLOSE})", re.IGNORECASE)
QUOTES = {"`": "`", '"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}

# gpt-oss and its kin write every part of an answer into a channel; only the final one is for the reader
CHANNEL = re.compile(r"(?:<\|start\|>\s*assistant)?\s*<\|channel\|>\s*(\w+)[^<]{0,100}<\|message\|>", re.IGNORECASE)
CHANNEL_END = re.compile(r"<\|(?:return|end|call|start|channel)\|>")
BARE_CHANNEL = re.compile(r"\s*analysis(?=[A-Z\W])(.*?)assistant\s*final(?=\W|[A-Z])", re.DOTALL)

ANSWER = r"(?:answer|final_answer|final|response|output|conclusion|caption|result)"
ANSWER_OPEN = re.compile(rf"\s*(?:<({ANSWER})\s*>|<\|(?:START_RESPONSE|begin_of_solution)\|>)", re.IGNORECASE)
ANSWER_LATER = re.compile(rf"<({ANSWER})\s*>(?=[^<]*</\1\s*>\s*\Z)", re.IGNORECASE)
ANSWER_CLOSE = re.compile(rf"</{ANSWER}\s*>|<\|(?:END_RESPONSE|end_of_solution)\|>", re.IGNORECASE)
BOX = re.compile(r"<\|(?:begin|end)_of_box\|>")
BOXED = re.compile(r"\s*\$*\\boxed\{(?:\\text\{)?([^{}]*)\}?\}\$*\s*\Z")
UNENDED = "its thought has no end, so that there is no caption"

# Special tokens that a tokenizer would drop although they part thought and caption
MARKERS = re.compile(
    rf"(?:{OPEN}|{CLOSE}|{SPECIAL_OPEN}|{SPECIAL_CLOSE}|<\|(?:start|channel|message|end|return|(?:begin|end)_of_box)\|>)",
    re.IGNORECASE,
)


class Unended(ModelError):
    """A thought without an end: mostly the limit on tokens came first."""


def caption_in(text: str) -> str:
    """The caption in a model's answer, "" where there is none beside thoughts. Raises Unended."""
    text, thought = _channels(text)
    while True:
        start = text.lstrip()
        if opening := OPENING.match(start):
            closing = _closing(start, opening.end())
            if closing is None:
                raise Unended(UNENDED)
            text, thought = start[closing:], True
        elif (end := _unopened(text)) is not None:
            text, thought = text[end:], True
        else:
            break
    if thought:
        text = _without_later(text)
    return _unwrapped(text, thought).strip()


def is_open(prompt: str) -> bool:
    """Whether a prompt ends within a thought that the model has to end: templates of thinking models begin one."""
    return bool(re.search(rf"(?:{OPEN}|{SPECIAL_OPEN})\s*\Z", prompt[-200:], re.IGNORECASE))


def _channels(text: str) -> tuple[str, bool]:
    """The final channel's text, and whether there were other ones. Raises Unended where there is no final one."""
    if bare := BARE_CHANNEL.match(text):
        return text[bare.end() :], True
    if re.match(r"\s*analysis(?=[A-Z])", text):  # "analysisThe user wants": the channel's markers were dropped
        raise Unended(UNENDED)
    if not CHANNEL.match(text.lstrip()):
        return text, False
    parts = list(CHANNEL.finditer(text))
    final = [part for part in parts if part[1].lower() in ("final", "response", "answer")]
    if not final:
        raise Unended(UNENDED)
    text = text[final[-1].end() :]
    end = CHANNEL_END.search(text)
    return text[: end.start()] if end else text, True


def _closing(text: str, start: int) -> int | None:
    """Where the thought that was opened before `start` has ended, other thoughts within it included."""
    depth = 1
    last = None
    for tag in TAG.finditer(text, start):
        if _quoted(text, tag.start(), tag.end()):
            continue
        depth += 1 if tag["open"] else -1
        if not tag["open"]:
            last = tag.end()
        if depth == 0:
            return tag.end()
    return last  # more were opened than ended: the thought has spoken of tags


def _unopened(text: str) -> int | None:
    """The end of the last closing tag that no opening one stands before."""
    end = None
    for tag in TAG.finditer(text):
        if _quoted(text, tag.start(), tag.end()):
            continue
        if tag["open"]:
            break
        end = tag.end()
    return end


def _without_later(text: str) -> str:
    """The text without later thoughts, which begin a line or end the text; of a model that was seen to think."""
    kept, place = [], 0
    for opening in OPENING.finditer(text):
        if opening.start() < place or _quoted(text, opening.start(), opening.end()):
            continue
        before = text[place : opening.start()]
        closing = CLOSING.search(text, opening.end())
        if closing and (not before.rpartition("\n")[2].strip() or not text[closing.end() :].strip()):
            kept.append(before)
            place = closing.end()
    return "".join([*kept, text[place:]])


def _unwrapped(text: str, thought: bool) -> str:
    """The text without the markers of an answer and of a box around it."""
    opening = ANSWER_OPEN.match(text) or (ANSWER_LATER.search(text) if thought else None)
    if opening and not _quoted(text, opening.start(), opening.end()):
        text = text[opening.end() :]
        closing = ANSWER_CLOSE.search(text)
        text = text[: closing.start()] if closing else text
    text = BOX.sub("", text)
    boxed = BOXED.match(text)
    return boxed[1] if boxed else text


def _quoted(text: str, start: int, end: int) -> bool:
    """Whether quotes stand right before and after."""
    return start > 0 and end < len(text) and QUOTES.get(text[start - 1]) == text[end]
