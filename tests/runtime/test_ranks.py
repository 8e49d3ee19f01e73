"""All three steps by several processes under torchrun: what one process makes, failures of all listed, and nothing lost
when they are killed."""

from __future__ import annotations

import json
import signal
import socket
from dataclasses import replace

import pytest
from bench import ROOT, write_captions, write_truth
from processes import prepare
from torchrun import both, both_ended, ended, launch

from cmcbench.encode import journal
from cmcbench.errors import BadInput
from cmcbench.files import rates, scores
from cmcbench.runtime.ranks import Ranks, join
from cmcbench.score import journal as score_journal

METRICS = ["--metrics", "psnr,piqe"]
FAKE = ROOT / "tests/support/fake.py"
SCORE = (FAKE, "script-evaluate.py", *METRICS, "--target", "two")


def kill(processes) -> None:
    for each in processes:
        each.send_signal(signal.SIGKILL)
    assert [each.wait() for each in processes] == [-signal.SIGKILL] * 2


@pytest.fixture
def ready(faked):
    return prepare(faked, write_truth(faked.folder / "GT", 10))


def rows(bench, target: str) -> scores.Table:
    return scores.read(bench.folder / "Result" / target / "scores.csv")


def assert_equal(one: scores.Table, two: scores.Table) -> None:
    """The bound for another number of threads, which rounds differently."""
    assert one.keys() == two.keys()
    for key, row in one.items():
        assert row.scores.keys() == two[key].scores.keys()
        assert row.scores == pytest.approx(two[key].scores, abs=1e-6)


def test_two_processes_give_the_rows_of_one(ready):
    broken = sorted((ready.folder / "Result/two/full").iterdir())[1]  # in the share of process 1
    whole = broken.read_bytes()
    broken.write_bytes(whole[:500])
    shown = ended(launch(ready.folder, ROOT / "script-evaluate.py", *METRICS, "--target", "two"), 1)
    assert f"two/full/{broken.name}: is damaged" in shown and "1 failed:" in shown
    broken.write_bytes(whole)
    shown = both_ended(both(ready.folder, *SCORE))
    ready.score(*METRICS, "--target", "one")
    assert_equal(rows(ready, "one"), rows(ready, "two"))
    assert shown.count("------Evaluating two------") == 1
    assert not list((ready.folder / "Result/two").glob(".scores.part*"))
    assert "two" in (ready.folder / "Result/leaderboard.md").read_text()


def test_killed_processes_lose_nothing(faked):
    """Both processes die at once; one process then goes on from what both had written."""
    ready = prepare(faked, write_truth(faked.folder / "GT", 13))
    folder = ready.folder / "Result" / "two"
    processes = both(ready.folder, *SCORE, FAKE_HOLD="7")
    ready.until(lambda: all((folder / f".scores.part-{rank}.jsonl").exists() for rank in (0, 1)), *processes)
    kill(processes)
    made = score_journal.read(folder)
    wanted = {each.metric for each in made}
    by_row = {(each.name, each.mode): set() for each in made}
    for each in made:
        by_row[each.name, each.mode].add(each.metric)
    whole = sum(metrics == wanted for metrics in by_row.values())
    assert 0 < len(by_row) < 26 and not (folder / "scores.csv").exists()
    done = ready.score(*METRICS, "--target", "two")
    assert f"{whole}/26 [" in done.stderr  # the progress bar begins at what was there
    ready.score(*METRICS, "--target", "one")
    assert_equal(rows(ready, "one"), rows(ready, "two"))
    assert not list(folder.glob(".scores.part*"))


ENCODE = (FAKE, "script-i2t.py", "--model_name", "two")
DECODE = (
    FAKE,
    "script-t2i.py",
    "--model_name",
    "two",
    "--input_path",
    "Text/gpt4v.csv",
    "--mode",
    "text",
)


def texts(bench, name: str) -> bytes:
    return (bench.folder / "Text" / f"{name}.csv").read_bytes()


def manifest_of(bench, name: str) -> dict:
    record = json.loads((bench.folder / name).read_text())
    record["settings"].pop("model")
    del record["environment"]  # it has the commit, which may be another by now
    for image in record["images"].values():
        assert image.pop("seconds") >= 0
    return record


def test_two_processes_caption_as_one_does(faked):
    truth = write_truth(faked.folder / "GT", 7)
    bad = sorted(truth.iterdir())[3]  # in the share of process 1
    whole = bad.read_bytes()
    bad.write_bytes(whole[:300])
    shown = ended(launch(faked.folder, *ENCODE), 1)
    assert bad.name in shown and "1 failed:" in shown and "6 captions made" in shown
    bad.write_bytes(whole)
    assert "1 captions made" in both_ended(both(faked.folder, *ENCODE))
    faked.encode("--model_name", "one")
    assert texts(faked, "one") == texts(faked, "two")
    assert manifest_of(faked, "Text/one.json") == manifest_of(faked, "Text/two.json")
    assert not list((faked.folder / "Text").glob(".*part*"))


