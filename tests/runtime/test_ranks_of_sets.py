"""Measures of whole sets by several processes."""

from __future__ import annotations

import json
import os

import pytest
import warm
from bench import ROOT, write_truth
from processes import prepare
from torchrun import both, both_ended

FID = (str(ROOT / "tests/support/sets.py"), "--metrics", "fid,psnr", "--target")


@pytest.fixture
def ready(faked):
    return prepare(faked, write_truth(faked.folder / "GT", 10))


def test_features_of_sets_are_made_by_all_processes(ready):
    """FID by a stand-in for Inception: two processes' value is one's, and each embeds its share."""
    said = both_ended(both(ready.folder, *FID, "two"))
    count = len(list((ready.folder / "GT").iterdir()))
    # A ground truth and both of its modes each
    share = [f"embedded {3 * part}" for part in (count // 2, count - count // 2)]
    assert sorted(line for line in said.splitlines() if line.startswith("embedded")) == share
    assert warm.Program([*FID, "one"], ready.folder, dict(os.environ)).wait() == 0
    one, two = (json.loads((ready.folder / f"Result/{name}/summary.json").read_text()) for name in ("one", "two"))
    for mode in ("full", "text"):
        alone, found = (each["modes"][mode]["metrics"]["fid"] for each in (one, two))
        assert found["mean"] == pytest.approx(alone["mean"], rel=1e-6) and found["mean"] > 0
        assert found["n"] == count and found["digest"] == alone["digest"]
