"""Tiny checkpoints of the transformers family, whole and to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_i2t
from captioning import KINDS, load

from models.i2t._transformers import model as family


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("i2t")
    return {kind: getattr(tiny_i2t, kind)(base / kind) for kind in KINDS}


@pytest.fixture(scope="session")
def captioners(checkpoints: dict[str, Path]) -> dict[str, family.Model]:
    return {kind: load(folder) for kind, folder in checkpoints.items()}


@pytest.fixture
def spoilt(checkpoints: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a checkpoint to spoil: spoilt("llava")."""
    return lambda kind="llava": Path(shutil.copytree(checkpoints[kind], tmp_path / kind))
