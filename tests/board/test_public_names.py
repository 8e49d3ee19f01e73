"""A target has one name, its folder's, on every part of the board; what takes no place says why and stands last."""

from __future__ import annotations

import json

import pytest
import scored
from board_tables import NAMES, SPENT, cells_of, made_by, table
from written_report import data

from cmcbench.__main__ import main
from cmcbench.board.compare.comparable import find, told_apart
from cmcbench.board.compare.comparing import compare
from cmcbench.board.curves import collect as curves
from cmcbench.board.leaderboard.build import update


@pytest.fixture
def twice(tmp_path):
    """Two submissions that both call themselves `real`."""
    for seed, name in enumerate(("team-a", "team-b")):
        file = scored.write(tmp_path / "Result" / name, scored.noisy(seed, seed), NAMES, spent=SPENT) / "summary.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "target": "real"}))
    return tmp_path / "Result"


def test_two_targets_that_call_themselves_the_same_are_two_rows(twice):
    text = update(twice)
    assert {each["target"] for each in table(twice) if each["status"] != "published"} == {"team-a", "team-b"}
    assert "| real" not in text and {point.target for curve in curves(twice) for point in curve.points} == {
        "team-a",
        "team-b",
    }
    assert main(["report", "--results", str(twice)]) == 0
    board = data(twice / "report", "board")
    assert [(each["name"], each["called"]) for each in board["targets"]] == [("team-b", "real"), ("team-a", "real")]
    assert {each["name"] for each in board["lines"] if "target" in each} == {"team-a", "team-b"}


def test_compared_folders_of_one_name_are_called_by_their_places(tmp_path, twice, capsys):
    places = [scored.write(tmp_path / place / "real", scored.noisy(7, place == "b"), NAMES) for place in "ab"]
    targets = told_apart([find(str(place), twice) for place in places] + [find("team-a", twice)])
    assert [target.name for target in targets] == [str(places[0]), str(places[1]), "team-a"]
    assert {each.verdict for each in compare(targets[:2])} == {f"{places[1]} is better"}
    assert main(["compare", *map(str, places)]) == 0
    assert f"## {places[0]} (first) and {places[1]} (second)" in capsys.readouterr().out


def test_codecs_of_one_mode_stand_below_the_places_and_say_why(tmp_path):
    for rate in range(1, 10):
        scored.write(tmp_path / f"vvc@0.0{rate}", scored.noisy(rate, 3), NAMES, modes=["image"])
    scored.write(tmp_path / "real", scored.noisy(20), NAMES, manifest=made_by("real", "gpt4v"))
    scored.write(tmp_path / "half", scored.noisy(21, 5), NAMES[1:], truth=NAMES)
    rows = cells_of(update(tmp_path), "Decoders (T2I)")
    own = [cells for cells in rows if cells[2]]
    assert own[0][1:3] == ["1", "real"] and rows.index(own[0]) == 12
    assert own[1][2] == "half" and own[1][14] == "not ranked: partial 19/20"
    assert {cells[14] for cells in own[2:]} == {"not ranked: single mode (image), a submission has two"}
    long = [cells[1] for cells in cells_of(update(tmp_path), "All rows")]
    assert long[:5] == ["real"] * 4 + ["**real**"] and len([name for name in long if "vvc" in name]) == 9 + 9


def test_a_mode_without_fr_is_said(tmp_path):
    def score(mode, metric, place):
        return None if (mode, metric) == ("text", "topiq_fr") else scored.noisy(1)(mode, metric, place)

    scored.write(tmp_path / "a", score, NAMES)
    (row,) = [cells for cells in cells_of(update(tmp_path), "Decoders (T2I)") if cells[2]]
    assert row[14] == "not ranked: a mode lacks FR or NR"
