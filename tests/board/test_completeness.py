"""Completeness is counted per metric: an extra metric on some images takes nothing from a finished result."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import scored
import scored_results as made

from cmcbench.__main__ import main
from cmcbench.board.compare.comparable import find
from cmcbench.board.compare.comparing import compare
from cmcbench.board.curves import collect as curves
from cmcbench.board.leaderboard import collect, update
from cmcbench.board.page.build import PageRequest, build

NAMES = scored.images(5)
EXTRA = [*scored.PAIR, "lpips"]
SPENT = {"bits": 5000, "kind": "measured", "caption_bits": 1000}


def some(metric: str, kept: int, seed: int = 1, shift: float = 0.0, modes: tuple[str, ...] = scored.MODES):
    """Scores of every image, but of `metric` for the first `kept` ones only, in these modes only."""
    noise = scored.noisy(seed, shift)

    def score(mode: str, name: str, place: int) -> float | None:
        return None if name == metric and (place >= kept or mode not in modes) else noise(mode, name, place)

    return score


def rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    listed = csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text(encoding="utf-8"), newline=""))
    return {(row["target"], row["mode"]): row for row in listed if row["status"] != "published"}


@pytest.mark.parametrize("kept", [3, 19])
def test_an_extra_metric_on_some_images_takes_no_place(tmp_path, kept):
    scored.write(tmp_path / "other", scored.noisy(2), NAMES, spent=SPENT)
    scored.write(tmp_path / "mine", scored.noisy(1, 0.5), NAMES, spent=SPENT)
    update(tmp_path)
    before = rows(tmp_path)
    assert before["mine", "overall"]["overall_rank"] == "1" and before["mine", "full"]["status"] == "whole"
    scored.write(tmp_path / "mine", some("lpips", kept, shift=0.5), NAMES, metrics=EXTRA, lower=["lpips"], spent=SPENT)
    update(tmp_path)
    after = rows(tmp_path)
    for key, row in before.items():
        assert {name: after[key][name] for name in row if name != "identities"} == {
            name: cell for name, cell in row.items() if name != "identities"
        }
    assert after["mine", "full"]["lpips_n"] == str(kept) and after["mine", "full"]["lpips_rank"] == ""
    assert after["other", "full"]["lpips_n"] == ""
    assert f"*{kept}/20*" in (tmp_path / "leaderboard.md").read_text(encoding="utf-8")


def test_what_is_complete_is_ranked_beside_what_is_not(tmp_path):
    """FR is whole and NR is not: no Overall, no place of NR, and the place of FR."""
    for name, score in (("a", some("topiq_nr", 7, 1, 0.5)), ("b", scored.noisy(2))):
        scored.write(tmp_path / name, score, NAMES)
    update(tmp_path)
    found = rows(tmp_path)
    full, overall = found["a", "full"], found["a", "overall"]
    assert (full["n"], full["status"], full["topiq_fr_rank"], full["topiq_nr_rank"]) == ("7", "partial", "1", "")
    assert (overall["overall_rank"], overall["status"], overall["topiq_fr_rank"]) == ("", "partial", "1")
    assert found["b", "overall"]["overall_rank"] == "1"


def test_a_metric_in_one_mode_has_no_place_over_the_modes(tmp_path):
    for name, modes in (("a", ("full",)), ("b", scored.MODES)):
        scored.write(tmp_path / name, some("lpips", 20, modes=modes), NAMES, metrics=EXTRA)
    update(tmp_path)
    found = rows(tmp_path)
    assert found["a", "full"]["lpips_rank"] and not found["a", "overall"]["lpips_rank"]
    assert found["b", "overall"]["lpips_rank"] == "1" and found["a", "overall"]["status"] == "whole"


def test_without_topiq_the_fullest_metric_decides(tmp_path):
    scored.write(tmp_path / "a", some("piqe", 4), NAMES, metrics=["ms_ssim", "piqe"])
    scored.write(tmp_path / "b", some("piqe", 20), NAMES, metrics=["ms_ssim", "piqe"])
    update(tmp_path)
    found = rows(tmp_path)
    assert found["a", "full"]["status"] == "whole" and found["a", "full"]["ms_ssim_rank"]
    assert found["a", "full"]["piqe_rank"] == "" and found["b", "full"]["piqe_rank"] == "1"


def test_images_that_lack_a_score_of_topiq_are_still_partial(tmp_path):
    scored.write(tmp_path / "a", some("topiq_fr", 19), NAMES, metrics=EXTRA)
    entries, _ = collect(tmp_path)
    own = [entry for entry in entries if not entry.published]
    assert {entry.status for entry in own} == {"partial"} and not any("topiq_fr" in entry.ranks for entry in own)
    assert all("lpips" in entry.ranks for entry in own)


def test_curves_and_comparisons_keep_all_images(tmp_path, capsys):
    for name, score in (("a", some("lpips", 12)), ("b", some("lpips", 20, 2))):
        scored.write(tmp_path / name, score, NAMES, metrics=EXTRA, spent=SPENT)
    assert {point.n for curve in curves(tmp_path) for point in curve.points} == {20}
    assert "only 12 of 20 images have lpips" in capsys.readouterr().err
    found = {(each.mode, each.metric): each.difference.n for each in compare([find(name, tmp_path) for name in "ab"])}
    assert found["full", "lpips"] == 12 and found["full", "topiq_fr"] == found[", ".join(scored.MODES), "overall"] == 20


def test_the_page_says_how_many_images_a_score_is_of(tmp_path):
    digests = made.truth(tmp_path, made.NAMES[:4])
    metrics = {**made.TOPIQ, "lpips": {"kind": "FR", "lower_is_better": True, "identity": "1"}}
    folder = made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002}, metrics=metrics)
    names = list(made.TOPIQ)
    scored.write(folder, some("lpips", 1), [f"{name}.png" for name in digests], ("full", "text"), [*names, "lpips"])
    place = tmp_path / "Result"
    assert main(["report", "--results", str(place), "--ground_truth", str(tmp_path / "GT")]) == 0
    board = (place / "report" / "data" / "board.js").read_text(encoding="utf-8")
    assert '"fewer":{"lpips":1}' in board and '"status":"partial"' not in board
    request = PageRequest(place, tmp_path / "GT", tmp_path / "Ref", tmp_path / "Text", place / "report")
    assert build(request).images == 4
