"""What a submitter tells: in the zip, in the mail, and refused where it is none."""

from __future__ import annotations

import json

import pytest
import submissions
from submissions import changed, resealed, zip_file

from cmcbench.__main__ import main
from cmcbench.errors import BadInput
from cmcbench.files.submitted import submitter
from cmcbench.submission import archive
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit

TOLD = {
    "title": "Our codec",
    "contact": "me@example.org",
    "team": "We & co",
    "paper": "https://example.org/abs/1?x=1&y=2",
    "code": "http://example.org:8080/code",
    "licence": "MIT",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    place = tmp_path_factory.mktemp("told")
    return submit(submissions.result(place), place / "Weight", None, TOLD)


def test_the_fields_are_in_the_zip_and_the_mail(told, capsys):
    contents = archive.read(told, FILES)
    assert json.loads(contents["submission.json"])["submitter"] == TOLD
    lines = contents["mail.txt"].decode().splitlines()
    assert lines[0].startswith("To: ") and lines[1].startswith("Subject: CMC-Bench submission: Our codec, Overall ")
    assert "Contact:  me@example.org" in lines and "Paper:    https://example.org/abs/1?x=1&y=2" in lines
    assert main(["verify", str(told)]) == 0


def test_the_recipient_may_be_another_but_not_what_follows(told, tmp_path, capsys):
    contents = archive.read(told, FILES)
    _, rest = contents["mail.txt"].split(b"\n", 1)
    for text, code in ((b"To: board@example.org\n" + rest, 0), (b"To: \xff\n" + rest, 1), (b"Bcc: x\n" + rest, 1)):
        file = zip_file(tmp_path / "x.zip", contents | {"mail.txt": text})
        assert main(["verify", str(file)]) == code, text


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("paper", "javascript:alert(1)", "begins with http"),
        ("code", "https://", "begins with http"),
        ("code", "https://me:pw@example.org", "begins with http"),
        ("paper", "https://a.org/'onclick='x", "begins with http"),
        ("paper", "ftp://a.org", "begins with http"),
        ("title", "a\nb", "line end"),
        ("team", "a\u202eb", "invisible"),
        ("licence", "x" * 201, "more than 200"),
    ],
)
def test_fields_that_are_refused(told, tmp_path, capsys, faked, field, value, said):
    assert said in submitter.problem(field, value)
    forged = resealed(changed(archive.read(told, FILES), "submission.json", lambda each: each.update(
        submitter={field: value})))  # fmt: skip
    assert main(["verify", str(zip_file(tmp_path / "x.zip", forged))]) == 1
    out = capsys.readouterr().out
    assert field in out and "submitter" in out and "\u202e" not in out
    done = faked.score("--target", "real", "--submit", f"--{field}", value, code=2)
    assert "there is no folder" in done.stderr or f"--{field}" in done.stderr


def test_fields_need_submit_and_a_field_that_is_none_is_refused(told, tmp_path, capsys):
    class Options:
        submit, title, contact, team, paper, code, licence = False, "x", "", "", "", "", ""

    with pytest.raises(BadInput, match="--title is told in a submission; give --submit"):
        submitter.of(Options)
    forged = resealed(
        changed(archive.read(told, FILES), "submission.json", lambda each: each["submitter"].update(rank="1"))
    )
    assert main(["verify", str(zip_file(tmp_path / "x.zip", forged))]) == 1


def test_contact_is_not_public():
    assert submitter.public(TOLD) == {key: value for key, value in TOLD.items() if key != "contact"}
    assert submitter.public({"title": "ok", "paper": "javascript:x", "code": 3}) == {"title": "ok"}
