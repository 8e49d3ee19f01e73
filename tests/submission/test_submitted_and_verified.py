"""The whole way from images to an accepted submission, and what rescoring finds."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from bench import ROOT, write_captions, write_truth

from cmcbench.errors import RunFailed
from cmcbench.submission import verify
from cmcbench.submission.submit import submit


def test_from_images_to_accepted(faked, small_truth, weights, tmp_path, capsys):
    """The whole way: decode, score with --submit, verify with the pictures, which scores a sample again."""
    write_truth(faked.folder / "GT", 2)
    for path in sorted((faked.folder / "GT").iterdir())[2:]:
        path.unlink()
    write_captions(
        faked.folder / "Text" / "gpt4v.csv",
        {path.name: f"a red {path.stem}" for path in (faked.folder / "GT").iterdir()},
    )
    faked.encode("--model_name", "none", "--references", "--bpp", "0.3")
    faked.decode("--mode", "text")
    faked.decode("--mode", "pixel")
    done = faked.score("--target", "real", "--model_weight", weights, "--submit", "--submit_path", "mine.zip")
    assert "The submission is mine.zip" in done.stderr
    assert (
        "deviation from the published settings, listed in the submission: captions: no manifest tells what made them"
        in done.stderr
    )
    file, results, truth = faked.folder / "mine.zip", faked.folder / "Result/real", faked.folder / "GT"
    flags = [
        "--results",
        str(results),
        "--ground_truth",
        str(truth),
        "--model_weight",
        str(weights),
        "--sample",
        "2",
        "--seed",
        "1",
    ]
    capsys.readouterr()
    assert verify.main([str(file), *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    again = [
        line
        for line in lines
        if line.startswith("scored again: 2 of 4 pictures, chosen with --seed 1; largest difference ")
    ]
    assert again and float(again[0].split()[-3].rstrip(",")) <= 1e-5 and lines[-1] == "accepted"
    # a forger who changes the scores of one picture, and all that hangs on it, is found out by the network alone
    shutil.move(results / "scores.csv", tmp_path)
    import csv

    with open(tmp_path / "scores.csv", newline="") as old, open(results / "scores.csv", "w", newline="") as new:
        rows = list(csv.DictReader(old))
        writer = csv.DictWriter(new, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            row["topiq_nr"] = str(float(row["topiq_nr"]) + 0.01)
        writer.writerows(rows)
    faked.score("--target", "real", "--model_weight", weights, "--submit", "--submit_path", "mine.zip")
    assert verify.main([str(file), *flags]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        sum(
            line.startswith("fault: scores.csv: ") and "topiq_nr is " in line and "scored again" in line
            for line in lines
        )
        == 2
    ), lines


def test_rescoring_that_fails(made, capsys, monkeypatch):
    """Weights that are none: the script's own words, no traceback. Pictures of the sample that are others: said so."""
    file, place = submit(made, made.parent.parent / "Weight"), made.parent.parent
    command = [
        sys.executable,
        "-m",
        "cmcbench",
        "verify",
        str(file),
        "--results",
        str(made),
        "--ground_truth",
        str(place / "GT"),
        "--model_weight",
        str(place / "Weight"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "error: rescoring failed: " in done.stderr and "Traceback" not in done.stderr
    assert "accepted" not in done.stdout
    shutil.copytree(place / "Weight", place / "Other")
    (place / "Other/topiq-fr.pth").write_bytes(b"other weights")
    with (
        monkeypatch.context() as patched,
        pytest.raises(RunFailed, match="rescoring 1 pictures did not end; take fewer"),
    ):
        patched.setattr("cmcbench.submission.checks.steps.PATIENCE", 1e-3)
        verify.main([*command[4:-1], str(place / "Other"), "--sample", "1"])
    assert (
        f"fault: topiq_fr: was scored with other weights than {place / 'Other/topiq-fr.pth'}" in capsys.readouterr().out
    )
    for path in (made / "full").iterdir():
        path.write_bytes(b"another")
    (made / "full/odd.png").unlink()
    monkeypatch.setattr("cmcbench.submission.checks.pictures._score", lambda work, sample, pictures: "no reason")
    monkeypatch.setattr("cmcbench.submission.checks.pictures._read", lambda path: {})
    capsys.readouterr()
    assert verify.main([*command[4:], "--sample", "28"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "fault: 7 of the sample cannot be scored again: their pictures are not those of the submission" in lines
    assert sum("cannot be scored again (no reason)" in line for line in lines) == 20
