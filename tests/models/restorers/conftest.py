"""Each restoration decoder with its tiny checkpoint, and a folder that its script runs in."""

from __future__ import annotations

import functools

import pytest
import restoring


@pytest.fixture(scope="session")
def restorer(tmp_path_factory):
    """restorer("pasd") is what the flags take, made once a session."""
    return functools.cache(lambda name: restoring.files(name, tmp_path_factory.mktemp(name)))
