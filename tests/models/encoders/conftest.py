"""Tiny checkpoints of all the named encoders."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_i2t
import tiny_llava
from named_encoders import ENCODERS


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("encoders")
    built = {kind: getattr(tiny_i2t, kind)(base / kind) for *_, kind in ENCODERS if kind != "authors"}
    built["authors"], built["converted"], _ = tiny_llava.both(base / "llava_layouts")
    return built
