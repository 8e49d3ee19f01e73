"""Answers in which a model declines or sees no image: they are failures of that image, never captions."""

from __future__ import annotations

import re

# Only an answer's beginning counts, and only in the first person: a caption may quote an apology, or speak of somebody
# who is sorry or cannot see.
_APOLOGY = (
    r"(i'm|i am|i'm really|i'm very|i am very) sorry|sorry|apologies|my apologies|i apologi[sz]e( for [^.,;]{1,40})?"
)
_INABILITY = (
    r"i (can ?not|can't|could not|couldn't|won't|will not|do not|don't|am unable to|didn't|did not)|"
    r"(i'm|i am) (currently )?(unable|not able|not allowed)"
)
_DEED = (
    r"assist|help(?! but)|identify|describe|recogni[sz]e|see|view|access|analy[sz]e|provide|generate|create|comply|"
    r"fulfill?|process|answer|discuss|comment|engage|interpret|determine|receive|find|(do|have) (that|this|the ability|"
    r"access)|feel comfortable"
)
_SEEMS = r"(it (seems|appears|looks like)( that)? )?"
_START = rf"(({_APOLOGY})\W+(but )?)?(unfortunately\W+)?(as an? [\w -]{{2,40}},\s*)?{_SEEMS}"
_REFUSAL = re.compile(rf"{_START}({_INABILITY})( \w+){{0,2}} ({_DEED})\b")

# "I don't see an image", "No image was attached": the image has not arrived, so nothing else is described
_PICTURE = r"(image|picture|photo|photograph|file|attachment|screenshot)s?"
_UNSEEN = re.compile(
    rf"{_START}("
    rf"(there (is|are|was|were) )?no {_PICTURE} (\w+ ){{0,3}}(attached|provided|included|uploaded|shared|visible here|"
    rf"in (your|this|the) (message|conversation|chat|request|prompt))|"
    rf"(there (is|was|does not appear to be|doesn't (seem|appear) to be|isn't|wasn't) )(no|an|any)? ?{_PICTURE} "
    rf"(\w+ )?(attached|provided|included|uploaded|shared|for me|"
    rf"in (your|this|the) (message|conversation|chat|request))|"
    rf"(the|your|an) {_PICTURE} (\w+ )?((was|is|has|did|does) not|wasn't|isn't|hasn't|didn't|doesn't) (\w+ )?"
    rf"(attached|provided|included|uploaded|come through|came through|been (attached|provided|uploaded|shared)|"
    rf"load(ed)?|display(ed)?)|"
    rf"you (haven't|have not|didn't|did not|forgot to) (\w+ )?(attach|upload|provide|share|include|send)|"
    rf"(sure\W+|certainly\W+|of course\W+|absolutely\W+)?(i'd|i would|i'll|i will|i can|i'm|i am) (be )?(happy|glad|"
    rf"ready|love|here)? ?to (help|describe|assist|generate|provide|create|write|analy[sz]e)[^.!?]*[.!?]?\W*"
    rf"(but )?(first\W+|however\W+)?(could you |can you |would you |please )+(\w+ )?"
    rf"(upload|provide|attach|share|send|include)|"
    rf"(sure\W+|certainly\W+|okay\W+|ok\W+)?(first\W+)?"
    rf"(please|kindly|could you( please)?|can you( please)?|would you( please)?) "
    rf"(first )?(re)?-?(provide|upload|attach|share|send|give|show|include|supply)( me)?( with)? "
    rf"(the|an|a|your|me|this|that|any)( \w+)? ?({_PICTURE}|link|url)\b"
    rf")"
)
# Some of other languages, whose captions are as rare as their apologies are alike
_ELSEWHERE = re.compile(
    r"((\u5f88)?\u62b1\u6b49|\u5bf9\u4e0d\u8d77|\u62b1\u6b49|\u6211)\W*\w{0,6}(\u65e0\u6cd5|\u4e0d\u80fd|\u770b\u4e0d\u5230)|"
    r"\u8bf7(\u60a8)?(\u4e0a\u4f20|\u63d0\u4f9b)\w{0,6}\u56fe|"
    r"(es tut mir leid|tut mir leid|lo siento|(je suis )?d\u00e9sol\u00e9e?|mi dispiace|desculpe)\b.{0,60}"
    r"(nicht|no puedo|no veo|ne peux pas|ne vois pas|non posso|n\u00e3o posso)"
)
# "I can't identify the person, but the image shows ..." still is a caption.
_DESCRIBES = re.compile(
    r"\b(image|picture|photo|photograph|scene|screenshot|painting|illustration)( \w+)? "
    r"(shows|depicts|features|captures|presents|displays|portrays)\b"
)
_BEGINNING = 400  # characters


def is_refusal(text: str) -> bool:
    """Whether the answer declines or saw no image: "I'm sorry, but I can't assist with that.", "Please provide the
    image."

    Conservative: what does not begin with the speaker's own inability, or goes on to describe, is taken as a caption.
    """
    start = " ".join(text.replace("\u2019", "'").lower().split()).lstrip("\"'*_ ")
    if _DESCRIBES.search(start):
        return False
    start = start[:_BEGINNING]
    return bool(_REFUSAL.match(start) or _UNSEEN.match(start) or _ELSEWHERE.match(start))
