"""When the last target of a results folder goes, what was made of it goes: leaderboard, curves and report."""

from __future__ import annotations

import inspect
import re
import shutil

import made_results as made
import pytest

from cmcbench.__main__ import main
from cmcbench.board import gone
from cmcbench.board.leaderboard import build
from cmcbench.errors import BadInput


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "Result"
    for rate in (0.01, 0.02):
        made.target(folder, f"vvc@{rate}", {"image": (rate, 0.5)}, codec=True)
    (tmp_path / "GT").mkdir()
    for command in ("leaderboard", "curves", "report"):
        more = {"curves": ["--anchor", "vvc"], "report": ["--ground_truth", str(tmp_path / "GT")]}.get(command, [])
        assert main([command, "--results", str(folder), *more]) == 0
    return folder


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def without_targets(folder):
    for target in folder.glob("vvc*"):
        shutil.rmtree(target)


@pytest.mark.parametrize("command", ["leaderboard", "curves", "report"])
def test_all_that_was_made_goes_with_the_last_target(results, command):
    made_here = {name.partition("/")[0] for name in files(results)}
    assert {"leaderboard.csv", "leaderboard-types.md", "leaderboard-modes.csv", "curves", "report"} <= made_here
    shutil.rmtree(results / "vvc@0.01")
    assert main(["leaderboard", "--results", str(results)]) == 0 and (results / "curves/bd.md").is_file()
    without_targets(results)
    with pytest.raises(BadInput, match="leaderboard and curves and report of targets that are gone were removed"):
        main([command, "--results", str(results)])
    assert files(results) == [] and not list(results.iterdir())
    with pytest.raises(BadInput) as again:
        main([command, "--results", str(results)])
    assert "removed" not in str(again.value) and "Score one with" in str(again.value) or command == "curves"


def test_what_is_somebody_elses_stays(results):
    without_targets(results)
    (results / "leaderboard.csv").write_text("name,score\nmine,1\n")
    (results / "curves/points.csv").write_text("data,preparation\n")
    (results / "report/notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"The report of targets that are gone was removed"):
        main(["leaderboard", "--results", str(results)])
    kept = files(results)
    assert {"leaderboard.csv", "leaderboard.md", "curves/points.csv", "curves/rate-log.png"} <= set(kept)
    assert [name for name in kept if name.startswith("report/")] == ["report/notes.txt"]


def test_a_target_that_is_left_keeps_everything(results):
    shutil.rmtree(results / "vvc@0.01")
    (results / "vvc@0.02/summary.json").write_text("{")
    before = files(results)
    with pytest.raises(BadInput):
        main(["report", "--results", str(results)])
    with pytest.raises(BadInput):
        main(["curves", "--results", str(results)])
    assert files(results) == before


def test_every_view_of_the_leaderboard_is_known_here():
    written = set(re.findall(r'"leaderboard(-[a-z]+)\.', inspect.getsource(build)))
    assert written and written | {f"-{view}" for view in build.VIEWS} <= set(gone.VIEWS)
