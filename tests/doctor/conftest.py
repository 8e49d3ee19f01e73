"""The doctor asked in an empty folder: its findings, or the lines that it prints."""

from __future__ import annotations

import json

import pytest

from cmcbench.doctor import command as doctor


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ask(here, capsys):
    def ask(*flags: str, code: int = 1) -> dict[str, dict]:
        assert doctor.main(["--json", *flags]) == code
        told = json.loads(capsys.readouterr().out)
        found = {finding["what"]: finding for finding in told.pop("findings")}
        return {**found, "told": told}

    return ask


@pytest.fixture
def lines(here, capsys):
    def lines(*flags: str, code: int = 1) -> str:
        assert doctor.main(list(flags)) == code
        return capsys.readouterr().out

    return lines
