"""The public site: accepted submissions alone, escaped, with nothing of what is private."""

from __future__ import annotations

import re
import shutil

import pytest
import submissions

from cmcbench.__main__ import main
from cmcbench.errors import BadInput
from cmcbench.files.store import read_json, write_json
from cmcbench.submission.submit import submit

TOLD = {
    "title": "<script>alert(1)</script>",
    "contact": "private-address@example.org",
    "team": 'a"b',
    "paper": "https://example.org/?a=1&b=2",
    "code": "https://example.org/code",
    "licence": "MIT",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Result with one accepted submission, called "their <i>", and a target of the receiver's own."""
    place = tmp_path_factory.mktemp("place")
    file = submit(submissions.result(place), place / "Weight", place / "x.zip", TOLD)
    assert main(["accept", str(file), "--as", "100% theirs & #1", "--results", str(place / "Result")]) == 0
    return place / "Result"


@pytest.fixture
def site(results, tmp_path):
    assert main(["board", str(tmp_path / "site"), "--results", str(results)]) == 0
    return tmp_path / "site"


def test_the_site_shows_what_was_accepted_and_nothing_else(results, site):
    assert (results / "real/summary.json").is_file()
    index = (site / "index.html").read_text(encoding="utf-8")
    assert len(re.findall('href="submissions/', index)) == 1
    assert 'href="submissions/100%25%20theirs%20%26%20%231.html"' in index and "2.1549" in index
    assert (site / "leaderboard.md").is_file() and "\nreal," not in (site / "leaderboard.csv").read_text()
    assert (site / "report/index.html").is_file()
    page = (site / "submissions/100% theirs & #1.html").read_text(encoding="utf-8")
    for shown in ("Deviations", "which is not the benchmark&#x27;s of 1,000", "1.07 GB", "1.25", "a&quot;b", "MIT"):
        assert shown in page
    assert 'href="https://example.org/?a=1&amp;b=2" rel="nofollow noopener noreferrer"' in page
    assert "code (example.org)" in index


def test_nothing_of_a_submission_runs_and_nothing_private_is_there(results, site):
    for path in site.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"private-address" not in data, path
            assert b"cmcbench-board-" not in data and str(results).encode() not in data, path
    for path in (site / "index.html", *(site / "submissions").iterdir()):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text and "&lt;script&gt;" in text and "default-src 'none'" in text


def test_what_was_changed_after_acceptance_is_left_out(results, tmp_path, capsys):
    """Files in Result do not reach the site, the accepted zip does; one that was replaced is named."""
    copy = tmp_path / "Result"
    shutil.copytree(results, copy)
    folder = copy / "100% theirs & #1"
    write_json(folder / "summary.json", read_json(folder / "summary.json") | {"overall": {"t2i": 9.0, "i2t": 9.0}})
    assert main(["board", str(tmp_path / "site"), "--results", str(copy)]) == 0
    assert "2.1549" in (tmp_path / "site/index.html").read_text()
    (folder / "submission.zip").write_bytes(b"another")
    with pytest.raises(BadInput, match="none of the submissions"):
        main(["board", str(tmp_path / "site"), "--results", str(copy)])
    assert "is not the file that was accepted" in capsys.readouterr().err


def test_pictures_are_shown_where_they_are_those_of_the_submission(results, tmp_path, capsys):
    copy = tmp_path / "Result"
    shutil.copytree(results, copy)
    folder = copy / "100% theirs & #1"
    shutil.copytree(copy / "real/text", folder / "text")
    other = sorted((folder / "text").iterdir())[0]
    other.write_bytes(submissions.picture("something else"))
    flags = ["--results", str(copy), "--ground_truth", str(results.parent / "GT"), "--pictures", "copies"]
    assert main(["board", str(tmp_path / "site"), *flags]) == 0
    assert "1 picture(s) are not those of the submission" in capsys.readouterr().err
    shown = {path.read_bytes() for path in (tmp_path / "site").rglob("*.png")}
    assert other.read_bytes() not in shown and (results / "real/text/odd.png").read_bytes() in shown


def test_a_folder_of_others_is_left_alone(results, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    with pytest.raises(BadInput, match="thesis.tex"):
        main(["board", str(tmp_path / "mine"), "--results", str(results)])
    with pytest.raises(BadInput, match="has no accepted submission"):
        main(["board", str(tmp_path / "site"), "--results", str(tmp_path)])
    assert not (tmp_path / "site").exists()


def test_a_withdrawn_submission_leaves_the_site(results, site, tmp_path):
    copy = tmp_path / "Result"
    shutil.copytree(results, copy)
    # the same submission under another name, as after a correction of the ledger
    (copy / "100% theirs & #1").rename(copy / "renamed")
    text = (copy / "accepted.csv").read_text(encoding="utf-8").replace("100% theirs & #1", "renamed")
    (copy / "accepted.csv").write_text(text, encoding="utf-8")
    (site / "submissions/note.txt").write_text("mine")
    assert main(["board", str(site), "--results", str(copy)]) == 0
    assert sorted(path.name for path in (site / "submissions").iterdir()) == ["note.txt", "renamed.html"]
