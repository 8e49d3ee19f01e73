"""What the tests share: small real pictures, tiny checkpoints, and the scripts run as a user runs them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples" / "GT"

# No test may reach a network; a hub that does not answer would otherwise be asked with retries
os.environ["HF_HUB_OFFLINE"] = "1"
# Tiny networks are many times slower with two threads as soon as the machine has something else to do
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Importing pyiqa would replace transformers' Llama classes in this process (cmcbench/score/pyiqa_metric.py tells of it)
for part in ("pyiqa.archs.qalign_arch", "pyiqa.archs.compare2score_arch"):
    sys.modules.setdefault(part, types.ModuleType(part))


class Bench:
    """A user's working folder, and the scripts run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    fake = False  # True: the scripts run with the models of tests/fake.py
    inside = False  # True: they run in this process, which saves the seconds that torch's import takes

    def command(self, script: str, *arguments: object) -> list[str]:
        program = [str(ROOT / "tests" / "fake.py"), script] if self.fake else [str(ROOT / script)]
        return [sys.executable, *program, *map(str, arguments)]

    def start(self, script: str, *arguments: object, **environment: str) -> subprocess.Popen:
        """Start a script here without waiting for it."""
        return subprocess.Popen(
            self.command(script, *arguments),
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, done: Callable[[], object], process: subprocess.Popen) -> None:
        """Wait for something to happen while `process` runs."""
        deadline = time.monotonic() + 60
        while not done():
            assert process.poll() is None, f"the script ended too early: {process.stderr.read()}"
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


@pytest.fixture
def avif(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without ffmpeg: references are made with AVIF, which is quicker than VVC."""
    from cmcbench.encode import references
    from cmcbench.errors import RunFailed

    def none() -> None:
        raise RunFailed("there is no ffmpeg")

    monkeypatch.setattr(references, "ffmpeg_program", none)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def faked(bench: Bench) -> Bench:
    """The same, with models that are quick and can be told to fail."""
    bench.fake = bench.inside = True
    return bench


@pytest.fixture
def small_truth(bench: Bench) -> Path:
    """A GT folder of four small pictures of three sizes, natural and screen content."""
    return write_truth(bench.folder / "GT", 4)


def write_truth(folder: Path, count: int) -> Path:
    """`count` of the sample images, brought to about 1/4 of their size; odd sizes among them."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = sorted(SAMPLES.glob("*.png"))
    for path in (samples[:: max(1, len(samples) // count)])[:count]:
        with Image.open(path) as image:
            image.resize((image.width // 4, image.height // 4)).save(folder / path.name)
    return folder


def write_captions(file: Path, texts: dict[str, str], header: str = ",name,text") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f'{index},{name},"{text}"' for index, (name, text) in enumerate(texts.items())]
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def one_thread():
    """Tiny operators lose far more to threads that wait for each other than they win, above all on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """checkpoint("sdxl") is the folder of a tiny random checkpoint of that architecture, built once a session."""
    built: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in built:
            import tiny_i2t
            import tiny_t2i

            maker = getattr(tiny_t2i, name, None) or getattr(tiny_i2t, name)
            built[name] = tmp_path_factory.mktemp("checkpoints") / name
            maker(built[name])
        return built[name]

    return build


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Weight folder of TOPIQ's architecture with seeded random weights."""
    import tiny_topiq

    folder = tmp_path_factory.mktemp("Weight")
    tiny_topiq.weights(folder)
    return folder
