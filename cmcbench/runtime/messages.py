"""What a run tells its user while it works and when it ends: progress, notes said once, failures by name."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from models.secrets import without_secrets

SHOWN = 20  # failures listed in full; the others are counted
NAMED = 3  # images that a grouped note names
MUCH_NEARER = 0.12  # so much more alike than the others (of 1), and a word is the only one that was meant


@dataclass
class Manner:
    """How this process speaks. quiet: no notes. strict: what could not be done by its nature ends with exit code 1."""

    quiet: bool = False
    strict: bool = False


MANNER = Manner()  # set by the command line (runtime/cli.py)


def say(message: str) -> None:
    """A line for the user, on stderr, that does not break a progress bar; secrets are cut out of it."""
    if MANNER.quiet and message.startswith("note: "):
        return
    message = printable(without_secrets(message))
    try:
        from tqdm import tqdm
    except ImportError:  # what is to be said may be that packages are missing
        print(message, file=sys.stderr)
        return
    tqdm.write(message, file=sys.stderr)


def printable(text: str) -> str:
    """Text from a file made safe for a terminal: control characters (escape sequences, newlines) become visible."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def did_you_mean(asked: str, there: Iterable[str]) -> str:
    """ " Did you mean X?" where something that there is resembles what was asked for, else ""."""
    forms = {name.casefold(): name for name in there}
    asked = asked.casefold()[:200]
    close = difflib.get_close_matches(asked, forms, n=3, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, asked, name).ratio() for name in close]
    close = [name for name, ratio in zip(close, ratios) if ratio > ratios[0] - MUCH_NEARER]
    return f" Did you mean {' or '.join(printable(forms[name]) for name in close)}?" if close else ""


def progress(total: int, done: int, what: str, unit: str = "image") -> Any:
    """A progress bar with a rate and the time left; `done` were there before and do not count for the rate.

    It is drawn on a terminal and, once in 30 seconds, in a log. Of unit "B" the numbers are shown as kB, MB, GB.
    """
    from tqdm import tqdm

    interval = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(
        total=total,
        initial=done,
        desc=what,
        unit=unit,
        unit_scale=unit == "B",
        mininterval=interval,
        file=sys.stderr,
        dynamic_ncols=True,
    )


class RunLog:
    """Collects notes and failures of one run."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self._said: set[str] = set()
        self._gathered: dict[str, tuple[list[str], int]] = {}
        self._lacking = False

    def once(self, kind: str, message: str) -> None:
        """Say a message the first time that its kind comes up."""
        if kind not in self._said:
            self._said.add(kind)
            say(message)

    def converted(self, name: str, note: str | None) -> None:
        """Say once for each kind of conversion that a picture needed one."""
        if note:
            self.once(note, f"note: {name} {note}; the same holds for every such picture.")

    def gather(self, what: str, name: str, of: int, lacking: bool = False) -> None:
        """Note something of one image; `close` says it once for all: "WHAT on 13 of 13 images". of: images in all.

        lacking: it is a property of a codec or metric that this image is left out, no failure: exit code 0, but for
        --strict.
        """
        self._gathered.setdefault(what, ([], of))[0].append(name)
        self._lacking |= lacking

    def lack(self, message: str) -> None:
        """Note that a part is left out by its nature, such as an optional metric without weights."""
        say(f"note: {message}")
        self._lacking = True

    def fail(self, name: str, reason: str) -> None:
        """Record that one image failed, and say so at once. `reason` names the image."""
        self.failures[name] = reason
        say(f"failed: {reason}")

    def fail_all(self, problems: Iterable[tuple[str, str]]) -> None:
        """Record failures without a line each; `close` lists them."""
        self.failures.update(problems)

    def close(self, done: str) -> int:
        """Say how the run ended. Returns the exit code: 0, or 1 when an image failed."""
        for what, (names, of) in self._gathered.items():
            some = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
            say(f"note: {what} on {len(names):,} of {of:,} images ({some}).")
        say(done)
        if not self.failures:
            return int(self._lacking and MANNER.strict)
        say(f"{len(self.failures)} failed:")
        for reason in list(self.failures.values())[:SHOWN]:
            say(f"  {reason}")
        if len(self.failures) > SHOWN:
            say(f"  ... and {len(self.failures) - SHOWN} more")
        return 1
