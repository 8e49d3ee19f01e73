"""The leaderboard, from summaries: ranks, marks, escaping, and summaries that are none."""

from __future__ import annotations

import csv
import io
import json

import pytest

from cmcbench.board.leaderboard.build import update


def summary(name="mine", means=(("full", 2.0, 3.0), ("text", 1.0, 3.0)), n=10, of=10, **changes) -> dict:
    modes = {
        mode: {
            "images": n,
            "metrics": {"topiq_fr": {"mean": fr, "n": n}, "topiq_nr": {"mean": nr, "n": n}},
            "bpp": None,
            "types": {},
        }
        for mode, fr, nr in means
    }
    fr, nr = (sum(values) / len(means) for values in zip(*(row[1:] for row in means)))
    about = {"kind": "FR", "lower_is_better": False, "identity": "weights 1"}
    return {
        "target": name,
        "made_by": {"t2i": "x", "captions": None, "baseline": False},
        "ground_truth": {"images": of, "digest": "1234"},
        "metrics": {"topiq_fr": about, "topiq_nr": about},
        "modes": modes,
        "over_modes": {"topiq_fr": fr, "topiq_nr": nr},
        "overall": {"t2i": fr * 2 / 3 + nr / 3, "i2t": None},
        **changes,
    }


def rows(folder, *summaries) -> list[dict[str, str]]:
    for each in summaries:
        (folder / each["target"]).mkdir(exist_ok=True)
        (folder / each["target"] / "summary.json").write_text(json.dumps(each))
    update(folder)
    return [row for row in table(folder / "leaderboard.csv") if row["status"] != "published"]


def table(file) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text())))


def overall_ranks(found) -> dict[str, str]:
    return {row["target"]: row["overall_rank"] for row in found if row["mode"] == "overall"}


def test_one_row_a_mode_then_the_overall_row(tmp_path):
    found = rows(tmp_path, summary())
    assert [(row["mode"], row["topiq_fr"], row["topiq_nr"], row["overall"], row["n"]) for row in found] == [
        ("full", "2.000000", "3.000000", "", "10"),
        ("text", "1.000000", "3.000000", "", "10"),
        ("overall", "1.500000", "3.000000", "2.000000", "10"),
    ]


def test_ranks_by_overall_with_ties(tmp_path):
    low = (("full", 1.0, 1.0), ("text", 1.0, 1.0))
    found = rows(tmp_path, summary("low", low), summary("a"), summary("b"))
    assert overall_ranks(found) == {"a": "1", "b": "1", "low": "3"}
    assert [row["target"] for row in found if row["mode"] == "overall"] == ["a", "b", "low"]


def test_partial_single_mode_and_other_weights_are_not_ranked_among_the_others(tmp_path):
    better = (("full", 9.0, 9.0), ("text", 9.0, 9.0))
    about = {"kind": "FR", "lower_is_better": False, "identity": "weights 2"}
    found = rows(
        tmp_path,
        summary("whole"),
        summary("partial", better, n=9),
        summary("single", better[:1]),
        summary("other weights", better, metrics={"topiq_fr": about, "topiq_nr": about}),
        summary("other truth", better, ground_truth={"images": 10, "digest": "5678"}),
    )
    assert overall_ranks(found) == {"whole": "1", "partial": "", "single": "", "other weights": "1", "other truth": "1"}
    assert {row["status"] for row in found if row["target"] == "partial"} == {"partial"}
    # a single mode is whole and ranked in its own mode
    assert next(row for row in found if row["target"] == "single" and row["mode"] == "full")["topiq_fr_rank"] == "1"


def test_an_overall_that_a_mode_lacks_a_score_of_is_not_ranked(tmp_path):
    lacking = summary("lacking", (("full", 9.0, 9.0), ("text", 1.0, 1.0)))
    del lacking["modes"]["text"]["metrics"]["topiq_nr"]
    lacking["overall"] = {"t2i": 9.0, "i2t": None}  # of full alone
    found = rows(tmp_path, lacking, summary("whole"))
    assert overall_ranks(found) == {"lacking": "", "whole": "1"}
    assert [row["status"] for row in found if row["target"] == "lacking"] == ["whole", "whole", "partial"]


def test_lower_is_better(tmp_path):
    about = {"kind": "NR", "lower_is_better": True, "identity": "pyiqa"}
    each = [
        summary(
            name,
            metrics={"piqe": about},
            over_modes={"piqe": value},
            overall={"t2i": None, "i2t": None},
            modes={mode: {"metrics": {"piqe": {"mean": value, "n": 10}}, "bpp": None} for mode in ("full", "text")},
        )
        for name, value in (("bad", 90.0), ("good", 10.0))
    ]
    found = rows(tmp_path, *each)
    assert [(row["target"], row["piqe_rank"]) for row in found if row["mode"] == "full"] == [
        ("good", "1"),
        ("bad", "2"),
    ]
    assert "piqe ↓" in (tmp_path / "leaderboard.md").read_text()
    assert "Overall ↑" not in (tmp_path / "leaderboard.md").read_text().splitlines()[0]


def test_baselines_are_called_so(tmp_path):
    found = rows(
        tmp_path,
        summary("floor", made_by={"baseline": True, "captions": {"baseline": True}}),
        summary("system", made_by={"baseline": False, "captions": {"baseline": True}}),
        summary("unknown", made_by={"baseline": None, "captions": None}),
    )
    assert {row["target"]: row["baseline"] for row in found} == {
        "floor": "decoder and captions",
        "system": "captions",
        "unknown": "",
    }
    assert "floor (baseline decoder and captions)" in (tmp_path / "leaderboard.md").read_text()


def test_names_from_strangers_are_escaped(tmp_path):
    rows(tmp_path, summary("<script>alert(1)|x|\n# h [a](b) `c`"))
    text = (tmp_path / "leaderboard.md").read_text()
    assert "<script>" not in text and "&lt;script&gt;" in text and "\n# h" not in text and "[a](b)" not in text
    for block in text.split("\n\n"):
        assert len({line.count(" | ") for line in block.splitlines() if line.startswith("|")}) <= 1


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"metrics": 3}',
        json.dumps(summary(over_modes={"topiq_fr": float("nan")})),
        json.dumps(summary(modes=[1])),
    ],
)
def test_a_summary_that_is_none_is_left_out_aloud(tmp_path, content, capsys):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "summary.json").write_text(content)
    found = rows(tmp_path, summary())
    assert {row["target"] for row in found} == {"mine"}
    assert "is left out of the leaderboard" in capsys.readouterr().err


def test_an_unfinished_target_is_not_shown(tmp_path):
    assert {row["target"] for row in rows(tmp_path, summary("x", unfinished=True), summary("y"))} == {"y"}
