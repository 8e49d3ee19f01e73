"""What a server that refuses a request complains of: which parameter, or how many tokens there is room for.

Servers say it in many ways: {"param": "seed"}, {"detail": [{"loc": ["body", "seed"], ...}]}, or only in a sentence.
"""

from __future__ import annotations

import json
import re
from typing import Any

LEAST = 16  # tokens; a caption of fewer is none
TOKENS = ("max_tokens", "max_completion_tokens")
OPTIONAL = ("temperature", "seed", *TOKENS)
BEFORE = r"(?:unsupported|unknown|unrecogni[sz]ed|unexpected|extra|invalid|additional|not? support\w*|not accept\w*)"
AFTER = (
    r"(?:(?:is|are|was) )?(?:not (?:supported|permitted|allowed|accepted|recogni[sz]ed|valid|available|known)|"
    r"unsupported|unknown|unrecogni[sz]ed|unexpected|does not support|extra (?:inputs?|fields?)|"
    r"cannot be (?:set|used)|deprecated|"
    r"should (?:not|be omitted))"
)
NUMBER = r"(\d[\d,_]{0,9})"
CONTEXT = (  # the tokens of question and answer together
    rf"(?:context|sequence) (?:length|window|size|limit)\D{{0,40}}{NUMBER}",
    rf"{NUMBER}[ -]tokens? (?:context|window)",
    rf"max_model_len\D{{0,10}}{NUMBER}",
    rf"max_total_tokens\D{{0,10}}{NUMBER}",
    rf"inputs.{{0,40}}max_new_tokens.{{0,20}}<= ?{NUMBER}",  # text-generation-inference
)
INPUT = (  # those of the question
    rf"{NUMBER} (?:tokens? )?(?:in|from|of) (?:the |your )?(?:messages?|prompt|input|text)",
    rf"{NUMBER} [`'\"]?(?:inputs?|prompt)[`'\"]? tokens?",
    rf"(?:resulted in|contains?(?: at least)?) {NUMBER} tokens",
    rf"(?:prompt|input|inputs|request)[^.\d]{{0,40}}{NUMBER} (?:input )?tokens?",
    rf"(?:inputs?|input_tokens?|prompt_tokens?)[`'\"]?\s*(?:\(|=|:|has|is)\s*{NUMBER}",
)
MOST = (  # those of the answer
    rf"(?:at most|less than or equal to|no more than|up to|cannot exceed|must not exceed|<=|"
    rf"maximum(?: value)?(?: of| is|:)?|maximum allowed(?: is|:)?|limit(?: of| is|:)?)\s*[`'\"]?{NUMBER}",
    rf"(?:between|range|from)\D{{0,20}}\d+\s*(?:,|and|to|-)\s*{NUMBER}",
)


def words(body: Any) -> tuple[list[str], str]:
    """The codes and the message of an error's body, wherever the server puts them; its JSON where there is none."""
    if isinstance(body, list) and len(body) == 1 and isinstance(body[0], dict):  # Gemini's
        body = body[0]
    outer = body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if body is None or isinstance(body, str):
        return [], body or ""
    if not isinstance(body, dict):
        return [], json.dumps(body)
    codes = [str(body[key]) for key in ("code", "type", "status") if body.get(key) is not None]
    for key in ("message", "detail", "error", "msg", "reason", "title"):
        if isinstance(body.get(key), str) and body[key].strip():
            return codes, body[key]
    return codes, json.dumps(outer)


def parameter(body: Any, text: str, sent: dict[str, Any]) -> str | None:
    """The one optional parameter among those sent that the server does not take; None where it is none, or unclear."""
    named = {name for name in _located(body) if name in sent and name in OPTIONAL}
    if not named and max_completion_wanted(text, sent):
        return "max_tokens"
    if not named:
        named = {name for name in OPTIONAL if name in sent and re.search(rf"\b{name}\b", text)}
    if len(named) > 1:
        gap = r"[^.;,\n]{0,40}?"
        named = {
            name
            for name in named
            if re.search(rf"\b{BEFORE}\b{gap}\b{name}\b|\b{name}\b['\"`]?[:,]?\s*{gap}{AFTER}", text, re.IGNORECASE)
        }
    return named.pop() if len(named) == 1 else None


def max_completion_wanted(text: str, sent: dict[str, Any]) -> bool:
    """Whether max_tokens should go by its new name."""
    return "max_tokens" in sent and "max_completion_tokens" in text and not is_about_size(text)


def is_about_size(text: str) -> bool:
    """Whether a message says that too many tokens are asked for, not that the parameter is unknown."""
    too_much = (
        r"too (?:large|high|many|long|big)|exceed|context|at most|less than or equal|maximum|greater than|larger than|"
        r"range|<="
    )
    return bool(re.search(too_much, text, re.IGNORECASE))


def room(text: str, budget: int) -> int | None:
    """How many tokens an answer may have, by a message on too many: fewer than `budget`. None: the message is of
    something else. 0: there is no room at all."""
    if not is_about_size(text) or not re.search(r"token|context|sequence", text, re.IGNORECASE):
        return None
    context, asked = _first(CONTEXT, text), _first(INPUT, text)
    if context and asked:
        left = min(budget - 1, context - asked)
        return left if left >= LEAST else 0
    if most := _first(MOST, text):
        if most < budget and not context:
            return most
    unclear = not context and re.search(r"context (length|window|size)", text, re.IGNORECASE)
    if unclear or re.search(r"\bmax_(completion_|new_)?tokens\b|completion|output tokens", text):
        return budget // 2 if budget >= 128 else 0
    if context and context <= budget:
        return context // 2
    return 0 if context else None


def _first(patterns: tuple[str, ...], text: str) -> int | None:
    for pattern in patterns:
        if match := re.search(pattern, text, re.IGNORECASE):
            return int(re.sub(r"\D", "", match[1]))
    return None


def _located(body: Any) -> set[str]:
    """The names in `param` and in the `loc` lists of a body."""
    found: set[str] = set()
    todo, seen = [body], 0
    while todo and seen < 1000:
        value, seen = todo.pop(), seen + 1
        if isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            if isinstance(value.get("param"), str):
                found.add(value["param"].rpartition(".")[2])
            if isinstance(value.get("loc"), list):
                found |= {part for part in value["loc"] if isinstance(part, str)}
            todo += [each for each in value.values() if isinstance(each, (dict, list))]
    return found
