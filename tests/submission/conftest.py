"""A scored result of the tests' own."""

from __future__ import annotations

import pytest
import submissions


@pytest.fixture
def made(tmp_path):
    """The folder of a scored result; GT, Text and Weight are where a user has them."""
    return submissions.result(tmp_path)
