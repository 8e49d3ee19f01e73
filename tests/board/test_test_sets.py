"""Results of stated test sets on the board: numbers on other crops never meet; without a set all is as it was."""

from __future__ import annotations

import csv
import json

import made_results
import pytest
import scored
from set_stated import LARGE, SMALL, state

from cmcbench.board.compare import command as compare
from cmcbench.board.curves import command as curves
from cmcbench.board.curves.collect import collect
from cmcbench.board.leaderboard.build import update
from cmcbench.errors import BadInput
from cmcbench.files.store import write_json


@pytest.fixture
def results(tmp_path):
    """Two targets on one crop, one on another, one of which nothing is stated; all have pictures of the same names."""
    for place, (name, data, truth) in enumerate(
        [("a", LARGE, "large"), ("b", LARGE, "large"), ("c", SMALL, "small"), ("d", None, "large")]
    ):
        folder = scored.write(tmp_path / name, scored.noisy(place, place / 10), digest=truth)
        if data:
            state(folder, data)
    return tmp_path


def rows(results) -> list[dict[str, str]]:
    update(results)
    with open(results / "leaderboard.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["status"] != "published"]


def test_other_crops_have_places_of_their_own(results):
    overall = {row["target"]: row for row in rows(results) if row["mode"] == "overall"}
    assert {name: row["data"] for name, row in overall.items()} == {
        "a": "kodak short512 crop512 bbbbbbbb",
        "b": "kodak short512 crop512 bbbbbbbb",
        "c": "kodak short256 crop256 aaaaaaaa",
        "d": "",
    }
    assert overall["c"]["overall_rank"] == "1"  # alone
    assert sorted(overall[name]["overall_rank"] for name in "abd") == ["1", "2", "3"]
    text = (results / "leaderboard.md").read_text()
    assert "(kodak short256 crop256 aaaaaaaa)" in text and "(kodak short512 crop512 bbbbbbbb)" in text
    assert "Ground truth: " not in text  # there is not one for all
    # Where the metrics are not TOPIQ, the LaTeX table has a row for each
    for name, data, truth in (("x", SMALL, "small"), ("y", LARGE, "large")):
        state(scored.write(results / name, scored.noisy(7), metrics=["psnr"], digest=truth), data)
    update(results)
    assert "x on kodak short256 crop256 aaaaaaaa" in (results / "leaderboard.tex").read_text()


def test_a_set_that_is_not_stated_changes_nothing(tmp_path):
    """The files of a board without stated sets are those of before: no column, no note."""
    scored.write(tmp_path / "a", scored.noisy(1))
    update(tmp_path)
    for name in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex"):
        assert "data" not in (tmp_path / name).read_text() and "Ground truth:" not in (tmp_path / name).read_text()


def test_comparing_across_crops_is_refused_by_name(results):
    with pytest.raises(BadInput, match="a was scored on kodak short512.* and c on kodak short256.*same --gt_path"):
        compare.main(["a", "c", "--results", str(results)])
    assert compare.main(["a", "b", "--results", str(results)]) == 0
    assert compare.main(["a", "d", "--results", str(results)]) == 0  # told by the pictures' digests, as before


def test_curves_are_of_one_crop(tmp_path, capsys):
    results = tmp_path / "Result"
    for place, rate in enumerate((0.01, 0.02, 0.04)):
        for name, data, truth in (("vvc", LARGE, "large"), ("avc", LARGE, "large"), ("odd", SMALL, "small")):
            state(
                made_results.target(results, f"{name}@{rate}", {"image": (rate, 0.5 + place / 10)}, digests=truth), data
            )
    found = collect(results)
    assert [curve.label for curve in found] == ["avc", "vvc"]
    assert {str(curve.data) for curve in found} == {"kodak short512 crop512 bbbbbbbb"}
    said = capsys.readouterr().err
    assert "odd@0.01 was scored on kodak short256 crop256 aaaaaaaa, most others on kodak short512 crop512" in said
    assert str(collect(results, ["odd"])[0].data) == "kodak short256 crop256 aaaaaaaa"
    made_results.target(results, "old@0.02", {"image": (0.02, 0.6)}, digests="large")
    assert {curve.label: curve.data for curve in collect(results)} == dict.fromkeys(("avc", "old", "vvc"))
    curves.main(["vvc", "--anchor", "vvc", "--results", str(results), "--resamples", "10"])
    assert "kodak short512 crop512 bbbbbbbb" in (results / "curves/cost.md").read_text()


@pytest.mark.parametrize(
    "data", [3, {}, {"name": "x"}, {"name": "\x1b", "digest": "a" * 16}, {"name": "x", "digest": "/"}]
)
def test_a_set_that_cannot_be_is_refused(tmp_path, capsys, data):
    folder = scored.write(tmp_path / "a", scored.noisy(1))
    write_json(folder / "summary.json", {**json.loads((folder / "summary.json").read_text()), "data": data})
    update(tmp_path)
    assert "holds" in capsys.readouterr().err and "a," not in (tmp_path / "leaderboard.csv").read_text()
