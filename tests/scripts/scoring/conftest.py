"""A folder that script-evaluate.py can run in."""

from __future__ import annotations

import pytest
from scoring_runs import blur


@pytest.fixture
def ready(faked, small_truth):
    """GT of four images and Result/real with full and text: copies, blurred the more the later the mode."""
    for mode, radius in (("full", 1), ("text", 3)):
        blur(small_truth, faked.folder / "Result" / "real" / mode, radius)
    return faked
