"""What a user's program writes: its answers into a bounded queue, everything else to stderr, nothing without end."""

from __future__ import annotations

import json
import queue
import sys
from typing import IO, Any

from .secrets import without_secrets

LONGEST_LINE = 1 << 20  # bytes of an answer
WAITING = 1000  # answers that nobody has read yet; then the program has to wait
MOST_NOISE = 64 << 20  # bytes without an answer between; then the program is given up
SHOWN = 2000  # characters of a line of noise
TOO_LONG, TOO_MUCH = "line too long", "noise without end"  # problems in place of an answer


def listen(stdout: IO[bytes], said: queue.Queue[dict[str, Any] | str | None]) -> None:
    """Put what the program answers into the queue, None at its end; what libraries print goes to stderr."""
    noise = 0
    while line := stdout.readline(LONGEST_LINE + 1):
        answer = _answer(line)
        if answer is not None:
            noise = 0
            said.put(answer)
            continue
        noise += len(line)
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            noise += _skip_rest(stdout, MOST_NOISE - noise)
            if line.lstrip().startswith(b"{"):
                said.put(TOO_LONG)
        if line.strip():
            say(line[: 4 * SHOWN].decode("utf-8", "replace").rstrip())
        if noise >= MOST_NOISE:
            said.put(TOO_MUCH)
            break
    said.put(None)


def echo(stderr: IO[bytes], last_words: list[str]) -> None:
    """Pass the program's stderr on as it is, and remember its last line."""
    for line in iter(lambda: stderr.readline(LONGEST_LINE), b""):
        text = line.decode("utf-8", "replace")
        sys.stderr.write(text)
        last_words[0] = short(text) or last_words[0]


def say(line: str) -> None:
    """A line of the program, or about it, on stderr."""
    line = without_secrets(line)
    shown = line if len(line) <= SHOWN else line[:SHOWN] + "..."
    print("".join(c if c.isprintable() or c == "\t" else "?" for c in shown), file=sys.stderr)


def short(text: str) -> str:
    """Text of the program for a message: one line of at most 300 characters, without keys and images' data."""
    line = " ".join(without_secrets(text[:LONGEST_LINE]).split())
    return line if len(line) <= 300 else line[:300] + "..."


def _answer(line: bytes) -> dict[str, Any] | None:
    if len(line) > LONGEST_LINE:
        return None
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and answer.keys() & {"id", "ready", "error"} else None


def _skip_rest(stdout: IO[bytes], most: int) -> int:
    """Read to the end of a line, at most so many bytes. Returns their number."""
    read = 0
    while read < most and (part := stdout.readline(1 << 16)):
        read += len(part)
        if part.endswith(b"\n"):
            break
    return read
