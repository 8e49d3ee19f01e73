"""Driving the user's own program, in its own environment, by lines of JSON: see docs/adding-a-model.md.

One process serves the whole run. A program that dies is started again for the next image; one that dies three times
without an answer between is given up. Files go through a temporary folder that is removed at the end.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from ._program_output import LONGEST_LINE, MOST_NOISE, TOO_LONG, WAITING, echo, listen, say, short
from .base import ModelError
from .secrets import without_secrets

HELP = "docs/adding-a-model.md tells how it answers"
DEATHS = 3  # without an answer between them; then the program is given up
PATIENCE = 30.0  # s until the user is told what is being waited for
MOST_OTHERS = 1000  # answers that were not asked for while one is waited for; then the program is given up
GRACE = 10.0  # s for a program that has nothing to do to end by itself
KILL_AFTER = 3.0  # s from asking a program to end to ending it


class Died(Exception):
    """The program ended. The message tells how, with the last line that it wrote to stderr."""


class Program:
    """The user's program and the conversation with it. `folder` is where files are exchanged."""

    def __init__(self, command: str | None, name: str, settings: dict[str, Any]) -> None:
        """Start the program and wait until it is ready. Raises ModelError."""
        self.stopped: str | None = None
        self._arguments = _split(command, name)
        self._settings = settings
        self._number, self._deaths = 0, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._told = False  # the user, that an answer is waited for
        self._place = tempfile.TemporaryDirectory(prefix="cmcbench-", ignore_cleanup_errors=True)
        self.folder = Path(self._place.name)
        atexit.register(self.close)
        try:
            self._start()
        except Died as death:
            self.close()
            raise ModelError(f"--command: the program did not get ready: {death}; {HELP}.") from None
        except BaseException:
            self.close()
            raise

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The program's answer to one request. Raises ModelError for an error answer and for a program that dies of
        it.
        """
        if self.stopped:
            raise ModelError("was not asked for, because the program has stopped")
        try:
            if self._process is None:
                self._start()
            self._number += 1
            self._write({"id": self._number, **request})
            answer = self._answer("id", self._number)
        except Died as death:
            self._bury()
            self._deaths += 1
            if self._deaths >= DEATHS:
                self.stopped = f"--command: the program died {DEATHS} times in a row, now: {death}. Mend it."
            raise ModelError(f"the program of --command died of this image: {death}") from None
        self._deaths = 0
        if answer.get("error") is not None:
            raise ModelError(short(str(answer["error"])) or "the program of --command gives an empty error")
        return answer

    def file(self, ending: str) -> Path:
        """A path in the exchange folder that nothing is at; it fits the request that is asked next."""
        return self.folder / f"{self._number + 1}{ending}"

    def close(self) -> None:
        """End the program and remove its files. Whoever is in the middle of an answer is not waited for."""
        atexit.unregister(self.close)
        if self._process is not None:
            _close(self._process.stdin)
            if not self._busy:
                _wait(self._process, GRACE)
            self._bury()
        self._place.cleanup()

    def _start(self) -> None:
        try:
            # A session of its own: Ctrl-C reaches us alone, and we can end what the program has started in turn
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                # What a Python program prints would otherwise stay in its buffer, and both would wait for ever
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except (OSError, ValueError) as error:
            why = f"{without_secrets(self._arguments[0])} cannot be started ({error.__class__.__name__})"
            if isinstance(error, OSError) and error.strerror:
                why = f"{without_secrets(self._arguments[0])} cannot be started ({error.strerror})"
            self.stopped = f"--command: {why}. Check the path."
            raise ModelError(self.stopped) from error
        self._busy, self._told_ready = True, False
        self._said: queue.Queue[dict[str, Any] | str | None] = queue.Queue(WAITING)
        self._last_words = [""]
        threading.Thread(target=listen, args=(self._process.stdout, self._said), daemon=True).start()
        self._echo = threading.Thread(target=echo, args=(self._process.stderr, self._last_words), daemon=True)
        self._echo.start()
        self._write(self._settings)
        answer = self._answer("ready", True)
        if answer.get("error") is not None:
            raise Died(f"it says: {short(str(answer['error']))}")

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._busy = True
        try:
            self._process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise Died(self._how_it_died()) from None

    def _answer(self, key: str, value: Any) -> dict[str, Any]:
        """Wait for the object that has this value, however long it takes; others are noise. Before the program is ready
        an object with an error is an answer, too. Raises ModelError for an answer that is too long."""
        assert self._process is not None
        began, others = time.monotonic(), 0
        while True:
            try:
                answer = self._said.get(timeout=0.5)
            except queue.Empty:
                if (
                    self._process.poll() is not None and self._said.empty()
                ):  # something that it started holds stdout open
                    raise Died(self._how_it_died()) from None
                self._tell_what_is_awaited(key, value, time.monotonic() - began)
                continue
            if answer is None:
                raise Died(self._how_it_died())
            if answer == TOO_LONG:
                self._busy = False
                raise ModelError(f"the program of --command answered with a line of over {LONGEST_LINE} bytes")
            if isinstance(answer, str):
                raise Died(f"it wrote {MOST_NOISE >> 20} MiB that are no answer")
            matches = answer.get(key) == value and type(answer.get(key)) is type(value)
            if matches or (key == "ready" and "error" in answer and "id" not in answer):
                self._busy = False
                return answer
            others += 1
            if others > MOST_OTHERS:
                raise Died(f"it gave {MOST_OTHERS} answers that were not asked for")
            if key == "id" and "id" in answer and others == 1:
                found, expected = json.dumps(answer["id"])[:40], json.dumps(value)
                say(f'note: the program of --command answered with "id": {found}, expected: {expected}.')
            say(json.dumps(answer))

    def _tell_what_is_awaited(self, key: str, value: Any, seconds: float) -> None:
        """Say after PATIENCE what the program is waited for: its readiness, and once a run an answer."""
        if seconds <= PATIENCE or (self._told if key == "id" else self._told_ready):
            return
        if key == "id":
            self._told, what = True, f'a line {{"id": {value}, ...}}'
        else:
            self._told_ready, what = True, '{"ready": true}'
        say(f"note: waiting for the program of --command to print {what}. It must flush its stdout after each line.")

    def _how_it_died(self) -> str:
        assert self._process is not None
        _wait(self._process, KILL_AFTER)
        code = self._process.poll()
        self._echo.join(1)
        how = "it closed its stdout" if code is None else _ending(code)
        return f"{how} ({self._last_words[0]})" if self._last_words[0] else how

    def _bury(self) -> None:
        """End the program if it is still there, with all that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)  # also when it has ended: its children may not have
            except (ProcessLookupError, PermissionError):
                pass
            if number == signal.SIGTERM:
                _wait(process, KILL_AFTER)
        process.wait()
        _close(process.stdin)


def _split(command: str | None, name: str) -> list[str]:
    if not command or not command.strip():
        raise ModelError(f"'{name}' runs a program of yours: give it with --command 'PROGRAM ARGUMENTS'; {HELP}.")
    try:
        return [os.path.expanduser(part) for part in shlex.split(command)]
    except ValueError as error:
        raise ModelError(
            f"--command {ascii(without_secrets(command))}: cannot be split into arguments ({error}). Check its quotes."
        ) from error


def _ending(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    return f"it was killed by {signal.Signals(-code).name if -code in set(signal.Signals) else f'signal {-code}'}"


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def _close(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except OSError:  # what could not be written any more
        pass
