"""A program for --command, and models that ask it."""

from __future__ import annotations

import shlex
import sys

import pytest
from programs import READY, WORKER

import models
from models import _command


@pytest.fixture
def program(tmp_path, monkeypatch):
    """program(work, start) is the --command of a program that does `work` with each request."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_command, "KILL_AFTER", 0.5)
    made = []

    def write(work: str, start: str = READY) -> str:
        file = tmp_path / f"my worker {len(made)}.py"
        file.write_text(WORKER.format(start=start, work="\n".join("    " + line for line in work.splitlines())))
        made.append(file)
        return f"{sys.executable} {shlex.quote(str(file))}"

    return write


@pytest.fixture
def load():
    loaded = []

    def start(kind, command, name="command", **options):
        model = models.create(kind, name)
        modes = (frozenset({"full"}),) if kind == "t2i" else ()
        model.load(None, "cpu", "torch.float32", *modes, command=command, **options)
        loaded.append(model)
        return model

    yield start
    for model in loaded:
        model._program.close()
