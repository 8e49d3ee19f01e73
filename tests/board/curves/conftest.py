"""Curves without their figures, which take half a second each."""

from __future__ import annotations

import pytest

from cmcbench.board.curves import figures


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are empty files, where what is said or the tables are what is tested."""
    monkeypatch.setattr(figures, "draw", lambda *given: {"svg": b"<svg/>", "png": b""})
