"""Scoring while pictures are read ahead: each file is read once, batches and processes change nothing, no score is of a
picture that it was not made from.
"""

from __future__ import annotations

import hashlib
import shutil

import pytest
from bench import Bench, write_truth
from PIL import Image
from scoring_runs import METRICS, blur, scores, summary

from cmcbench.files.pictures import read
from cmcbench.score import pictures as score_pictures
from cmcbench.score.metrics.topiq import Topiq

TOPIQ = ["--metrics", "topiq,ssim,piqe", "--device", "cpu", "--no_report"]


def counted(monkeypatch) -> dict[str, int]:
    """How often each picture's file is read from now on."""
    opened: dict[str, int] = {}
    whole = read._file

    def count(path):
        opened[str(path)] = opened.get(str(path), 0) + 1
        return whole(path)

    monkeypatch.setattr(read, "_file", count)
    return opened


def test_a_first_run_reads_each_file_once(ready, monkeypatch):
    opened = counted(monkeypatch)
    ready.score(*METRICS, "--no_report")
    assert len(opened) == 12 and set(opened.values()) == {1}
    opened.clear()
    ready.score(*METRICS, "--no_report")  # whether they are the same has to be looked at, once
    assert len(opened) == 12 and set(opened.values()) == {1}


def test_a_killed_first_run_reads_no_file_more_than_twice(ready, monkeypatch):
    ready.score(*METRICS, "--no_report")
    for name in ("scores.csv", "summary.json"):
        (ready.folder / "Result/real" / name).unlink()
    ready.score(*METRICS, "--subset", 2, "--no_report")
    opened = counted(monkeypatch)
    ready.score(*METRICS, "--no_report")
    assert len(opened) == 12 and max(opened.values()) <= 2


@pytest.fixture(scope="module")
def single(tmp_path_factory, weights):
    """Result/batch, and Result/real with the same pictures, scored one by one."""
    bench = Bench(tmp_path_factory.mktemp("single"))
    bench.fake = bench.inside = True
    truth = write_truth(bench.folder / "GT", 6, 8)
    for path in list(truth.iterdir())[::2]:  # several pictures of a size, and sizes that fill no batch
        with Image.open(path) as image:
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(truth / f"SCI_zz_{path.name}")
    for radius, mode in enumerate(("full", "image", "text"), 1):
        blur(truth, bench.folder / "Result" / "real" / mode, radius)
    (bench.folder / "Result/real/text" / sorted(truth.iterdir())[0].name).unlink()
    shutil.copytree(bench.folder / "Result/real", bench.folder / "Result/batch")
    bench.score(*TOPIQ, "--model_weight", weights, "--target", "real")
    return bench.folder


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16])
def test_batches_of_any_size_give_the_scores_of_single_pictures(faked, single, weights, size):
    shutil.copytree(single, faked.folder, dirs_exist_ok=True)
    faked.score(*TOPIQ, "--model_weight", weights, "--target", "batch", "--batch_size", size)
    one, other = scores(faked), scores(faked, "Result/batch")
    assert [(row["name"], row["mode"]) for row in one] == [(row["name"], row["mode"]) for row in other]
    for first, second in zip(one, other):
        for metric in ("topiq_fr", "topiq_nr", "ssim", "piqe"):
            assert float(second[metric]) == pytest.approx(float(first[metric]), abs=1e-5), (first["name"], metric)


def test_a_picture_that_one_metric_refuses_takes_no_other_of_its_batch_along(faked, weights, monkeypatch):
    truth = write_truth(faked.folder / "GT", 4)
    blur(truth, faked.folder / "Result" / "real" / "full", 1)
    for path in (faked.folder / "Result/real/full").iterdir():
        with Image.open(path) as image:
            image.resize((64, 64)).save(path)
        with Image.open(truth / path.name) as image:
            image.resize((64, 64)).save(truth / path.name)
    bad = sorted(truth.iterdir())[2].name
    whole = Topiq._score

    def refuse(self, pairs, places):
        made = [pairs[place].made.array for place in places]
        with Image.open(faked.folder / "Result/real/full" / bad) as image:
            if any(each.tobytes() == image.tobytes() for each in made) and not self.needs_truth:
                raise ValueError("a score that is no number")
        return whole(self, pairs, places)

    monkeypatch.setattr(Topiq, "_score", refuse)
    done = faked.score(*TOPIQ, "--model_weight", weights, "--batch_size", 4, code=1)
    assert f"real/full/{bad}: a score that is no number" in done.stderr
    rows = scores(faked)
    assert [row["name"] for row in rows if not row["topiq_nr"]] == [bad]
    assert all(row["topiq_fr"] and row["ssim"] for row in rows)


def test_the_last_picture_cannot_be_read(ready, small_truth):
    last = sorted(small_truth.iterdir())[-1].name
    broken = ready.folder / "Result/real/text" / last
    broken.write_bytes(broken.read_bytes()[:200])
    done = ready.score(*METRICS, "--no_report", code=1)
    assert f"real/text/{last}: is damaged" in done.stderr and "1 failed:" in done.stderr
    assert [(row["name"], row["mode"]) for row in scores(ready) if not row["psnr"]] == [(last, "text")]
    (small_truth / last).write_bytes(b"")
    done = ready.score(*METRICS, "--overwrite", "--no_report", code=1)
    assert f"ground truth {last}: is an empty file" in done.stderr
    assert {row["name"] for row in scores(ready) if not row["psnr"]} == {last}


def test_a_picture_that_changes_while_others_are_scored_gets_the_scores_of_what_was_read(ready, monkeypatch):
    """Its row tells the digest of the bytes that were decoded, not of what the file holds now or held before."""
    ready.score(*METRICS, "--no_report")
    changed = sorted((ready.folder / "Result/real/full").iterdir())[1]
    whole = score_pictures.picture_bytes

    def change(path):
        data = whole(path)
        if path.samefile(changed):
            with Image.open(changed) as image:
                image.rotate(180).save(changed)
            return whole(path)
        return data

    monkeypatch.setattr(score_pictures, "picture_bytes", change)
    ready.score("--metrics", "ssim", "--no_report")
    row = next(row for row in scores(ready) if (row["name"], row["mode"]) == (changed.name, "full"))
    assert row["reconstruction"] == hashlib.sha256(changed.read_bytes()).hexdigest()[:16]
    assert row["ssim"] and not row["psnr"]  # psnr was of the other picture
    monkeypatch.undo()
    ready.score(*METRICS, "--no_report")
    assert all(row["psnr"] for row in scores(ready)) and summary(ready)["modes"]["full"]["metrics"]["psnr"]["n"] == 4
