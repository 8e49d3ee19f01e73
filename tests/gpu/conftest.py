"""Tests that need a GPU. Elsewhere they are skipped and say so; CMCBENCH_GPU=cpu runs what of them a CPU can."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

DEVICE = os.environ.get("CMCBENCH_GPU", "cuda")
THERE = DEVICE == "cpu" or torch.cuda.is_available()


def pytest_collection_modifyitems(items):
    for item in items:
        if not THERE and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="no CUDA device here: make test-gpu on a machine with one"))


@pytest.fixture(scope="session")
def device() -> str:
    return DEVICE


@pytest.fixture
def cuda(device) -> str:
    """Only where it is a GPU indeed."""
    if device == "cpu":
        pytest.skip("this is about a GPU's own memory or streams")
    return device
