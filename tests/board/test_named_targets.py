"""Targets named by a glob: an existing literal name wins. And what killed runs left is swept by the next run."""

from __future__ import annotations

import os
import unicodedata

import pytest
import scored
import scored_results as made

from cmcbench.__main__ import main
from cmcbench.board.curves import collect as curves
from cmcbench.board.scored import named
from cmcbench.errors import BadInput
from cmcbench.files.names import matching
from cmcbench.files.store import TEMPORARY


@pytest.mark.parametrize(
    "asked, there, meant",
    [
        ("sd[12]", ["sd1", "sd2", "sd[12]"], ["sd[12]"]),
        ("sd[12]", ["sd1", "sd2", "sd3"], ["sd1", "sd2"]),
        ("a*", ["a*", "ab"], ["a*"]),
        ("a?", ["ab", "a?c", "abc"], ["ab"]),
        ("[a]", ["a", "[a]x"], ["a"]),
        ("real", ["real+qwen"], []),
        ("REAL", ["real"], []),
        (unicodedata.normalize("NFC", "caf\u00e9"), [unicodedata.normalize("NFD", "caf\u00e9")], ["cafe\u0301"]),
        ("caf\u00e9*", ["cafe\u0301 1"], ["cafe\u0301 1"]),
        ("*", [], []),
        ("[", ["[", "x"], ["["]),
        ("[!a]", ["b", "[!a]"], ["[!a]"]),
    ],
)
def test_a_literal_name_wins(asked, there, meant):
    assert matching(asked, there) == meant


SPENT = {"bits": 5000, "kind": "measured"}


@pytest.fixture
def results(tmp_path):
    for name in ("sd1", "sd2", "sd[12]", "vvc@0.02"):
        scored.write(tmp_path / "Result" / name, scored.noisy(1), scored.images(1), spent=SPENT)
    return tmp_path / "Result"


def shown(results) -> set[str]:
    board = (results / "report" / "data" / "board.js").read_text()
    return {name for name in ("sd1", "sd2", "sd[12]", "vvc@0.02") if f'"name":"{name}"' in board}


@pytest.mark.parametrize(
    "asked, meant",
    [
        (["sd[12]"], {"sd[12]"}),
        (["sd?"], {"sd1", "sd2"}),
        (["sd[12]", "vvc*"], {"sd[12]", "vvc@0.02"}),
        (["sd[1-2]"], {"sd1", "sd2"}),
    ],
)
def test_report_and_curves_mean_the_same(results, asked, meant):
    assert main(["report", "--results", str(results), "--targets", *asked]) == 0
    assert shown(results) == meant
    assert {point.target for curve in curves(results, asked) for point in curve.points} == meant


def test_a_name_that_means_none_is_refused(results):
    with pytest.raises(BadInput, match=r"--targets 'sd\[34\]'.*has no scored target of that name. It has: sd1, sd2"):
        main(["report", "--results", str(results), "--targets", "sd[34]"])
    with pytest.raises(BadInput, match=r"'vcc@0.02': .* Did you mean vvc@0.02\? Score one"):
        main(["curves", "vcc@0.02", "--results", str(results)])
    with pytest.raises(BadInput, match=r"there is no target vcc@0.02: .* Did you mean vvc@0.02\?"):
        main(["compare", "sd1", "vcc@0.02", "--results", str(results)])
    assert [folder.name for folder in named(results, ["vvc"], group=True)] == ["vvc@0.02"]
    with pytest.raises(BadInput, match="'vvc'"):
        named(results, ["vvc"])


def test_what_killed_runs_left_is_swept(results, tmp_path):
    digests = made.truth(tmp_path, made.NAMES[:1])
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002})
    report = ["report", "--results", str(results), "--ground_truth", str(tmp_path / "GT")]
    for command in (
        ["leaderboard", "--results", str(results)],
        ["curves", "--results", str(results), "--resamples", "10"],
        report,
    ):
        assert main(command) == 0
    left = [
        results / f"{TEMPORARY}leaderboard.csv-1",
        results / f"{TEMPORARY}leaderboard-types.md-2",
        results / "curves" / f"{TEMPORARY}points.csv-1",
        results / "curves" / f"{TEMPORARY}rate-log.svg-1",
        results / "report" / f"{TEMPORARY}index.html-1",
        results / "report" / "data" / f"{TEMPORARY}board.js-1",
        results / "report" / "page" / "vendor" / f"{TEMPORARY}chart-1",
        results / "report" / "pictures" / "thumbs" / "targets" / "gone" / "full" / f"{TEMPORARY}x.webp-1",
    ]
    others = [results / "real" / f"{TEMPORARY}scores.csv-1", results / f"{TEMPORARY}notes.txt-1", tmp_path / "mine"]
    for file in left + others:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    os.symlink(tmp_path, results / "report" / "data" / "link")
    (tmp_path / f"{TEMPORARY}mine").write_text("")
    for command in (
        ["leaderboard", "--results", str(results)],
        ["curves", "--results", str(results), "--resamples", "10"],
        report,
    ):
        assert main(command) == 0
    assert not [file for file in left if file.exists()]
    assert all(file.exists() for file in others) and (tmp_path / f"{TEMPORARY}mine").exists()
