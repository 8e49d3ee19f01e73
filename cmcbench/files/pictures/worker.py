"""Decoding in a process of its own: for formats whose decoders cannot be bounded from outside.

A worker serves picture after picture and is ended by the system when one takes too long or too much memory. It costs
some 0.1 s to start, and is kept; reading processes have one for each of their threads that reads.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO

from ... import ROOT
from . import decode
from .bounds import Unfit

if TYPE_CHECKING:
    from PIL import Image

MEMORY = 8 << 30  # bytes of address space of a worker; the largest picture in floating point takes a fifth
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from cmcbench.files.pictures.worker import serve; serve()"
LENGTH = struct.Struct(">Q")

idle: list[subprocess.Popen[bytes]] = []
_guard = threading.Lock()
_owner = os.getpid()


def decoded(data: bytes, form: str) -> tuple[Image.Image, str | None]:
    """As decode.decoded, within SECONDS and MEMORY. Raises Unfit."""
    from PIL import Image

    answer, pixels = _ask(data, form, "decoded")
    try:
        return Image.frombytes("RGB", tuple(answer["size"]), pixels), answer["note"]
    except MemoryError:
        raise Unfit("needs more memory than there is") from None


def size_of(data: bytes, form: str) -> tuple[int, int]:
    """As decode.size_of, within SECONDS and MEMORY. Raises Unfit."""
    width, height = _ask(data, form, "size_of")[0]["size"]
    return width, height


def _ask(data: bytes, form: str, what: str) -> tuple[dict[str, Any], bytes]:
    from PIL import Image

    worker = _take()
    try:
        assert worker.stdin is not None and worker.stdout is not None
        request = {"form": form, "what": what, "limit": Image.MAX_IMAGE_PIXELS, "seconds": decode.SECONDS}
        _send(worker.stdin, request, data)
        answer, pixels = _receive(worker.stdout)
    except (OSError, EOFError):
        raise Unfit(_how_it_ended(worker)) from None
    except BaseException:
        _end(worker)  # an answer is still to come, which the next picture must not get
        raise
    with _guard:
        idle.append(worker)
    if "unfit" in answer:
        raise Unfit(answer["unfit"])
    return answer, pixels


def _take() -> subprocess.Popen[bytes]:
    """A worker that nobody uses, or a new one. Raises Unfit."""
    global _owner
    with _guard:
        if _owner != os.getpid():  # a fork: the workers are the parent's
            idle.clear()
            _owner = os.getpid()
        if idle:
            return idle.pop()
    try:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends this program, which then ends them
        )
    except OSError as error:
        raise Unfit(f"cannot be decoded, since no process can be started for it ({error.strerror})") from None


def _how_it_ended(worker: subprocess.Popen[bytes]) -> str:
    _end(worker, kill=False)
    import signal

    if hasattr(signal, "SIGALRM") and worker.returncode == -signal.SIGALRM:
        return f"takes more than {decode.SECONDS} seconds to decode"
    if worker.returncode == -9:
        return "needs more memory than there is (its decoder was killed)"
    return "is damaged: its decoder ended without an answer"


def _end(worker: subprocess.Popen[bytes], kill: bool = True) -> None:
    if kill:
        worker.kill()
    for stream in (worker.stdin, worker.stdout):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
    try:
        worker.wait(10)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


@atexit.register
def _end_all() -> None:
    with _guard:
        workers = idle[:] if _owner == os.getpid() else []
        idle.clear()
    for worker in workers:
        _end(worker)


def _send(stream: BinaryIO, head: dict[str, Any], body: bytes) -> None:
    line = json.dumps(head).encode()
    stream.write(LENGTH.pack(len(line)) + line + LENGTH.pack(len(body)))
    stream.write(body)
    stream.flush()


def _receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes]:
    head = json.loads(_exactly(stream, LENGTH.unpack(_exactly(stream, LENGTH.size))[0]))
    return head, _exactly(stream, LENGTH.unpack(_exactly(stream, LENGTH.size))[0])


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def serve() -> None:
    """What a worker does: decode what comes on standard input until it ends. The system ends it where that is due."""
    import signal

    from PIL import Image

    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    _limit_memory()
    timed = hasattr(signal, "SIGALRM")
    if timed:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, also within a decoder
    while True:
        try:
            request, data = _receive(requests)
        except EOFError:
            return
        Image.MAX_IMAGE_PIXELS = request["limit"]
        decode.SECONDS = request["seconds"]
        if timed:
            signal.setitimer(signal.ITIMER_REAL, decode.SECONDS)
        try:
            answer, pixels = _answer(request, data)
        except Unfit as problem:
            answer, pixels = {"unfit": str(problem)}, b""
        except MemoryError:
            answer, pixels = {"unfit": "needs more memory than there is"}, b""
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
        del data
        _send(answers, answer, pixels)


def _answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    if request["what"] == "size_of":
        return {"size": decode.size_of(data, request["form"])}, b""
    image, note = decode.decoded(data, request["form"])
    return {"size": image.size, "note": note}, image.tobytes()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = MEMORY if soft == resource.RLIM_INFINITY else min(MEMORY, soft)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
