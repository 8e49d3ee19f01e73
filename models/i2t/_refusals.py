"""Answers in which a model declines to describe an image: they are failures of that image, never captions."""

from __future__ import annotations

import re

# Only an answer's beginning counts, and only in the first person: a caption may quote an apology, or tell of somebody
# who is sorry or cannot see.
_APOLOGY = (
    r"(i'm|i am|i'm really|i'm very|i am very) sorry|sorry|apologies|my apologies|i apologi[sz]e( for [^.,;]{1,40})?"
)
_INABILITY = (
    r"i (can ?not|can't|could not|couldn't|won't|will not|do not|don't)|(i'm|i am) (unable|not able|not allowed)"
)
_DEED = (
    r"assist|help(?!"
    r" but)|identify|describe|recogni[sz]e|see|view|access|analy[sz]e|provide|generate|create|comply|fulfill?|"
    r"process|answer|discuss|comment|engage|interpret|determine|(do|have) (that|this|the ability|access)|feel"
    r" comfortable"
)
_REFUSAL = re.compile(
    rf"(({_APOLOGY})\W+(but )?)?(unfortunately\W+)?(as an? [\w -]{{2,40}},\s*)?({_INABILITY})( \w+){{0,2}} ({_DEED})\b"
)
# "I can't identify the person, but the image shows ..." still is a caption.
_DESCRIBES = re.compile(
    r"\b(image|picture|photo|photograph|scene|screenshot|painting|illustration)( \w+)? "
    r"(shows|depicts|features|captures|presents|displays|portrays)\b"
)


def is_refusal(text: str) -> bool:
    """Whether the answer declines: "I'm sorry, but I can't assist with that.", "I cannot describe this image."

    Conservative: what does not begin with the speaker's own inability, or goes on to describe, is taken as a caption.
    """
    start = " ".join(text.replace("\u2019", "'").lower().split()).lstrip("\"'*_ ")
    return bool(_REFUSAL.match(start)) and not _DESCRIBES.search(start)
