"""Step 3 never destroys finished work: whatever ends a run leaves yesterday's scores as they were."""

from __future__ import annotations

import csv
import errno
import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest
import tiny_topiq
from bench import write_truth
from PIL import Image, ImageFilter

from cmcbench.files import csv_tables, scores, store
from cmcbench.score import journal
from cmcbench.score.journal import Made, ScoreJournal
from cmcbench.score.metrics.registry import resolve

METRICS = ["--metrics", "psnr,piqe"]
TOPIQ = ["--metrics", "topiq,psnr", "--device", "cpu", "--no_report"]


@pytest.fixture
def ready(faked):
    """Two targets with text and full of four small images, both scored."""
    truth = write_truth(faked.folder / "GT", 4, 8)
    for target, radius in (("real", 1), ("other", 2)):
        for mode in ("full", "text"):
            folder = faked.folder / "Result" / target / mode
            folder.mkdir(parents=True)
            for path in truth.iterdir():
                with Image.open(path) as image:
                    image.filter(ImageFilter.GaussianBlur(radius)).save(folder / path.name)
    return faked


def finished(bench) -> dict[str, bytes]:
    """Every file of the results: scores, summaries, leaderboard."""
    return bench.files("Result/**/*.csv") | bench.files("Result/**/*.json") | bench.files("Result/*.md")


def rows(bench, target="real") -> list[dict[str, str]]:
    with open(bench.folder / "Result" / target / "scores.csv", newline="") as file:
        return list(csv.DictReader(file))


def summary(bench, target="real") -> dict:
    return json.loads((bench.folder / "Result" / target / "summary.json").read_text())


UNUSABLE = {
    "empty": lambda path: path.write_bytes(b""),
    "no weights": lambda path: path.write_bytes(b"not a checkpoint" * 100),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "those of the other metric": lambda path: path.write_bytes(path.with_name("topiq-nr.pth").read_bytes()),
}


def test_unusable_or_swapped_weights_leave_all_scores_as_they_were(ready, tmp_path, weights):
    weights = shutil.copytree(weights, tmp_path / "Weight")
    good = (weights / "topiq-fr.pth").read_bytes()
    ready.score(*TOPIQ, "--target", "all", "--model_weight", weights)
    before = finished(ready)
    for what, spoil in UNUSABLE.items():
        (weights / "topiq-fr.pth").write_bytes(good)
        spoil(weights / "topiq-fr.pth")
        done = ready.score(*TOPIQ, "--target", "all", "--model_weight", weights, code=2)
        assert "topiq-fr.pth" in done.stderr, what
        assert finished(ready) == before, what
    (weights / "topiq-fr.pth").write_bytes(good)
    ready.score(*TOPIQ, "--target", "all", "--model_weight", weights)
    assert finished(ready) == before
    tiny_topiq.weights(weights, seed=5)  # usable ones of another training are another matter
    ready.score(*TOPIQ, "--target", "real", "--model_weight", weights)
    assert all(row["topiq_fr"] and row["psnr"] for row in rows(ready))
    old = json.loads(before["Result/real/summary.json"])["metrics"]["topiq_fr"]["identity"]
    assert summary(ready)["metrics"]["topiq_fr"]["identity"] != old


