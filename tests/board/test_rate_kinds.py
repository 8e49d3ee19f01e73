"""Measured, estimated and nominal rates never look alike: in the leaderboard's tables, and on a curve."""

from __future__ import annotations

import csv
import itertools
import re

import made_results as made
import pytest

from cmcbench.board.curves import command as curves
from cmcbench.board.curves.collect import collect
from cmcbench.board.leaderboard import build
from cmcbench.files.rates import KINDS, joint_kind


@pytest.fixture
def results(tmp_path):
    for place, kind in enumerate(KINDS):
        made.target(tmp_path, f"{kind}-one", {"image": (0.01 + 0.01 * place, 0.5)}, kind=kind)
    return tmp_path


def test_what_a_mean_of_several_kinds_is_called():
    assert joint_kind([]) == "measured"
    for kinds in itertools.permutations(KINDS):
        assert joint_kind(kinds) == "nominal" and joint_kind(kinds[:1]) == kinds[0]
    assert joint_kind(["estimated", "measured"]) == "estimated"


def test_the_leaderboard_marks_each_otherwise(results):
    build.update(results)
    with open(results / "leaderboard.csv", newline="") as file:
        found = {row["target"]: row["rate"] for row in csv.DictReader(file) if row["mode"] == "image"}
    assert {name: found[name] for name in found if "-one" in name} == {f"{kind}-one": kind for kind in KINDS}
    text = (results / "leaderboard.md").read_text(encoding="utf-8")
    signs = {kind: set(re.findall(rf"\| {kind}-one +\|.*?\| 0\.0\d\d\d(\S*) +\|", text)) for kind in KINDS}
    assert signs == {"measured": {""}, "estimated": {"†"}, "nominal": {"\\*"}}
    assert "† estimated: " in text and "\\* nominal: " in text
    latex = (results / "leaderboard.tex").read_text(encoding="utf-8")
    assert "$^\\dagger$: estimated rate." in latex and "$^*$: nominal rate." in latex


def test_curves_mark_each_otherwise(results, capsys):
    assert {point.target: point.kind for curve in collect(results) for point in curve.points} == {
        f"{kind}-one": kind for kind in KINDS
    }
    assert curves.main(["--results", str(results)]) == 0
    with open(results / "curves" / "points.csv", newline="") as file:
        assert {row["target"]: row["kind"] for row in csv.DictReader(file)} == {f"{kind}-one": kind for kind in KINDS}
    cost = (results / "curves" / "cost.md").read_text(encoding="utf-8")
    assert cost.count("*estimated*") == cost.count("*nominal*") == 1 and "*measured*" not in cost
