"""Python programs in processes of their own that begin with torch there: forks of a server that has imported it.

A new interpreter spends seconds of processor time on torch. These processes can be killed, interrupted and waited for
like any other; what only a new interpreter shows is tested with `subprocess`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["torch", "torchvision", "diffusers.pipelines.controlnet.pipeline_controlnet"])


class Program:
    """What subprocess.Popen does for `python ARGUMENTS`, as far as tests need it. environment: all of it."""

    def __init__(self, arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.said = Path(tempfile.mkdtemp(prefix="cmcbench-test-"))
        weakref.finalize(self, shutil.rmtree, self.said, ignore_errors=True)
        self._process = SERVER.Process(target=_run, args=(arguments, folder, environment, self.said), daemon=True)
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    poll = returncode.fget

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float = 180) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            self.kill()
            raise subprocess.TimeoutExpired("a test's program", timeout)
        return self.returncode

    def communicate(self, timeout: float = 180) -> tuple[str, str]:
        """(standard output, standard error), once it has ended."""
        self.wait(timeout)
        return self.read("out"), self.read("err")

    def read(self, which: str = "err") -> str:
        """What it has written so far."""
        return (self.said / which).read_text(encoding="utf-8", errors="replace")


def _run(arguments: list[str], folder: Path, environment: dict[str, str], said: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(said / name, os.O_WRONLY | os.O_CREAT), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    atexit._clear()  # the server's
    kind, *rest = arguments
    try:
        if kind == "-c":
            sys.argv = ["-c", *rest[1:]]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        elif kind == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            runpy.run_path(kind, run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out
