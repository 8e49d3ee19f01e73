"""Captions that may be none: cut at the token limit, or the same for different pictures. Said at the end of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from ..bitstream.bits import caption_bits

FEWEST = 3  # different pictures with one caption; two may well be alike
NAMED = 3  # images that a line names
FAR = 2.0  # times the words that were asked for, or less than their half


def suspicions(names: Iterable[str], texts: Mapping[str, str], made_of: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each kind of doubt about the captions of these images.

    texts: image name -> caption. made_of: image name -> its finish reason and its picture's digest.
    """
    names = [name for name in names if name in texts]
    cut = [name for name in names if made_of.get(name, {}).get("finish_reason") == "length"]
    lines = []
    if cut:
        lines.append(
            f"{len(cut)} of {len(names)} captions were cut at the limit on tokens ({_listed(cut)}): "
            "give more with --max_tokens and make them again with --overwrite."
        )
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        picture = made_of.get(name, {}).get("sha256") or name
        groups.setdefault(texts[name], {}).setdefault(picture, name)
    for text, pictures in groups.items():
        if len(pictures) >= min(FEWEST, max(2, len(names))):
            shown = text if len(text) <= 80 else text[:80] + "..."
            lines.append(
                f"{len(pictures)} different pictures have the same caption, '{shown}' "
                f"({_listed(list(pictures.values()))}): does the model see them?"
            )
    return lines


def described(
    names: Iterable[str], texts: Mapping[str, str], made_of: Mapping[str, Mapping[str, Any]], words: int
) -> str:
    """What the captions of these images are, in one sentence: median words and bits, how many were cut at the token
    limit and how many are far from the words that were asked for.
    """
    names = [name for name in names if name in texts]
    if not names:
        return "There are no captions."
    counts = {name: len(texts[name].split()) for name in names}
    cut = [name for name in names if made_of.get(name, {}).get("finish_reason") == "length"]
    far = [name for name in names if not words / FAR <= counts[name] <= words * FAR]
    bits = statistics.median(caption_bits(texts[name]) for name in names)
    told = f"{len(names):,} captions: median {statistics.median(counts.values()):g} words, {bits:,.0f} bits"
    told += f"; {len(cut):,} cut at the token limit"
    told += f"; {len(far):,} far from the {words} words asked (over {FAR:g} times or under half)"
    return told + (f", first {_listed(far)}." if far else ".")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
