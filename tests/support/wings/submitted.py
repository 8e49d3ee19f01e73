"""A result that is submitted: what was packed of it, or why it was refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cmcbench.errors import BadInput
from cmcbench.submission import archive
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


def packed(folder: Path) -> dict[str, bytes]:
    return archive.read(submit(folder, folder.parent.parent / "Weight"), FILES)


def edit(path: Path, change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def faults(folder: Path, capsys) -> list[str]:
    """What --submit says of a result that cannot be submitted. Nothing may be written then."""
    before = sorted(folder.rglob("*"))
    capsys.readouterr()
    with pytest.raises(BadInput, match="cannot be submitted for the .* reason.*Nothing was written"):
        submit(folder, folder.parent.parent / "Weight")
    assert sorted(folder.rglob("*")) == before
    return [line.removeprefix("fault: ") for line in capsys.readouterr().err.splitlines() if line.startswith("fault: ")]