def test_killed_captioners_lose_nothing(faked):
    write_truth(faked.folder / "GT", 12)
    processes = both(faked.folder, *ENCODE, FAKE_HOLD="3")
    part = faked.folder / "Text" / ".two.part-1.jsonl"
    faked.until(lambda: part.exists() and len(journal.read(part).texts) > 1, *processes)
    kill(processes)
    had = sum(len(journal.read(path).texts) for path in journal.found(faked.folder / "Text" / "two.csv"))
    done = faked.encode("--model_name", "two")
    assert f"{12 - had} captions made" in done.stderr and had >= 2
    faked.encode("--model_name", "one")
    assert texts(faked, "one") == texts(faked, "two") and not part.exists()


def test_a_part_of_other_settings_is_not_mixed_in(faked):
    write_truth(faked.folder / "GT", 4)
    faked.encode("--model_name", "two", "--explen", 20)
    part = faked.folder / "Text" / ".two.part-1.jsonl"
    record = json.loads((faked.folder / "Text" / "two.json").read_text())
    part.write_text(json.dumps({"settings": record["settings"]}) + "\n")
    for file in ("two.csv", "two.json"):
        (faked.folder / "Text" / file).unlink()
    done = faked.encode("--model_name", "two", code=2)
    assert "words was 20 and is 10 now" in done.stderr and part.exists()
    faked.encode("--model_name", "two", "--overwrite")
    assert not part.exists()


def test_two_processes_decode_as_one_does(faked):
    truth = write_truth(faked.folder / "GT", 7)
    names = sorted(path.name for path in truth.iterdir())
    write_captions(faked.folder / "Text" / "gpt4v.csv", {name: f"picture {name}" for name in names})
    stem = names[3].removesuffix(".png")
    shown = ended(launch(faked.folder, *DECODE, FAKE_FAIL=stem), 1)
    assert "6 images made" in shown and f"{stem}: no memory left (mode text)" in shown
    processes = both(faked.folder, *DECODE, "--overwrite", FAKE_HOLD="1")
    made = faked.folder / "Result" / "two" / "text"
    faked.until(lambda: made.exists() and len(list(made.glob("*.png"))) == 2, *processes)
    kill(processes)
    faked.decode("--model_name", "one", "--input_path", "Text/gpt4v.csv", "--mode", "text")
    assert "images made" in both_ended(both(faked.folder, *DECODE))
    one, two = (
        {path.name: path.read_bytes() for path in (faked.folder / "Result" / n / "text").glob("*.png")}
        for n in ("one", "two")
    )
    assert one == two and len(one) == 7
    # The bits of what each process made stand in one table; how long it took, and how much memory, is each run's own
    tables = [rates.read(faked.folder / "Result" / name / "rates.csv") for name in ("one", "two")]
    measured = {"decode_seconds": None, "peak_memory": None}
    assert (
        len({str({key: replace(row, **measured) for key, row in scores.items()}) for scores in tables}) == 1
        and len(tables[0]) == 7
    )
    assert sum(row.decode_seconds is not None for row in tables[1].values()) >= 2
    assert not list((faked.folder / "Result" / "two").glob(".rates.part-*"))


def test_more_processes_than_images(faked):
    write_truth(faked.folder / "GT", 1)
    assert "1 captions made" in both_ended(both(faked.folder, *ENCODE))
    assert "0 captions made" in both_ended(both(faked.folder, *ENCODE))


def test_shares_cover_everything_once():
    items = [f"image{number}" for number in range(11)]
    shares = [Ranks(number, 4).share(items) for number in range(4)]
    assert sorted(item for share in shares for item in share) == sorted(items)
    assert Ranks(3, 16).share(items[:2]) == []
    assert Ranks().share(items) == items and Ranks().first and Ranks().collect(3) == [3]


def test_each_process_takes_its_own_gpu():
    assert Ranks(5, 8, 1).device("cuda") == "cuda:1"
    assert Ranks(5, 8, 1).device("cpu") == "cpu" and Ranks().device("cuda") == "cuda"


@pytest.mark.parametrize(
    "environment", [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "x"}, {"RANK": "-1"}, {"LOCAL_RANK": "-2"}]
)
def test_an_environment_that_makes_no_sense(monkeypatch, environment):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(BadInput, match="torchrun --nproc_per_node"):
        join()


@pytest.mark.parametrize(
    "environment, said",
    [
        ({}, "MASTER_ADDR='', MASTER_PORT=''"),
        ({"MASTER_ADDR": "127.0.0.1"}, "MASTER_PORT=''"),
        ({"MASTER_PORT": "29500"}, "MASTER_ADDR=''"),
        ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "soon"}, "MASTER_PORT='soon'"),
        ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "99999"}, "MASTER_PORT='99999'"),
    ],
)
def test_a_process_that_is_not_told_where_to_meet_says_so(monkeypatch, environment, said):
    for key in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(key, raising=False)
    for key, value in {"RANK": "0", "WORLD_SIZE": "2", **environment}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(BadInput, match="torchrun") as found:
        join()
    assert said in str(found.value)


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for key, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
            monkeypatch.setenv(key, value)
        with pytest.raises(BadInput, match=f"MASTER_PORT={port}.*--master_port"):
            join()
