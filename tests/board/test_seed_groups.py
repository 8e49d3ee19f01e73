"""Targets that differ in their seed alone: what the board knows them by, and the spread that it shows."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
import scored
import seeded_targets as made

from cmcbench.board import scored as reader
from cmcbench.board.leaderboard import update
from cmcbench.board.seed_groups import seed_groups
from cmcbench.statistics import intervals

EFFECTS = {42: 0.0, 43: 0.1, 44: -0.04}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "Result"
    made.system(folder, "real", EFFECTS)
    made.write(folder, "other", 42, shift=0.1, settings={"model": "sdxl"})
    return folder


@pytest.fixture
def results(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "Result")


def groups(results) -> dict[str, list[int]]:
    return {each.name: each.seeds for each in seed_groups(reader.read_all(reader.folders(results), "a test"))}


def table(results) -> dict[tuple[str, str, str], dict[str, str]]:
    text = (results / "leaderboard-seeds.csv").read_text(encoding="utf-8")
    return {(row["system"], row["mode"], row["metric"]): row for row in csv.DictReader(io.StringIO(text))}


def test_the_spread_between_seeds_beside_the_interval_over_images(results):
    text = update(results)
    rows = table(results)
    assert set(rows) == {("real", mode, metric) for mode in (*made.MODES, "overall") for metric in scored.PAIR} | {
        ("real", "overall", "overall")
    }
    seeds = np.stack(made.system(results, "real", EFFECTS), axis=1)
    row = rows["real", "full", "topiq_fr"]
    assert (row["n"], row["seeds"], row["targets"]) == ("20", "42 43 44", "real@seed=42, real@seed=43, real@seed=44")
    means = seeds.mean(axis=0)
    figures = [float(row[name]) for name in ("mean", "sd", "smallest", "largest")]
    assert figures == pytest.approx([means.mean(), means.std(ddof=1), means.min(), means.max()], abs=1e-6)
    low, high = intervals(seeds.mean(axis=1)[:, None])
    assert [float(row[end]) for end in ("low", "high")] == pytest.approx([low[0], high[0]], abs=1e-6)
    overall = [reader.read(results / f"real@seed={seed}").summary.overall["t2i"] for seed in EFFECTS]
    row = rows["real", "overall", "overall"]
    assert float(row["mean"]) == pytest.approx(np.mean(overall), abs=1e-6)
    assert float(row["sd"]) == pytest.approx(np.std(overall, ddof=1), abs=1e-6)
    # a short section for the leaderboard, all of it in a file of its own; the targets' rows are what they were
    section = text[text.index("## Seeds") :]
    assert f"| real   | 42 43 44 | Overall ↑ | 20 | {np.mean(overall):.4f} ±" in section
    assert "leaderboard-seeds.md" in section and section.count("| real ") == 1
    assert all(f"| real@seed={seed} " in text for seed in EFFECTS)
    page = (results / "leaderboard-seeds.md").read_text(encoding="utf-8")
    assert page.startswith("# Seeds\n\n## real, seeds 42 43 44\n") and page.count("\n| ") == 2 + len(rows)


def test_a_board_without_several_seeds_says_nothing_of_them(results):
    update(results)
    for seed in (43, 44):
        shutil.rmtree(results / f"real@seed={seed}")
    assert "Seeds" not in update(results)
    assert not list(results.glob("leaderboard-seeds.*"))


def test_a_measure_of_the_whole_set_has_a_spread_and_no_interval(results):
    for seed, value in ((42, 30.0), (43, 33.0), (44, 36.0)):
        file = results / f"real@seed={seed}" / "summary.json"
        summary = json.loads(file.read_text())
        summary["metrics"]["fid"] = {"kind": "NR", "lower_is_better": True, "identity": "1"}
        for mode in made.MODES:
            summary["modes"][mode]["metrics"]["fid"] = {"mean": value, "n": 20, "set": True, "digest": "x"}
        summary["over_modes"]["fid"] = value
        file.write_text(json.dumps(summary))
    update(results)
    row = table(results)["real", "full", "fid"]
    assert [row[name] for name in ("n", "mean", "sd", "low")] == ["20", "33.000000", "3.000000", ""]


def test_without_usable_scores_there_is_the_spread_of_the_summaries_alone(results):
    update(results)
    before = table(results)["real", "full", "topiq_fr"]
    for file in (results / "real@seed=43" / "scores.csv", results / "real@seed=44" / "scores.csv"):
        whole = file.read_text()
        lines = whole.splitlines(keepends=True)
        lines.remove(next(line for line in lines if ",full," in line))  # not what its summary was made of
        file.write_text("".join(lines))
        update(results)
        row = table(results)["real", "full", "topiq_fr"]
        assert row["low"] == row["high"] == "" and {**row, "low": before["low"], "high": before["high"]} == before
        assert table(results)["real", "text", "topiq_fr"]["low"]
        file.unlink()
        update(results)
        assert table(results)["real", "text", "topiq_fr"]["low"] == ""
        file.write_text(whole)


def test_images_that_a_seed_lacks_are_left_out_of_all(results):
    names, seeds = scored.images(5), np.stack(made.system(results, "real", EFFECTS), axis=1)
    made.write(results, "real@seed=43", 43, 0.1, names=names[:-1], truth=names)
    update(results)
    row = table(results)["real", "full", "topiq_fr"]
    assert row["n"] == "19" and float(row["mean"]) == pytest.approx(seeds[:-1].mean(), abs=1e-6)


def test_what_was_not_scored_alike_has_no_row(results):
    made.write(results, "real@seed=43", 43, identity="weights 2")
    assert groups(results) == {"real": [42, 43, 44]}
    update(results)
    assert not (results / "leaderboard-seeds.csv").exists()


def test_which_targets_are_of_one_system(results):
    assert groups(results) == {"real": [42, 43, 44]}
    made.write(results, "real@seed=45", 45, settings={"steps": 20})
    made.write(results, "real@seed=46", 46, digest="another truth")
    made.write(results, "real@seed=47", 47, modes=("full",))
    scored.write(results / "real@seed=48", scored.noisy(1), scored.images(5), modes=made.MODES)  # no manifest
    assert groups(results) == {"real": [42, 43, 44]}
    copy = results / "a copy"
    shutil.copytree(results / "real@seed=42", copy)  # under a name that comes first
    (group,) = seed_groups(reader.read_all(reader.folders(results), "a test"))
    assert (group.seeds, [each.name for each in group.copies]) == ([42, 43, 44], ["real@seed=42"])


def test_what_a_group_is_called(tmp_path):
    made.write(tmp_path, "x", 42)  # one seed, before there were several
    made.write(tmp_path, "x@seed=43", 43)
    made.system(tmp_path, "y@strength=0.3", {1: 0, 2: 0}, settings={"strength": 0.3})
    for seed, name in ((1, "beta"), (2, "alpha")):
        made.write(tmp_path, name, seed, settings={"steps": 5})
    assert groups(tmp_path) == {"x": [42, 43], "y@strength=0.3": [1, 2], "beta, alpha": [1, 2]}
    # where something else is called so, it is called by its targets
    made.system(tmp_path, "z", {1: 0, 2: 0}, settings={"steps": 6})
    made.write(tmp_path, "z", 1, settings={"steps": 7})
    made.system(tmp_path, "x", {1: 0, 2: 0}, settings={"steps": 8})
    found = groups(tmp_path)
    assert {"z@seed=1, z@seed=2", "x, x@seed=43", "x@seed=1, x@seed=2"} < set(found)


@pytest.mark.parametrize("key, value", [("seed", "42"), ("seed", 1.5), ("seed", True), ("system", "x"), ("system", 3)])
def test_a_seed_or_system_that_is_none_leaves_the_target_out(results, capsys, key, value):
    file = results / "real@seed=43" / "summary.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    assert groups(results) == {"real": [42, 44]}
    assert f"at {key}, expected a" in capsys.readouterr().err


def test_summaries_of_earlier_versions_are_in_no_group(results):
    for seed in EFFECTS:
        file = results / f"real@seed={seed}" / "summary.json"
        summary = json.loads(file.read_text())
        assert summary.pop("seed") == seed and len(summary.pop("system")) == 16
        file.write_text(json.dumps(summary))
    assert groups(results) == {} and "Seeds" not in update(results)


def test_hostile_names_are_escaped(tmp_path):
    made.system(tmp_path, "<b>|`=1+1", {1: 0, 2: 0.1})
    text = update(tmp_path)
    assert "&lt;b&gt;&#124;&#96;=1+1" in text and "<b>" not in text
