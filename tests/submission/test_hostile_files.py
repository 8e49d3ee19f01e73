"""Mutated zips, and pipes, links and strange files among the pictures, stop neither `verify` nor `--submit`."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest
import submissions
from json_mutations import mutated
from mutations import mutations, share

from cmcbench.__main__ import main
from cmcbench.errors import BadInput
from cmcbench.files.store import TEMPORARY
from cmcbench.submission import archive
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A result that was submitted: GT, Weight, Text and Result/real with its submission.zip."""
    folder = tmp_path_factory.mktemp("place")
    submissions.result(folder)
    submit(folder / "Result" / "real", folder / "Weight")
    return folder


@pytest.fixture(scope="module")
def whole(place) -> bytes:
    return (place / "Result" / "real" / "submission.zip").read_bytes()


def verify(file: Path, *flags: str) -> int:
    """The exit code, 2 for a file that is refused as a whole."""
    try:
        return main(["verify", str(file), *map(str, flags)])
    except BadInput:
        return 2


@pytest.mark.parametrize("seed", range(3))
def test_mutated_zips_are_refused_without_a_traceback(whole, tmp_path, capsys, seed):
    file = tmp_path / "x.zip"
    for changed in mutations(whole, share(100), seed):
        file.write_bytes(changed)
        code = verify(file)
        assert code == (0 if changed == whole else code) and code in (0, 1, 2), changed[:80]
        assert code or changed == whole or accepted_alike(whole, changed, file)
    capsys.readouterr()


def accepted_alike(whole: bytes, changed: bytes, file: Path) -> bool:
    """Whether what was accepted holds what was submitted; a bit of a zip may mean nothing."""
    before = file.with_name("whole.zip")
    before.write_bytes(whole)
    return archive.read(file, FILES) == archive.read(before, FILES)


@pytest.mark.parametrize(
    "name", ["submission.json", "summary.json", "manifest.json", "captions.json", "environment.json"]
)
def test_mutated_documents_are_told_as_faults(place, tmp_path, capsys, name):
    contents = archive.read(place / "Result" / "real" / "submission.zip", FILES)
    file = tmp_path / "x.zip"
    for changed in mutated(json.loads(contents[name]), share(40)):
        data = json.dumps(changed, ensure_ascii=False).encode()
        altered = contents | {name: data}
        altered["SHA256SUMS"] = submissions.sums(altered)
        if len(data) <= FILES[name] and archive_takes(file, altered):
            assert verify(file) in (0, 1), changed
    capsys.readouterr()


@pytest.mark.parametrize("name", ["scores.csv", "rates.csv", "captions.csv", "reconstructions.sha256", "mail.txt"])
def test_mutated_tables_are_told_as_faults(place, tmp_path, capsys, name):
    contents = archive.read(place / "Result" / "real" / "submission.zip", FILES)
    file = tmp_path / "x.zip"
    for changed in mutations(contents[name], share(40)):
        altered = contents | {name: changed}
        altered["SHA256SUMS"] = submissions.sums(altered)
        if archive_takes(file, altered):
            assert verify(file) in (0, 1), changed
    capsys.readouterr()


def archive_takes(file: Path, contents: dict[str, bytes]) -> bool:
    submissions.zip_file(file, contents)
    try:
        archive.read(file, FILES)
    except BadInput:
        return False  # too large, or too well packed
    return True


def in_time(work, seconds: float = 60) -> list:
    """What `work` returned; fails where it waits for a pipe."""
    found: list = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, "it waits"
    return found


@pytest.mark.parametrize("where", ["Result/real/full", "GT"])
@pytest.mark.parametrize("kind", ["pipe", "link to nothing", "link to a device", "folder", "without rights"])
def test_strange_files_among_the_pictures_are_faults(place, tmp_path, capsys, where, kind):
    copy = shutil.copytree(place, tmp_path / "place")
    file = copy / where / submissions.NAMES[0]
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "link to nothing":
        file.symlink_to(copy / "nothing")
    elif kind == "link to a device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"")
        file.chmod(0)
    flags = ("--results", copy / "Result" / "real", "--ground_truth", copy / "GT")
    assert in_time(lambda: verify(copy / "Result" / "real" / "submission.zip", *flags)) == [1]
    assert submissions.NAMES[0] in capsys.readouterr().out


@pytest.mark.parametrize("name", ["scores.csv", "rates.csv", "full/" + submissions.NAMES[0]])
def test_a_pipe_in_a_result_stops_no_submission(place, tmp_path, name):
    copy = shutil.copytree(place, tmp_path / "place")
    (copy / "Result" / "real" / name).unlink()
    os.mkfifo(copy / "Result" / "real" / name)

    def work() -> str:
        try:
            return str(submit(copy / "Result" / "real", copy / "Weight", copy / "new.zip"))
        except BadInput as error:
            return f"refused: {error}"

    (said,) = in_time(work)
    assert said.startswith("refused: ") or name == "rates.csv", said
    assert (copy / "new.zip").exists() == (not said.startswith("refused: "))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing"])
def test_what_is_verified_must_be_a_file(tmp_path, kind):
    file = tmp_path / "x.zip"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "device":
        file = Path("/dev/zero")
    assert in_time(lambda: verify(file)) == [2]


def test_no_program_is_started_for_a_picture_that_is_postscript(place, tmp_path, monkeypatch, capsys):
    """Pillow would hand it to Ghostscript: `gs` on the path leaves a mark where it is started."""
    copy = shutil.copytree(place, tmp_path / "place")
    programs, mark = tmp_path / "bin", tmp_path / "started"
    for name in ("gs", "gswin32c", "gswin64c"):
        program = programs / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ntouch {mark}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    for folder in ("Result/real/full", "GT"):
        (copy / folder / submissions.NAMES[0]).write_bytes(script)
    submissions.score(copy)
    flags = ("--results", copy / "Result" / "real", "--ground_truth", copy / "GT")
    assert verify(copy / "Result" / "real" / "submission.zip", *flags) == 1
    assert not mark.exists() and "is not the picture that was scored" in capsys.readouterr().out


def test_an_unfinished_submission_of_a_killed_run_is_swept(place, tmp_path):
    copy = shutil.copytree(place, tmp_path / "place")
    folder = copy / "Result" / "real"
    left = [folder / f"{TEMPORARY}submission.zip-1", folder / f"{TEMPORARY}submission.zip-2"]
    others = folder / f"{TEMPORARY}scores.csv-1"
    for file in (*left, others):
        file.write_bytes(b"")
    submit(folder, copy / "Weight")
    assert not any(file.exists() for file in left) and others.exists()
