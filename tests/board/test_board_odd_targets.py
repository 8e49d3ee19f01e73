"""The board's tables of odd targets: other weights, measures of the whole set, no score table, and strangers' words."""

from __future__ import annotations

import json
import re

import pytest
import scored
from board_tables import NAMES, cells_of, made_by, row, table

from cmcbench.board.leaderboard.build import update


def test_other_weights_are_marked_and_never_ranked_together(tmp_path):
    scored.write(tmp_path / "a", scored.noisy(1, 1), NAMES, manifest=made_by("a", "gpt4v"))
    scored.write(tmp_path / "b", scored.noisy(2), NAMES, identity="weights 2", manifest=made_by("b", "gpt4v"))
    scored.write(tmp_path / "c", scored.noisy(3), NAMES, digest="other", manifest=made_by("c", "gpt4v"))
    text = update(tmp_path)
    assert {
        each["overall_rank"] for each in table(tmp_path) if each["mode"] == "overall" and each["status"] == "whole"
    } == {"1"}
    assert "Only rows of the same set can be compared. a: ground truth" in text and "NR weights 2" in text
    sets = {cells[2]: cells[14] for cells in cells_of(text, "Decoders (T2I)") if cells[1] != "published"}
    assert len(set(sets.values())) == 3
    rows = table(tmp_path, "leaderboard-grid.csv")
    assert len(rows) == 3 and all(sum(bool(each[name]) for name in "abc") == 1 for each in rows)
    assert (
        len(
            {
                (each["ground_truth"], each["identities"])
                for each in table(tmp_path)
                if each["mode"] == "full" and each["status"] == "whole"
            }
        )
        == 3
    )
    assert "set a" in (tmp_path / "leaderboard.tex").read_text()


def test_a_measure_of_the_whole_set_has_a_place_and_no_interval(tmp_path):
    for name, value in (("a", 30.0), ("b", 20.0)):
        file = scored.write(tmp_path / name, scored.noisy(1), NAMES) / "summary.json"
        found = json.loads(file.read_text())
        for mode in found["modes"].values():
            mode["metrics"]["fid"] = {"mean": value, "n": 20, "set": True}
        found["metrics"]["fid"] = {"kind": "FR", "lower_is_better": True, "identity": "fid"}
        found["over_modes"]["fid"] = value
        file.write_text(json.dumps(found))
    update(tmp_path)
    found = row(table(tmp_path), "b", "full")
    assert (found["fid"], found["fid_low"], found["fid_rank"], found["fid_rank_best"]) == ("20.000000", "", "1", "")
    assert "| 20.0000 (1)" in (tmp_path / "leaderboard.md").read_text()


def test_without_its_score_table_a_target_has_places_but_no_intervals_of_them(tmp_path, capsys):
    for name, seed in (("a", 1), ("b", 2)):
        scored.write(tmp_path / name, scored.noisy(seed), NAMES)
    (tmp_path / "a" / "scores.csv").unlink()
    update(tmp_path)
    assert capsys.readouterr().err.count("the places of what a is compared with have no intervals") == 1
    found = row(table(tmp_path), "b", "full")
    assert found["topiq_fr_rank"] and found["topiq_fr_low"] and not found["topiq_fr_rank_best"]


def test_scores_that_the_summary_was_not_made_of_are_said(tmp_path, capsys):
    for name, seed in (("a", 1), ("b", 2)):
        scored.write(tmp_path / name, scored.noisy(seed), NAMES)
    file = tmp_path / "a" / "scores.csv"
    file.write_text(re.sub(r"\n(.*?),(.*?),(.*?),full,[\d.]+", r"\n\1,\2,\3,full,9.5", file.read_text()))
    update(tmp_path)
    assert "is not what its summary.json was made of" in capsys.readouterr().err
    assert (
        not row(table(tmp_path), "b", "full")["topiq_fr_rank_best"]
        and row(table(tmp_path), "b", "text")["topiq_fr_rank_best"]
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["modes"]["full"]["metrics"]["topiq_fr"].update(low=float("inf")),
        lambda found: found["modes"]["full"]["metrics"]["topiq_fr"].update(mean=10**400),
        lambda found: found["overall"].update(t2i="nan"),
        lambda found: found.update(overall_interval={"t2i": [1, "x"], "i2t": None}),
        lambda found: found.update(over_modes_interval=3),
        lambda found: found["modes"]["full"].update(rate={"ratio": float("nan")}),
        lambda found: found["modes"]["full"].update(cost=[1]),
        lambda found: found["ground_truth"].update(images=float("inf")),
        lambda found: found["metrics"]["topiq_fr"].pop("identity"),
        lambda found: found["metrics"]["topiq_fr"].update(lower_is_better=True),
        lambda found: found["metrics"].pop("topiq_fr"),
        lambda found: found.update(padding="x" * 2_000_000),
        lambda found: found.update(target="x" * 300),
        lambda found: found["metrics"].update({f"m{number}": found["metrics"]["topiq_fr"] for number in range(100)}),
    ],
)
def test_summaries_of_strangers(tmp_path, change, capsys, monkeypatch):
    """One that is none is left out aloud, and the others are as without it."""
    monkeypatch.setattr("cmcbench.board.scored.LARGEST_SUMMARY", 1_000_000)
    scored.write(tmp_path / "a", scored.noisy(1), NAMES)
    update(tmp_path)
    before = (tmp_path / "leaderboard.csv").read_text()
    file = scored.write(tmp_path / "b", scored.noisy(1), NAMES) / "summary.json"
    found = json.loads(file.read_text())
    change(found)
    file.write_text(json.dumps(found))
    update(tmp_path)
    told = capsys.readouterr().err
    assert "b/summary.json" in told and "left out of the leaderboard" in told
    assert (tmp_path / "leaderboard.csv").read_text() == before


def test_modes_and_kinds_that_are_none_are_not_shown(tmp_path):
    file = scored.write(tmp_path / "a", scored.noisy(1), NAMES) / "summary.json"
    found = json.loads(file.read_text())
    found["modes"]["overall"] = found["modes"]["secret"] = found["modes"]["full"]
    for mode in found["modes"].values():
        mode["types"]["<b>"] = mode["types"]["NSI"]
    file.write_text(json.dumps(found))
    update(tmp_path)
    assert [each["mode"] for each in table(tmp_path) if each["status"] != "published"] == [*scored.MODES, "overall"]
    assert {each["content"] for each in table(tmp_path, "leaderboard-types.csv")} == {"AIGI", "NSI", "SCI"}
