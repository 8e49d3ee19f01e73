"""The rows of several processes and runs in one table of rates, and what is timed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from cmcbench.bitstream.inputs import DecoderInput
from cmcbench.decode import clock, ledger
from cmcbench.decode.clock import Clock
from cmcbench.decode.ledger import CostLedger
from cmcbench.files import rates
from cmcbench.files.rates import Cost
from cmcbench.files.store import digest
from cmcbench.runtime import pace
from cmcbench.runtime.beside import Behind
from cmcbench.runtime.ranks import Ranks

pytestmark = pytest.mark.usefixtures("avif")


def jobs_of(folder: Path, mode: str, count: int = 4) -> dict[str, list[DecoderInput]]:
    """Jobs whose pictures are there."""
    jobs = []
    for number in range(count):
        stem = f"p{number}"
        (folder / mode).mkdir(parents=True, exist_ok=True)
        (folder / mode / f"{stem}.png").write_bytes(f"{mode} {stem}".encode())
        jobs.append(DecoderInput(stem, "x", None, (1, 1), {}, Cost(f"{stem}.png", mode, 8, caption_bits=8)))
    return {mode: jobs}


def made(work: CostLedger, jobs: dict[str, list[DecoderInput]], seconds: float) -> None:
    for mode, planned in jobs.items():
        for job in planned:
            work.add(job, digest(f"{mode} {job.stem}".encode()), seconds, 7)


def test_each_process_writes_its_own_rows_and_the_first_takes_them_over(tmp_path):
    jobs = jobs_of(tmp_path, "text")
    works = [CostLedger(tmp_path, jobs, Ranks(number, 2)) for number in range(2)]
    works[0].open({"text": jobs["text"]})
    for number, work in enumerate(works):
        made(work, {"text": jobs["text"][number::2]}, float(number))
        work.end()
    assert {stem for stem, _ in rates.read(tmp_path / "rates.csv")} == {"p0", "p2"} and len(
        list(tmp_path.glob(".rates.part-*"))
    ) == 1
    works[0].take_over()
    found = rates.read(tmp_path / "rates.csv")
    assert {stem: row.decode_seconds for (stem, _), row in found.items()} == {"p0": 0, "p1": 1, "p2": 0, "p3": 1}
    assert not list(tmp_path.glob(".rates.part-*"))


def test_a_killed_process_s_rows_are_taken_over_by_the_next_run_where_they_are_of_the_picture(tmp_path, capsys):
    jobs = jobs_of(tmp_path, "text")
    killed = CostLedger(tmp_path, jobs, Ranks(1, 2))
    made(killed, jobs, 3.0)
    killed.end()
    (tmp_path / "text" / "p2.png").write_bytes(b"another picture")
    (tmp_path / ".rates.part-text-5.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / ".rates.part-full+text-1.csv").write_bytes(b"of a run that may still be at it")
    work = CostLedger(tmp_path, jobs, Ranks())
    work.open({"text": jobs["text"][3:]})
    found = rates.read(tmp_path / "rates.csv")
    assert {stem: row.decode_seconds for (stem, _), row in found.items()} == {"p0": 3, "p1": 3, "p2": None}
    assert found["p2", "text"].sha256 == digest(b"another picture")
    assert [path.name for path in tmp_path.glob(".rates.part-*")] == [".rates.part-full+text-1.csv"]
    assert "note: " in capsys.readouterr().err


def test_two_runs_at_other_modes_keep_each_other_s_rows(tmp_path):
    works = []
    for mode in ("full", "text"):
        jobs = jobs_of(tmp_path, mode)
        works.append((CostLedger(tmp_path, jobs, Ranks()), jobs))
        works[-1][0].open(jobs)
    for work, jobs in works:
        made(work, jobs, 1.0)
    for work, _ in works:
        work.end()
    assert len(rates.read(tmp_path / "rates.csv")) == 8


def test_saving_is_a_bounded_share_of_the_run(tmp_path, monkeypatch):
    jobs = jobs_of(tmp_path, "text", 30)
    clock, saved = [0.0], []

    def write(path, rows):
        clock[0] += 0.05  # what saving takes
        saved.append(clock[0])

    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(ledger.rates, "write", write)
    monkeypatch.setattr(ledger.rates, "read", lambda path: {})
    work = CostLedger(tmp_path, jobs, Ranks())
    with Behind(2) as behind:
        for job in jobs["text"]:
            work.add(job, "", 0.58, None)
            clock[0] += 0.58
            work.save_if_due(behind)
            behind.settle()
    work.end()
    assert 2 <= len(saved) <= 2 + clock[0] / 5


def test_rows_that_could_not_be_saved_behind_the_model_are_saved_at_the_end(tmp_path, monkeypatch):
    jobs = jobs_of(tmp_path, "text", 2)
    work = CostLedger(tmp_path, jobs, Ranks())
    work.open({"text": jobs["text"]})
    write = rates.write

    def fail(path, rows):
        raise OSError(28, "No space left on device")

    made(work, jobs, 1.0)
    monkeypatch.setattr(ledger.rates, "write", fail)
    with pytest.raises(OSError), Behind(2) as behind:
        work.save_if_due(behind)
    monkeypatch.setattr(ledger.rates, "write", write)
    work.end()
    assert len(rates.read(tmp_path / "rates.csv")) == 2


# What is timed


def test_the_first_batch_is_no_time_where_others_follow():
    for batches, expected in ((3, [False, True, True]), (1, [True]), (0, [])):
        clock = Clock(batches, "cpu", here=True)
        found = []
        for _ in range(batches):
            clock.start()
            found.append(clock.stop(2) is not None)
        assert found == expected


def test_memory_is_the_device_s_the_process_s_or_nobody_s(monkeypatch):
    calls = []
    cuda = types.SimpleNamespace(
        reset_peak_memory_stats=lambda device: calls.append(device),
        max_memory_allocated=lambda device: 123 if device == "cuda:1" else 0,
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    clock = Clock(1, "cuda:1", here=True)
    clock.start()
    assert clock.memory() == 123 and calls == ["cuda:1"]
    own = Clock(1, "cpu", here=True)
    own.start()
    assert 10e6 < own.memory() < 100e9 and calls == ["cuda:1"]
    assert Clock(1, "cuda:1", here=False).memory() is None  # the model is in another process


def test_memory_where_the_system_tells_it_otherwise(monkeypatch):
    """macOS tells bytes, other systems KiB, Windows nothing by this way."""

    def absent(path):
        raise FileNotFoundError(path)

    exact = clock.own_peak()
    monkeypatch.setattr(clock.Path, "read_text", absent)
    usage = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_maxrss=3000))
    monkeypatch.setitem(clock.sys.modules, "resource", usage)
    for platform, expected in (("linux", 3_072_000), ("darwin", 3000)):
        monkeypatch.setattr(clock.sys, "platform", platform)
        assert clock.own_peak() == expected
    monkeypatch.setitem(clock.sys.modules, "resource", None)
    assert clock.own_peak() is None and exact > 10e6
