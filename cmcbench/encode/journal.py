"""Captions as they are made: a hidden file beside Text/NAME.csv that grows by one line each, so that no kill loses one.

A process appends to a journal of its own, and process 0 takes all of them over into the CSV and its manifest. Those of
processes that were killed are there for the next run. Lines are JSON: the settings first, then one caption each.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..files.names import plain_name
from ..runtime.json_lines import JsonLines

LARGEST = 1e15  # tokens or dollars of one caption, which still add up exactly


@dataclass
class Kept:
    """What a journal holds. images: image name -> what the manifest records of it."""

    settings: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)


class Journal:
    """The journal of one process, which begins with its first caption. A caption that is added again replaces the
    earlier.
    """

    def __init__(self, captions: Path, number: int, lasting: bool) -> None:
        """captions: Text/NAME.csv. lasting: whether each line must outlive the machine, since its caption was paid
        for.
        """
        self.path = captions.parent / f".{captions.stem}.part-{number}.jsonl"
        self._lines = JsonLines(self.path, fresh=True, lasting=lasting)

    def add(self, settings: dict[str, Any], name: str, text: str, made_of: dict[str, Any]) -> None:
        """Append a caption. Raises OSError."""
        caption = {"name": name, "text": text, "made_of": made_of}
        self._lines.add(*([] if self._lines.begun else [{"settings": settings}]), caption)

    def close(self) -> None:
        """End the journal; its file stays."""
        self._lines.close()

    def remove(self) -> None:
        """Remove its file, if it has written one: what another run has left there is not its own."""
        if self._lines.begun:
            self.path.unlink(missing_ok=True)


def found(captions: Path) -> list[Path]:
    """The journals beside Text/NAME.csv, of this run's processes and of killed ones."""
    pattern = re.compile(rf"\.{re.escape(captions.stem)}\.part-\d+\.jsonl")
    if not captions.parent.is_dir():
        return []
    return sorted(path for path in captions.parent.iterdir() if pattern.fullmatch(path.name))


def read(path: Path) -> Kept:
    """The captions of a journal, without the half line that a kill may have left; none of one that another process has
    taken over since. Raises BadInput for a broken file.
    """
    kept = Kept()
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # what stands behind the last line end is no whole line
        if lines:
            kept.settings = dict(_strict(json.loads(lines[0])["settings"]))
        for line in lines[1:]:
            entry = json.loads(line)
            name, text, made_of = entry["name"], entry["text"], read_made_of(entry["made_of"])
            if not (isinstance(name, str) and plain_name(name) and isinstance(text, str) and text):
                raise ValueError(f"no caption of an image: {ascii(line[:80])}")
            kept.texts[name], kept.images[name] = text, made_of
    except FileNotFoundError:
        return kept
    except (ValueError, TypeError, KeyError, RecursionError, OSError) as error:
        raise BadInput(f"{path} is no journal of captions ({error}). Move it away, or use --overwrite.") from None
    return kept


def read_made_of(made_of: Any) -> dict[str, Any]:
    """What a file records of an image's caption, where it can be written again and summed. Raises ValueError,
    TypeError.
    """
    if not (isinstance(made_of, dict) and isinstance(made_of.get("usage") or {}, dict)):
        raise ValueError(f"not what a caption was made of: {ascii(made_of)[:80]}")
    if any(
        isinstance(value, (int, float)) and not abs(value) < LARGEST for value in (made_of.get("usage") or {}).values()
    ):
        raise ValueError("a usage beyond all measure")
    return dict(_strict(made_of))


def countable(usage: Any) -> dict[str, Any]:
    """What of a model's usage can be written and summed; an adapter of the user's own may give anything."""
    numbers = usage.items() if isinstance(usage, dict) else ()
    return {str(name): value for name, value in numbers if isinstance(value, (int, float)) and abs(value) < LARGEST}


def _strict(value: Any) -> Any:
    """The value, if strict JSON can hold it. Raises ValueError for NaN and infinity."""
    json.dumps(value, allow_nan=False)
    return value
