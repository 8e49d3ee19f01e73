"""--submit refuses what cannot be submitted, and says why."""

from __future__ import annotations

import shutil

import pytest
import submissions
from submitted import edit, faults

from cmcbench.errors import BadInput
from cmcbench.submission import rules
from cmcbench.submission.submit import submit


def test_one_mode_is_too_few(tmp_path, capsys):
    folder = submissions.result(tmp_path, modes=("full",))
    (message,) = faults(folder, capsys)
    assert message.startswith(
        "a submission needs at least 2 of the modes full, image, pixel, text, and there is full. Make another with: "
    )


def test_all_that_is_missing_is_listed(made, capsys):
    edit(made / "summary.json", lambda found: found["ground_truth"].update(images=9))
    found = faults(made, capsys)
    assert (
        len(found) == 4
        and "mode text has both scores of 7 of 9 images. Make the others with: python script-t2i.py --mode text"
        in found[3]
    )


def test_scores_of_another_precision(made, capsys):
    def rename(found):
        found["metrics"] = {"topiq_fr@bf16": found["metrics"]["topiq_fr"], "topiq_nr": found["metrics"]["topiq_nr"]}

    edit(made / "summary.json", rename)
    (message,) = faults(made, capsys)
    assert message.startswith(
        "no scores of topiq_fr in fp32 and FR's published order; there are topiq_fr@bf16, which are not comparable."
    )
    assert "Score with: python script-evaluate.py --target real --submit" in message


def test_changed_by_hand(made, capsys):
    (made / "full/odd.png").write_bytes(b"another picture")
    text = (made / "scores.csv").read_text().replace("AIGI_MJ_007.png,AIGI,MJ,full,", "AIGI_MJ_007.png,AIGI,MJ,full,9")
    (made / "scores.csv").write_text(text)
    found = faults(made, capsys)
    assert any("odd.png, mode full: another picture was scored" in each for each in found)
    assert any("is plausible" in each and "score again with --overwrite" in each for each in found)


@pytest.mark.parametrize(
    "break_it, expected",
    [
        (lambda folder: (folder / "manifest.json").unlink(), "there is no finished .*manifest.json.*script-t2i.py"),
        (
            lambda folder: (folder / "summary.json").write_text('{"unfinished": true}'),
            "there is no finished .*summary.json",
        ),
        (lambda folder: (folder / "summary.json").write_text("{"), "is not readable JSON"),
        (lambda folder: (folder / "summary.json").write_text('{"target": 1}'), "summary.json: .* Score again"),
        (lambda folder: (folder / "scores.csv").unlink(), "scores.csv is missing"),
        (lambda folder: (folder / "scores.csv").write_text("a,b\n"), "scores.csv has no column name"),
        (lambda folder: (folder / "scores.csv").write_bytes(b"\xff"), "scores.csv is not UTF-8"),
        (lambda folder: (folder.parent.parent / "Weight/topiq-fr.pth").unlink(), "topiq-fr.pth is missing"),
        (
            lambda folder: (folder.parent.parent / "Weight/topiq-fr.pth").write_bytes(b"other"),
            "topiq_fr was not scored with",
        ),
        (lambda folder: (folder / "submission.zip").mkdir(), "is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_used_is_refused(made, break_it, expected):
    break_it(made)
    with pytest.raises(BadInput, match=expected):
        submit(made, made.parent.parent / "Weight")
    assert not (made / "submission.zip").is_file()


def test_too_large_is_refused(made, monkeypatch, capsys):
    monkeypatch.setitem(rules.FILES, "scores.csv", 100)
    assert any("scores.csv has " in each and "and a submission takes 100" in each for each in faults(made, capsys))


def test_flags(faked, small_truth):
    for name in ("real", "other"):
        shutil.copytree(small_truth, faked.folder / "Result" / name / "image")
    for flags, expected in (
        (["--target", "real", "other", "--submit"], "--submit takes one target, and 2 are named: real, other"),
        (["--submit_path", "x.zip"], "give --submit as well"),
        (["--submit", "--submit_path", "x.tar"], "expected the name of a .zip file"),
    ):
        assert expected in faked.score("--metrics", "ms_ssim", *flags, code=2).stderr
