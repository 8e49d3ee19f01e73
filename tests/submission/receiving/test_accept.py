"""accept: what is checked is installed whole under a name of the receiver's, and stands in the ledger."""

from __future__ import annotations

import csv
import hashlib
import json

import pytest
import submissions
from hostile_zips import entry
from submissions import changed, resealed, zip_file

from cmcbench import __version__
from cmcbench.__main__ import main
from cmcbench.errors import BadInput
from cmcbench.submission import archive
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The working folder of a submitter, whose Result/real/submission.zip is written."""
    place = tmp_path_factory.mktemp("result")
    submit(submissions.result(place), place / "Weight")
    return place


@pytest.fixture(scope="module")
def file(made):
    return made / "Result/real/submission.zip"


def ledger(results):
    with open(results / "accepted.csv", newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_submission_is_installed_and_entered(made, file, tmp_path, capsys):
    pictures, truth = str(made / "Result/real"), str(made / "GT")
    flags = ["--reconstructions", pictures, "--ground_truth", truth, "--results", str(tmp_path / "R")]
    assert main(["accept", str(file), "--as", "their system", *flags]) == 0
    (row,) = ledger(tmp_path / "R")
    assert row["digest"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (row["name"], row["version"]) == ("their system", __version__)
    assert row["checked"] == "the file; the reconstructions; the ground truth; nearness of 28 pictures"
    folder = tmp_path / "R/their system"
    assert (folder / "submission.zip").read_bytes() == file.read_bytes()
    for name in ("scores.csv", "summary.json", "rates.csv", "captions.csv"):
        assert (folder / name).read_bytes() == archive.read(file, FILES)[name]
    with pytest.raises(BadInput, match="was accepted on .* as their system"):  # under whatever name
        main(["accept", str(file), "--as", "other", "--results", str(tmp_path / "R")])
    assert len(ledger(tmp_path / "R")) == 1 and not (tmp_path / "R/other").exists()


def test_a_dry_run_writes_nothing(file, tmp_path, capsys):
    assert main(["accept", str(file), "--dry_run", "--results", str(tmp_path / "R")]) == 0
    assert "would be" in capsys.readouterr().out and not (tmp_path / "R").exists()


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "..", ".hidden", "", "CON", "nul.png", "report", "curves", "accepted.csv", "Leaderboard",
     "a\u202eb", "a\\b", "a:b", "x" * 201, "Taken", "taken"],
)  # fmt: skip
def test_names_that_are_refused(file, tmp_path, name):
    """A path, a reserved name, a disguise, what lies beside the targets, and a name that one file system has twice."""
    results = tmp_path / "R"
    (results / "TAKEN").mkdir(parents=True)
    with pytest.raises(BadInput, match="--as"):
        main(["accept", str(file), "--as", name or "/", "--results", str(results)])
    assert [path.name for path in results.iterdir() if not path.name.startswith(".accepted")] == ["TAKEN"]
    assert not (tmp_path / "x").exists()


def test_composed_and_decomposed_letters_are_one_name(file, made, tmp_path):
    other = zip_file(tmp_path / "b.zip", submissions.resealed(_titled(file, "another")))
    assert main(["accept", str(file), "--as", "u\u0308ber", "--results", str(tmp_path / "R")]) == 0
    assert (tmp_path / "R/\u00fcber").is_dir()
    with pytest.raises(BadInput, match="is there already"):
        main(["accept", str(other), "--as", "\u00dcBER", "--results", str(tmp_path / "R")])


def _titled(file, title):
    return changed(archive.read(file, FILES), "submission.json", lambda told: told.update(submitter={"title": title}))


def test_many_at_once(file, tmp_path, capsys):
    """A faulty one and one that is none stop no other; the exit code is the worst."""
    bad = zip_file(tmp_path / "bad.zip", archive.read(file, FILES) | {"mail.txt": b"To: x\nnothing"})
    other = zip_file(tmp_path / "other.zip", resealed(_titled(file, "other")))
    none = tmp_path / "none.zip"
    none.write_bytes(entry("../scores.csv"))
    files = [str(file), str(bad), str(none), str(other)]
    command = ["accept", *files, "--as", "a", "b", "c", "d", "--results", str(tmp_path / "R")]
    assert main([*command, "--dry_run"]) == 2 and not (tmp_path / "R").exists()
    assert main(command) == 2
    said = capsys.readouterr()
    assert "2 of 4 accepted" in said.out and "could lead out of a folder" in said.err
    assert "bad.zip: refused: 1 fault(s)" in said.out
    assert [row["name"] for row in ledger(tmp_path / "R")] == ["a", "d"]
    assert sorted(path.name for path in (tmp_path / "R").iterdir() if path.is_dir()) == ["a", "d"]
    with pytest.raises(BadInput, match="names 1 target"):
        main(["accept", *files, "--as", "one"])


def test_a_killed_run_is_finished_by_the_next(file, tmp_path, monkeypatch):
    """Installed, and killed before the ledger was written."""
    command = ["accept", str(file), "--as", "x", "--results", str(tmp_path / "R")]
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("cmcbench.files.submitted.ledger.write", _interrupt)
        main(command)
    assert not (tmp_path / "R/accepted.csv").exists()
    assert main(command) == 0 and len(ledger(tmp_path / "R")) == 1


def _interrupt(*_):
    raise KeyboardInterrupt


def test_a_ledger_of_somebody_else(file, tmp_path):
    (tmp_path / "accepted.csv").write_text("name,when\nx,y\n")
    with pytest.raises(BadInput, match="accepted.csv has other columns"):
        main(["accept", str(file), "--as", "x", "--results", str(tmp_path)])
    assert not (tmp_path / "x").exists()


def test_verify_many_files_and_json(file, tmp_path, capsys):
    bad = zip_file(tmp_path / "bad.zip", archive.read(file, FILES) | {"mail.txt": b"To: x\nnothing"})
    none = tmp_path / "none.zip"
    none.write_bytes(b"no zip")
    assert main(["verify", str(file), str(bad)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "submission.zip: accepted" in lines and lines[-1] == "1 of 2 accepted"
    assert main(["verify", str(file), str(bad), str(none), "--json"]) == 2
    first, second, third = json.loads(capsys.readouterr().out)["submissions"]
    assert (
        first["accepted"] and first["faults"] == [] and first["target"] == "real" and first["checked"] == ["the file"]
    )
    assert not second["accepted"] and any("mail.txt" in fault for fault in second["faults"])
    assert not third["accepted"] and "does not end as a zip file ends" in third["verdict"]
