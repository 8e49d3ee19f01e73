"""compare with systems of several seeds: one side each, or apart; and what is said of it."""

from __future__ import annotations

import csv
import io
import shutil

import numpy as np
import pytest
import scored
import seeded_targets as made

from cmcbench.__main__ import main
from cmcbench.board.compare.comparable import by_system, find
from cmcbench.board.compare.comparing import compare
from cmcbench.board.compare.seeded import seeded_difference
from cmcbench.errors import BadInput

REAL, SDXL = {42: 0.0, 43: 0.1, 44: -0.04}, {42: 0.02, 43: -0.03}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "Result"
    made.system(folder, "real", REAL)
    made.system(folder, "sdxl", SDXL, shift=0.05, settings={"model": "sdxl"})
    made.write(folder, "alone", 42, shift=-0.3, settings={"model": "sd15"})
    return folder


@pytest.fixture
def results(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "Result")


def run(capsys, *arguments) -> tuple[str, str]:
    assert main(["compare", *map(str, arguments)]) == 0
    return capsys.readouterr()


def test_two_systems_are_compared_over_their_seeds(results, tmp_path, capsys):
    out, errors = run(capsys, "*", "--results", results, "--output", tmp_path / "x.csv")
    assert (
        "note: real@seed=42, real@seed=43, real@seed=44 are compared as one, real, over their 3 seeds; --seeds apart"
        " compares each by itself."
    ) in errors
    assert "## real (first, 3 seeds) and sdxl (second, 2 seeds)" in out and "## alone (first) and real (" in out
    assert "seeds are drawn as well as images" in out
    rows = list(csv.DictReader((tmp_path / "x.csv").open(encoding="utf-8")))
    assert {(row["first"], row["second"], row["seeds_first"], row["seeds_second"]) for row in rows} == {
        ("alone", "real", "1", "3"),
        ("alone", "sdxl", "1", "2"),
        ("real", "sdxl", "3", "2"),
    }
    first, second = (
        np.stack(made.system(tmp_path / name, name, effects, shift=shift), axis=1)
        for name, effects, shift in (("real", REAL, 0.0), ("sdxl", SDXL, 0.05))
    )
    expected = seeded_difference(first, second)
    (row,) = [row for row in rows if (row["first"], row["mode"], row["metric"]) == ("real", "full", "topiq_fr")]
    figures = [float(row[name]) for name in ("mean_first", "mean_second", "difference", "low", "high", "p")]
    assert figures == pytest.approx(
        [first.mean(), second.mean(), expected.mean, expected.low, expected.high, expected.p], abs=2e-6
    )
    assert row["n"] == "20" and row["result"] == "no significant difference"  # which images alone would show
    _, images = run(capsys, "real@seed=43", "sdxl@seed=43", "--results", results)
    assert images == ""  # one seed of each: no group, and nothing to say


def test_seeds_apart_are_single_targets(results, tmp_path, capsys):
    out, errors = run(
        capsys, "real@*", "alone", "--results", results, "--seeds", "apart", "--output", tmp_path / "x.csv"
    )
    assert "compared as one" not in errors and "seeds are drawn" not in out
    (head, *rows) = csv.reader(io.StringIO((tmp_path / "x.csv").read_text(encoding="utf-8")))
    assert "seeds_first" not in head and {row[0] for row in rows} | {row[1] for row in rows} == {
        "alone",
        *(f"real@seed={seed}" for seed in REAL),
    }


def test_the_seeds_of_one_system_are_compared_with_each_other(results, capsys):
    out, errors = run(capsys, "real@*", "--results", results)
    assert errors == "" and out.count("## real@seed=") == 3 and "better" in out


def test_of_many_sides_there_is_a_matrix(results, capsys):
    for place in range(2):
        made.write(results, f"more{place}", 42, shift=0.1 * place, settings={"model": f"more{place}"})
    out, errors = run(capsys, "*", "--results", results)
    assert "1 more of this kind" not in errors and errors.count("are compared as one") == 2
    assert "seeds are drawn as well as images" in out and "| real " in out and "real@seed" not in out


def test_a_system_of_equal_seeds_is_as_one_of_them(results, tmp_path):
    for seed in (1, 2):  # whose manifests tell two seeds, and whose scores are the same
        target = scored.write(
            tmp_path / f"x@seed={seed}", scored.noisy(9), scored.images(5), made.MODES, manifest=made.manifest(seed)
        )
    other = find("alone", results)
    sides, notes = by_system([find(f"x@seed={seed}", tmp_path) for seed in (1, 2)] + [other])
    assert [side.name for side in sides] == ["x", "alone"] and len(notes) == 1
    one = compare([find(target.name, tmp_path), other])
    two = compare(sides)
    assert [each.difference for each in two] == [each.difference for each in one]


def test_a_copy_of_a_seed_is_not_counted_twice(results, capsys):
    shutil.copytree(results / "real@seed=43", results / "zcopy")
    out, errors = run(capsys, "real@*", "zcopy", "alone", "--results", results)
    assert "note: zcopy: of a seed that real has already, and not compared." in errors
    assert "(first, 3 seeds)" in out and "zcopy" not in out


def test_images_and_modes_that_a_seed_lacks(results, tmp_path, capsys):
    names = scored.images(5)
    made.write(results, "real@seed=44", 44, names=names[:-2], truth=names)
    run(capsys, "real@*", "alone", "--results", results, "--output", tmp_path / "x.csv")
    assert {row["n"] for row in csv.DictReader((tmp_path / "x.csv").open(encoding="utf-8"))} == {"18"}


def test_seeds_that_were_not_scored_alike_are_refused(results, capsys):
    made.write(results, "real@seed=44", 44, identity="weights 2")
    arguments = ["compare", "real@*", "alone", "--results", str(results)]
    with pytest.raises(BadInput, match="was made differently: real@seed=42 with weights 1 and real@seed=44 with"):
        main(arguments)
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--seeds", "none"])
    assert end.value.code == 2