@pytest.mark.parametrize("name", ["summary.json", "scores.csv"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_file_that_cannot_be_read_at_the_moment_stops_the_run(ready, monkeypatch, name, code):
    ready.score(*METRICS)
    before = finished(ready)
    read = store.read_bytes

    def fails(path, largest):
        if path.name == name and path.parent.name == "real":
            raise OSError(code, os.strerror(code), str(path))
        return read(path, largest)

    with monkeypatch.context() as patched:
        for module in (scores, csv_tables):
            patched.setattr(module, "read_bytes", fails)
        done = ready.score("--metrics", "psnr", code=2)
    assert f"Result/real/{name} cannot be read at the moment" in done.stderr and finished(ready) == before


def test_a_ground_truth_with_fewer_images_keeps_the_others_scores(ready, tmp_path):
    ready.score(*METRICS)
    before = finished(ready)
    few = tmp_path / "few"
    few.mkdir()
    some = sorted((ready.folder / "GT").iterdir())[:2]
    for path in some:
        (few / path.name).write_bytes(path.read_bytes())
    done = ready.score(*METRICS, "--gt_path", few)
    assert "2 image(s) of the last run are not in --gt_path" in done.stderr
    assert finished(ready) == before  # nothing was to be scored, and nothing is lost
    ready.score("--metrics", "psnr,piqe,gmsd", "--gt_path", few)
    assert [bool(row["gmsd"]) for row in rows(ready)] == [True] * 4 + [False] * 4
    assert all(row["psnr"] for row in rows(ready)) and summary(ready)["modes"]["full"]["metrics"]["psnr"]["n"] == 4
    made = ready.folder / "Result/real/full" / sorted((ready.folder / "GT").iterdir())[-1].name
    made.write_bytes(some[0].read_bytes())  # a row of a picture that has changed holds no longer
    ready.score(*METRICS, "--gt_path", few)
    assert len(rows(ready)) == 7
    ready.score(*METRICS, "--gt_path", few, "--overwrite")
    assert len(rows(ready)) == 4 and summary(ready)["ground_truth"]["images"] == 2


FOREIGN = {
    "a table": ("scores.csv", "student,mark\nAnn,1\n"),
    "a summary": ("summary.json", '{"sales": [1, 2]}'),
    "a list": ("summary.json", "[1, 2]"),
    "a leaderboard": ("../leaderboard.csv", "team,points\nred,3\n"),
    "a text": ("../leaderboard.md", "# my club\n"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_files_that_are_not_ours_are_refused_by_name(ready, tmp_path, what):
    name, text = FOREIGN[what]
    theirs = tmp_path / "theirs" / "run"
    (theirs / "full").mkdir(parents=True)
    for path in (ready.folder / "GT").iterdir():
        (theirs / "full" / path.name).write_bytes(path.read_bytes())
    file = theirs / name
    file.write_text(text)
    # --results: what lies beside the folder is written with the user's consent alone
    done = ready.score(*METRICS, "--target_path", theirs, "--results", theirs.parent, code=2)
    assert file.name.partition(".")[0] in done.stderr and "not" in done.stderr and file.read_text() == text
    there = {path.name for path in theirs.iterdir() if not path.name.startswith(".")}
    assert there == ({"full"} if name.startswith("..") else {"full", name})
    if name.startswith("s"):
        ready.score(*METRICS, "--target_path", theirs, "--overwrite")
        assert (theirs / f"{name}.invalid").read_text() == text


def length(path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_kill_at_any_moment_leaves_yesterdays_scores(ready):
    ready.score(*METRICS, "--target", "all")
    before = finished(ready)
    chance = random.Random(4)
    journals = [ready.folder / "Result" / target / ".scores.part-0.jsonl" for target in ("real", "other")]
    for _ in range(3):
        lines = chance.randrange(1, 12)
        made = ["--metrics", "psnr,piqe,vsi,fsim", "--target", "all"]
        process = ready.start("script-evaluate.py", *made, FAKE_HOLD=str(lines))
        ready.until(lambda lines=lines: sum(map(length, journals)) > lines, process)
        process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
        process.wait()
        assert finished(ready) == before
    ready.score("--metrics", "psnr,piqe,vsi,fsim", "--target", "all")
    assert all(row["vsi"] and row["fsim"] and row["psnr"] for row in rows(ready) + rows(ready, "other"))
    assert not [path for path in journals if path.exists()]


def test_a_full_disk_leaves_yesterdays_scores(ready, monkeypatch):
    ready.score(*METRICS)
    before = finished(ready)
    with monkeypatch.context() as patched:
        patched.setattr(ScoreJournal, "add", _full_after(3, ScoreJournal.add))
        done = ready.score("--metrics", "psnr,piqe,vsi", code=1)
    assert "the disk is full" in done.stderr and finished(ready) == before
    assert len(journal.read(ready.folder / "Result/real")) == 3
    ready.score("--metrics", "psnr,piqe,vsi")
    assert all(row["vsi"] for row in rows(ready))


def _full_after(lines, add):
    left = [lines]

    def full(self, made):
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        left[0] -= 1
        add(self, made)

    return full


def test_a_metric_left_out_keeps_its_scores(ready, tmp_path):
    """Weights that are missing today take nothing away that they gave yesterday."""
    weights = tmp_path / "Weight"
    weights.mkdir(exist_ok=True)
    tiny_topiq.weights(weights)
    ready.score(*TOPIQ, "--model_weight", weights)
    before = finished(ready)
    (weights / "topiq-fr.pth").unlink()
    ready.score("--metrics", "psnr", "--no_report")
    assert finished(ready) == before


def test_scores_of_a_killed_run_are_kept_though_their_metric_cannot_be_loaded_today(ready, no_packages):
    ready.score(*METRICS)
    (lpips,) = resolve("lpips", Path("Weight"))  # its weights are not here
    row = rows(ready)[0]
    made_of = f"{row['ground_truth']} {row['reconstruction']}"
    killed = ScoreJournal(ready.folder / "Result/real", 0)
    killed.add(Made(row["name"], row["mode"], "lpips", lpips.identity, made_of, 0.25))
    killed.close()
    done = ready.score("--metrics", "psnr,lpips")
    assert "metric lpips" in done.stderr and [each["lpips"] for each in rows(ready) if each["lpips"]] == ["0.25"]
    assert summary(ready)["metrics"]["lpips"]["lower_is_better"] is True


def test_a_journal_outlives_half_lines_and_strange_ones(tmp_path):
    made = [Made(f"a{number}.png", "full", "psnr", "1", "x y", number / 7) for number in range(4)]
    first = ScoreJournal(tmp_path, 0)
    first.add(made[0])
    first.close()
    with open(first.path, "ab") as file:
        file.write(b'{"name": "half')
    second = ScoreJournal(tmp_path, 0)
    second.add(made[1])
    second.close()
    other = ScoreJournal(tmp_path, 1)
    other.add(made[2])
    other.close()
    strange = [b"[]", b"{}", b"\xff\xfe", b'{"name": 1}', b"[" * 5000]
    strange.append(json.dumps({**vars(made[3]), "value": "1"}).encode())
    strange.append(json.dumps({**vars(made[3]), "value": float("nan")}).encode())
    (tmp_path / ".scores.part-7.jsonl").write_bytes(b"\n".join(strange))
    os.symlink(other.path, tmp_path / ".scores.part-8.jsonl")
    assert journal.read(tmp_path) == made[:3]
    journal.replace(tmp_path, made[1:2])
    assert journal.read(tmp_path) == made[1:2]
    journal.replace(tmp_path, [])
    assert not journal.found(tmp_path)
