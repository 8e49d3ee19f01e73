"""What the tests share: small real pictures, tiny checkpoints, and the scripts run as a user runs them."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench import Bench, without_ffmpeg, write_truth

# No test may reach a network; a hub that does not answer would otherwise be asked with retries
os.environ["HF_HUB_OFFLINE"] = "1"
# Tiny networks are many times slower with two threads as soon as the machine has something else to do
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # the few tests with two threads: those that wait leave the core
# Importing pyiqa would replace transformers' Llama classes in this process (see cmcbench/score/metrics/pyiqa.py)
for part in ("pyiqa.archs.qalign_arch", "pyiqa.archs.compare2score_arch"):
    sys.modules.setdefault(part, types.ModuleType(part))


def soon(file: int) -> None:
    """For os.fsync: no test makes a machine lose its power, and thousands of waits for a disk are minutes. In a thread
    it takes a moment, in which the others get on as they do while a disk is waited for.
    """
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.001)


os.fsync = soon

# Collecting makes nearly a million objects that stay: looking for garbage among them costs seconds
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def avif() -> Iterator[None]:
    with without_ffmpeg():
        yield


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the packages that hold weights of LPIPS and DISTS."""
    from cmcbench.score.metrics import packaged_weights

    monkeypatch.setattr(packaged_weights, "find", lambda metric: None)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def faked(bench: Bench) -> Bench:
    """The same, with models that are quick and can be told to fail."""
    bench.fake = bench.inside = True
    return bench


@pytest.fixture(scope="session")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_truth(tmp_path_factory.mktemp("four") / "GT", 4)


@pytest.fixture
def small_truth(bench: Bench, four: Path) -> Path:
    """A GT folder of four small pictures of three sizes, natural and screen content."""
    return shutil.copytree(four, bench.folder / "GT")


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
