"""A submission of the tests' own, and verify to run on it."""

from __future__ import annotations

import pytest
import submissions
from submissions import zip_file

from cmcbench.submission import archive, verify
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The working folder with a result in it, whose submission.zip is written."""
    place = tmp_path_factory.mktemp("result")
    submit(submissions.result(place), place / "Weight")
    return place


@pytest.fixture(scope="module")
def contents(made):
    return archive.read(made / "Result/real/submission.zip", FILES)


@pytest.fixture
def verified(tmp_path, capsys):
    """verified(contents, *flags) is the exit code of verify and the lines that it printed."""

    def run(contents, *flags):
        code = verify.main([str(zip_file(tmp_path / "x.zip", contents)), *map(str, flags)])
        return code, capsys.readouterr().out.splitlines()

    return run
