"""The ffmpeg that video codecs run in, as a program of its own."""

from __future__ import annotations

import functools
import subprocess
from typing import Optional

from ..errors import RunFailed
from .base import NoRoom

SECONDS = 600  # an ffmpeg that takes longer for one picture hangs
DECODING = 60  # the same, of decoding
NO_ROOM = "Error submitting video frame"  # what ffmpeg says of a picture whose stream outgrows libvvenc's buffer


@functools.lru_cache(maxsize=None)
def _found() -> tuple[str, frozenset[str]]:
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
        listed = subprocess.run([program, "-v", "error", "-encoders"], capture_output=True, timeout=60).stdout
    except (ImportError, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        raise RunFailed(f"there is no ffmpeg ({error}); pip install 'imageio-ffmpeg>=0.8' brings one") from None
    return program, frozenset(words[1] for words in map(str.split, listed.decode("utf-8", "replace").splitlines()) if len(words) > 1)


def ffmpeg_program(encoder: str = "libvvenc", what: str = "VVC") -> str:
    """The ffmpeg that imageio-ffmpeg brings. Raises RunFailed where there is none, or none with this encoder."""
    program, encoders = _found()
    if encoder not in encoders:
        raise RunFailed(f"{program} has no {what} encoder ({encoder}); pip install -U imageio-ffmpeg brings one that has")
    return program


def ffmpeg(arguments: str, data: bytes, seconds: Optional[float] = None) -> bytes:
    """Run ffmpeg with `data` on its standard input; returns its standard output. Raises RunFailed with its first line.

    seconds: the most that it may take (None: SECONDS).
    """
    seconds = seconds or SECONDS
    command = [_found()[0], "-v", "error", "-nostdin", *arguments.split()]
    try:
        # a session of its own: Ctrl-C stops this program, which then lets the picture in work end
        done = subprocess.run(command, input=data, capture_output=True, timeout=seconds, start_new_session=True)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"ffmpeg took more than {seconds} seconds for one picture") from None
    except OSError as error:
        raise RunFailed(f"ffmpeg does not start ({error})") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise (NoRoom if NO_ROOM in lines[0] else RunFailed)(f"ffmpeg failed: {lines[0]}")
    return done.stdout
