"""python -m cmcbench compare of many targets, of very few images, and what it leaves beside its output."""

from __future__ import annotations

import csv
import io

import pytest
import scored

from cmcbench.__main__ import main
from cmcbench.board.compare.comparing import resamples_for

NAMES = scored.images(10)


def run(capsys, *arguments) -> tuple[str, str]:
    assert main(["compare", *map(str, arguments)]) == 0
    return capsys.readouterr()


@pytest.fixture
def results(tmp_path):
    """t0 to t3, each better than the one before; d has two of their four modes."""
    for place in range(4):
        scored.write(tmp_path / f"t{place}", scored.noisy(10 + place, place / 4), NAMES)
    scored.write(tmp_path / "d", scored.noisy(4, 0.3), NAMES, modes=("full", "text"))
    return tmp_path


def test_many_targets_are_a_matrix_and_a_summary(results, capsys):
    names = [f"t{place}" for place in range(4)] + ["d"]
    out, errors = run(capsys, *names, "--results", results, "--output", results / "x.csv")
    assert len(out.splitlines()) < 30 and "1 more of this kind" in errors  # d lacks modes of all four others
    matrix = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()[4:9]]
    assert [row[1] for row in matrix] == ["t3", "t2", "d", "t1", "t0"] and "over the modes that two have" in out
    assert matrix[-1][2:] == ["0", "4", "-", "-", "-", "-", ""]  # better than, worse than, then each of the five
    assert all(matrix[one][4 + other] != "+" or matrix[other][4 + one] == "-" for one in range(5) for other in range(5))
    rows = list(csv.DictReader(io.StringIO((results / "x.csv").read_text())))
    assert len(rows) == 6 * 9 + 4 * 5
    # Adjusted within the ten pairs of one column, not within all rows
    column = [row for row in rows if (row["mode"], row["metric"]) == ("text", "topiq_fr")]
    assert len(column) == 10 and max(float(row["p_holm"]) / float(row["p"]) for row in column) <= 10.01
    again, _ = run(capsys, "t?", "d", "--results", results)
    assert again == out
    out, _ = run(capsys, *names, "--results", results, "--metrics", "topiq_nr", "--modes", "text")
    assert "## NR, text, 40 images" in out and "mean ↑" in out and "Every mode" not in out


def test_enough_resamples_for_many_pairs():
    assert resamples_for(190) == 10_000 and 780 / (1 + resamples_for(780)) < 0.05


def test_of_two_images_there_is_no_interval_and_that_is_said(tmp_path, capsys):
    for name, shift in (("a", 0), ("b", 1)):
        scored.write(tmp_path / name, scored.noisy(len(name) + shift, shift), ["x.png", "y.png"])
    out, _ = run(capsys, "a", "b", "--results", tmp_path, "--output", tmp_path / "x.csv")
    assert "inf" not in out and "[" not in out and "too few images for an interval" in out
    rows = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert {(row["n"], row["low"], row["high"], row["result"]) for row in rows} == {
        ("2", "", "", "too few images for an interval")
    }


def test_unfinished_files_of_its_output_are_swept(results, capsys):
    left, other = results / ".tmp-x.md-1", results / ".tmp-y.md-1"
    for file in (left, other):
        file.write_text("")
    run(capsys, "t0", "t1", "--results", results, "--output", results / "x.md")
    assert not left.exists() and other.exists()
