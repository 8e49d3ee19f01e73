"""Scores as they are made: hidden files in a target's folder that grow by one line each, so that no kill loses one.

scores.csv and summary.json are written when a run has ended well. Whatever ends a run before that (a full disk, a kill,
unusable weights) leaves those of the last run as they were, and the next run takes the journal's scores over. Each
process appends to a journal of its own. A line is a JSON object: a score of one reconstruction, or a measure of the
whole set of a mode, with what it was made of.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from ..runtime.json_lines import JsonLines

BEGINNING = ".scores.part-"
LARGEST_LINE = 4096  # bytes; a line of ours has about 200
LARGEST_FILE = 256 << 20  # bytes; a thousand images in four modes with ten metrics take 8 MB


@dataclass(frozen=True)
class Made:
    """A score: of the image `name`, or of the whole set where that is "". made_of: the digests it was made of, of the
    ground truth and the reconstruction, or of the set. identity: of the metric. n: images that the value was made of.
    low, high: the ends of its interval, where it is a measure of a set and has one.
    """

    name: str
    mode: str
    metric: str
    identity: str
    made_of: str
    value: float
    n: int = 1
    low: float | None = None
    high: float | None = None


class ScoreJournal:
    """The journal of one process in a target's folder. Its file begins with its first score."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / f"{BEGINNING}{number}.jsonl"
        self._lines = JsonLines(self.path)

    def add(self, made: Made) -> None:
        """Append a score; it outlives this process from now on. Raises OSError (a full disk)."""
        self._lines.add(asdict(made))

    def close(self) -> None:
        """End the journal; its file stays."""
        self._lines.close()


def found(folder: Path) -> list[Path]:
    """The journals in a target's folder, of this run's processes and of killed ones."""
    return sorted(path for path in folder.glob(f"{BEGINNING}*.jsonl") if path.is_file() and not path.is_symlink())


def read(folder: Path) -> list[Made]:
    """The scores of all journals in a target's folder. Lines that are not whole or not ours are passed over."""
    entries = []
    for path in found(folder):
        if path.stat().st_size <= LARGEST_FILE:
            entries += [entry for line in path.read_bytes().split(b"\n") if (entry := _entry(line)) is not None]
    return entries


def _entry(line: bytes) -> Made | None:
    if not line or len(line) > LARGEST_LINE:
        return None
    try:
        made = Made(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = made.name, made.mode, made.metric, made.identity, made.made_of
    whole = all(isinstance(text, str) for text in texts) and isinstance(made.n, int) and isinstance(made.value, float)
    ends = [end for end in (made.low, made.high) if end is not None]
    whole = whole and all(isinstance(end, float) for end in ends)
    return made if whole and all(map(math.isfinite, (made.value, *ends))) else None


def replace(folder: Path, entries: list[Made]) -> None:
    """Take the journals away, but for these entries, which a later run may need."""
    paths = found(folder)
    for path in paths:
        path.unlink(missing_ok=True)
    if entries:
        journal = ScoreJournal(folder, 0)
        for made in entries:
            journal.add(made)
        journal.close()
