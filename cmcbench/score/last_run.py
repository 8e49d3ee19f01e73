"""What the last scoring run left in a target's folder, as far as it can be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..files import scores
from ..files.store import Foreign
from ..runtime.messages import say
from .set_entries import Sets, read_sets


@dataclass
class LastRun:
    """rows: of scores.csv. known: metric -> what the summary says of it. invalid: files of ours that cannot be used."""

    rows: scores.Table = field(default_factory=dict)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    sets: Sets = field(default_factory=dict)
    invalid: list[Path] = field(default_factory=list)


def last_run(summary_file: Path, scores_file: Path, overwrite: bool) -> LastRun:
    """Read both files. Raises BadInput for one that cannot be read at the moment, and, but to overwrite, for one that
    is not of this program.
    """
    summary, last = None, LastRun()
    for file in (summary_file, scores_file):
        try:
            if file == scores_file:
                last.rows = scores.read(file)
            else:
                summary = scores.read_summary(file)
                found = summary or {}
                last.known = {name: dict(each) for name, each in found.get("metrics", {}).items()}
                last.sets = {mode: read_sets(each) for mode, each in found.get("modes", {}).items()}
        except OSError as error:
            raise BadInput(
                f"{file} cannot be read at the moment ({error.strerror}). Nothing was changed; run the same command"
                " when it can be read."
            ) from None
        except Foreign as error:
            if not overwrite:
                raise BadInput(
                    f"{file} is not a file of this program ({error}). Move it away, or replace it with --overwrite."
                ) from None
            last.invalid.append(file)
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            say(f"note: {file} is invalid ({error}) and kept as {file.name}.invalid; everything is scored again.")
            last.invalid.append(file)
    usable = not last.invalid and (summary is not None or not last.rows)
    return last if usable else LastRun(invalid=last.invalid)
