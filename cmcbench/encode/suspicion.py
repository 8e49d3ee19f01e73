"""Captions that may be none: cut at the token limit, or the same for different pictures. Said at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

FEWEST = 3  # different pictures with one caption; two may well be alike
NAMED = 3  # images that a line names


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


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
