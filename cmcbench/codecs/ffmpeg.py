"""The ffmpeg that video codecs run in, as a program of its own."""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import RunFailed
from .base import NoRoom

SECONDS = 600  # an ffmpeg that takes longer for one picture hangs
DECODING = 60  # the same, of decoding
GLANCE = 0.002  # seconds between two looks at its memory
NO_ROOM = "Error submitting video frame"  # what ffmpeg says of a picture whose stream outgrows libvvenc's buffer


@functools.cache
def _found() -> tuple[str, frozenset[str]]:
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
        listed = subprocess.run([program, "-v", "error", "-encoders"], capture_output=True, timeout=60).stdout
    except (ImportError, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        raise RunFailed(f"there is no ffmpeg ({error}); pip install 'imageio-ffmpeg>=0.8' brings one") from None
    return program, frozenset(
        words[1] for words in map(str.split, listed.decode("utf-8", "replace").splitlines()) if len(words) > 1
    )


def ffmpeg_program(encoder: str = "libvvenc", what: str = "VVC") -> str:
    """The ffmpeg that imageio-ffmpeg brings. Raises RunFailed where there is none, or none with this encoder."""
    program, encoders = _found()
    if encoder not in encoders:
        raise RunFailed(
            f"{program} has no {what} encoder ({encoder}); pip install -U imageio-ffmpeg brings one that has"
        )
    return program


class Peak(threading.local):
    """bytes: the most memory that an ffmpeg of this thread has taken since this was set to None; None where none ran,
    or
    where the system does not tell (Linux does)."""

    bytes: int | None = None


peak = Peak()


def ffmpeg(arguments: str, data: bytes, seconds: float | None = None) -> bytes:
    """Run ffmpeg with `data` on its standard input; returns its standard output. Raises RunFailed with its first line.

    seconds: the most that it may take (None: SECONDS). What memory it took is in `peak`.
    """
    seconds = seconds or SECONDS
    command = [_found()[0], "-v", "error", "-nostdin", *arguments.split()]
    pipe = subprocess.PIPE
    try:
        # a session of its own: Ctrl-C stops this program, which then lets the picture in work end
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    except OSError as error:
        raise RunFailed(f"ffmpeg does not start ({error})") from None
    with process, _watched(process.pid):
        try:
            output, errors = process.communicate(data, seconds)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"ffmpeg took more than {seconds} seconds for one picture") from None
        finally:
            process.kill()  # does nothing where it has ended
    if process.returncode != 0:
        lines = errors.decode("utf-8", "replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise (NoRoom if NO_ROOM in lines[0] else RunFailed)(f"ffmpeg failed: {lines[0]}")
    return output


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[None]:
    """Look at a process's peak memory while it runs, and enter it in `peak`. Its rusage would hold our own peak as
    well.
    """
    seen, ended = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(pid, seen, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        peak.bytes = max(peak.bytes or 0, seen[0]) or None


def _watch(pid: int, seen: list[int], ended: threading.Event) -> None:
    while True:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # no Linux, or the process has ended
            return
        kilobytes = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
        seen[0] = 1024 * int(kilobytes[1]) if kilobytes else seen[0]  # a process that has just ended has none
        if ended.wait(GLANCE):
            return
