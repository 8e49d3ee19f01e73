"""A result to score on a machine that has neither weights nor a network."""

from __future__ import annotations

import pytest
import torch
from paper_scores import blur


@pytest.fixture
def ready(bench, small_truth):
    """GT of four images and Result/real with full: blurred copies; scripts run in this process."""
    bench.inside = True
    blur(small_truth, bench.folder / "Result" / "real" / "full")
    return bench


@pytest.fixture(autouse=True)
def nothing_is_here(monkeypatch, no_packages):
    """Neither pyiqa's weights nor a network, whatever the machine has."""
    import pyiqa  # noqa: F401  its defaults are read when it is imported
    import pyiqa.utils.download_util as download

    def refuse(url, *_, **__):
        raise OSError("there is no network")

    monkeypatch.setattr(download, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
