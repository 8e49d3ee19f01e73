"""Measures of whole sets by several processes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from bench import ROOT, write_truth
from processes import prepare
from torchrun import launch


@pytest.fixture
def ready(faked):
    return prepare(faked, write_truth(faked.folder / "GT", 10))


def test_features_of_sets_are_made_by_all_processes(ready):
    """FID by a stand-in for Inception: two processes' value is one's, and each embeds its share."""
    processes = [launch(ready.folder, ROOT / "tests/support/sets.py", "--target", "two", "--metrics", "fid,psnr")]
    _, errors = processes[0].communicate(timeout=180)
    assert processes[0].returncode == 0, errors
    count = len(list((ready.folder / "GT").iterdir()))
    # A ground truth and both of its modes each
    share = [f"embedded {3 * part}" for part in (count // 2, count - count // 2)]
    assert sorted(line for line in errors.splitlines() if line.startswith("embedded")) == share
    command = [sys.executable, ROOT / "tests/support/sets.py", "--target", "one", "--metrics", "fid,psnr"]
    subprocess.run(list(map(str, command)), cwd=ready.folder, check=True, capture_output=True)
    one, two = (json.loads((ready.folder / f"Result/{name}/summary.json").read_text()) for name in ("one", "two"))
    for mode in ("full", "text"):
        alone, found = (each["modes"][mode]["metrics"]["fid"] for each in (one, two))
        assert found["mean"] == pytest.approx(alone["mean"], rel=1e-6) and found["mean"] > 0
        assert found["n"] == count and found["digest"] == alone["digest"]
