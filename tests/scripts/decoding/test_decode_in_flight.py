"""Guides are read ahead of the decoder, pictures written behind it: what is in flight when something ends the run."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import signal

import pytest
import warm
from bench import Bench, without_ffmpeg, write_captions, write_truth

from cmcbench.decode import decoding
from cmcbench.files import rates
from cmcbench.files.store import digest

DECODE = ["--mode", "image", "--input_path", "Text/x.csv", "--model_name", "two", "--batch_size", 4]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """GT, Ref and Text of twelve pictures, and "whole": what an undisturbed run makes of them."""
    bench = Bench(tmp_path_factory.mktemp("begun"))
    bench.fake = bench.inside = True
    truth = write_truth(bench.folder / "GT", 12)
    write_captions(bench.folder / "Text" / "x.csv", {path.name: "a picture" for path in truth.iterdir()})
    with without_ffmpeg():
        bench.encode("--model_name", "none", "--references")
    bench.decode(*DECODE)
    bench.whole = made(bench)
    shutil.rmtree(bench.folder / "Result")
    assert len(bench.whole) == 12
    return bench


@pytest.fixture
def ready(faked, begun):
    shutil.copytree(begun.folder, faked.folder, dirs_exist_ok=True)
    return faked


def made(bench) -> dict[str, str]:
    """stem -> digest of the reconstructions that are there, none of them half."""
    folder = next((bench.folder / "Result").iterdir()) / "image"
    return {path.stem: digest(path.read_bytes()) for path in folder.glob("*.png")}


def rows(bench) -> dict[str, str]:
    folder = next((bench.folder / "Result").iterdir())
    return {stem: row.sha256 for (stem, _), row in rates.read(folder / "rates.csv").items()}


@pytest.fixture
def expected(begun):
    return begun.whole


def test_pictures_written_behind_are_those_of_one_by_one(ready, expected):
    ready.decode(*DECODE[:-1], 1)
    assert made(ready) == expected == rows(ready)


def test_a_writer_that_fails_while_the_model_works_ends_the_run_and_loses_nothing(ready, expected, monkeypatch):
    whole, written = decoding.write_bytes, []

    def full(path, data):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        whole(path, data)

    monkeypatch.setattr(decoding, "write_bytes", full)
    done = ready.decode(*DECODE, code=1)
    assert "the disk is full" in done.stderr
    assert made(ready) == rows(ready) and len(rows(ready)) == 5  # every picture has its row, no row is of nothing
    monkeypatch.undo()
    done = ready.decode(*DECODE)
    assert "5/12" in done.stderr and made(ready) == expected == rows(ready)


def test_the_last_guide_cannot_be_read(ready, expected):
    last = sorted((ready.folder / "Ref/image").iterdir())[-1]
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    done = ready.decode(*DECODE, code=1)
    assert f"{last.name}: is damaged" in done.stderr and "1 failed:" in done.stderr
    assert made(ready) == {stem: seen for stem, seen in expected.items() if stem != last.stem}
    last.write_bytes(whole)
    ready.decode(*DECODE)
    assert made(ready) == expected == rows(ready)


def test_all_guides_cannot_be_read(ready, expected):
    for path in (ready.folder / "Ref/image").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    done = ready.decode(*DECODE, code=1)
    assert "12 failed:" in done.stderr


SLOW = """
import os, sys, time
import fake
from cmcbench.decode import decoding
whole = decoding.write_bytes
def slow(path, data):
    time.sleep(0.1)
    whole(path, data)
    while not os.path.exists("go"):
        time.sleep(0.01)
    {after}
decoding.write_bytes = slow
fake.run("script-t2i.py", sys.argv[1:])
"""


def start(bench, after=""):
    """A run whose disk is slower than its model, so that its queue is full: it waits for a file `go`."""
    command = ["-c", SLOW.format(after=after), *map(str, DECODE)]
    return warm.Program(command, bench.folder, dict(os.environ))


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) == signal.SIG_IGN, reason="this shell's jobs ignore Ctrl-C")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_with_a_full_queue_waits_for_what_the_model_has_made(ready, expected, kind):
    process = start(ready)
    ready.until(lambda: list(ready.folder.glob("Result/*/image/*.png")), process)
    process.send_signal(kind)
    (ready.folder / "go").touch()
    _, errors = process.communicate()
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    found = made(ready)
    assert found == rows(ready) and 4 <= len(found) <= 12 and found.items() <= expected.items()
    ready.decode(*DECODE)
    assert made(ready) == expected == rows(ready)


def test_killed_between_a_picture_and_its_row(ready, expected):
    """The picture stays, and gets its row in the next run, without the time that nobody knows any more."""
    (ready.folder / "go").touch()
    process = start(ready, "os.kill(os.getpid(), 9)")
    process.communicate()
    assert process.returncode == -9
    before = made(ready)
    assert before and before.items() <= expected.items()
    ready.decode(*DECODE)
    assert made(ready) == expected == rows(ready)
    file = next((ready.folder / "Result").iterdir()) / "rates.csv"
    table = {row["name"]: row for row in csv.DictReader(file.open())}
    known = {stem for stem in before if table[f"{stem}.png"]["decode_seconds"] == ""}
    assert known and known <= before.keys()


def test_the_ledger_never_runs_ahead_of_the_files(ready, expected, monkeypatch):
    """Whenever rows are written, their pictures are there."""
    whole, seen = rates.write, []

    def check(path, table):
        folder = path.parent / "image"
        there = {file.stem: digest(file.read_bytes()) for file in folder.glob("*.png")}
        assert all(there.get(stem) == row.sha256 for (stem, _), row in table.items())
        seen.append(len(table))
        whole(path, table)

    from cmcbench.decode import ledger

    monkeypatch.setattr(ledger.rates, "write", check)
    monkeypatch.setattr(ledger.Pace, "due", property(lambda self: True))
    monkeypatch.setenv("FAKE_SECONDS", "0.02")
    ready.decode(*DECODE)
    assert len(seen) >= 3 and seen[-1] == 12 and made(ready) == expected
