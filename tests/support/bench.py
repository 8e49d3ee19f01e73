"""A user's working folder: the scripts run in it as a user runs them, and small inputs made of the samples."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import warm
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "samples" / "GT"


class Bench:
    """A user's working folder, and the scripts run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    fake = False  # True: the scripts run with the models of fake.py
    inside = False  # True: they run in this process, which saves the seconds that torch's import takes

    def command(self, script: str, *arguments: object) -> list[str]:
        program = [str(ROOT / "tests/support/fake.py"), script] if self.fake else [str(ROOT / script)]
        return [sys.executable, *program, *map(str, arguments)]

    def start(self, script: str, *arguments: object, **environment: str) -> warm.Program:
        """Start a script here without waiting for it."""
        return warm.Program(self.command(script, *arguments)[1:], self.folder, {**os.environ, **environment})

    def until(self, done: Callable[[], object], *processes: warm.Program) -> None:
        """Wait for something to happen while `processes` run."""
        deadline = time.monotonic() + 180
        while not done():
            for process in processes:
                assert process.poll() is None, f"the script ended too early: {process.read()}"
            assert time.monotonic() < deadline, "the script does not get on"
            time.sleep(0.01)

    def run(self, script: str, *arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess:
        """Run a script here; its exit code must be `code`, and it must never show a traceback."""
        done = (self._within if self.inside else self._outside)(script, arguments, {**os.environ, **environment})
        assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _outside(self, script: str, arguments: tuple, environment: dict[str, str]) -> subprocess.CompletedProcess:
        command = self.command(script, *arguments)
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=600, env=environment)

    def _within(self, script: str, arguments: tuple, environment: dict[str, str]) -> subprocess.CompletedProcess:
        import fake

        output, errors = io.StringIO(), io.StringIO()
        before = Path.cwd()
        handler = signal.getsignal(signal.SIGTERM)
        os.chdir(self.folder)
        try:
            with mock.patch.dict(os.environ, environment), redirect_stdout(output), redirect_stderr(errors):
                fake.run(script, [str(argument) for argument in arguments], fake.MODELS if self.fake else {})
        except SystemExit as end:
            return subprocess.CompletedProcess(script, end.code, output.getvalue(), errors.getvalue())
        finally:
            os.chdir(before)
            signal.signal(signal.SIGTERM, handler)
        raise AssertionError(f"{script} ended without an exit code")

    def encode(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        return self.run("script-i2t.py", *arguments, **options)

    def decode(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        return self.run("script-t2i.py", *arguments, **options)

    def score(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        return self.run("script-evaluate.py", *arguments, **options)

    def files(self, pattern: str = "**/*") -> dict[str, bytes]:
        """relative path -> content of the files below, hidden ones left out."""
        found = (path for path in sorted(self.folder.glob(pattern)) if path.is_file())
        relative = {path.relative_to(self.folder).as_posix(): path for path in found}
        return {name: path.read_bytes() for name, path in relative.items() if "/." not in f"/{name}"}


@contextmanager
def without_ffmpeg() -> Iterator[None]:
    """A machine without ffmpeg: references are made with AVIF, which is quicker than VVC."""
    from cmcbench.errors import RunFailed

    with mock.patch("cmcbench.encode.references.ffmpeg_program", side_effect=RunFailed("there is no ffmpeg")):
        yield


def write_truth(folder: Path, count: int, shrink: int = 4) -> Path:
    """`count` of the sample images, brought to about 1/`shrink` of their sides; odd sizes among them."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = sorted(SAMPLES.glob("*.png"))
    for path in (samples[:: max(1, len(samples) // count)])[:count]:
        with Image.open(path) as image:
            image.resize((image.width // shrink, image.height // shrink)).save(folder / path.name)
    return folder


def write_captions(file: Path, texts: dict[str, str], header: str = ",name,text") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f'{index},{name},"{text}"' for index, (name, text) in enumerate(texts.items())]
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file
