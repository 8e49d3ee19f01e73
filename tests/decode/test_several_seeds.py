"""Several seeds: a result for each from one load, and one seed as it always was."""

from __future__ import annotations

import json
import signal

import pytest
from bench import ROOT
from decoding_runs import untimed
from torchrun import ended, launch

from models import create

DECODE = ["--mode", "all", "--batch_size", 2]


@pytest.fixture
def ready(published):
    return published


def results(bench) -> set[str]:
    return {path.name for path in (bench.folder / "Result").iterdir()}


def record(bench, result: str) -> dict:
    return json.loads((bench.folder / "Result" / result / "manifest.json").read_text())


def pictures(bench, result: str) -> dict[str, bytes]:
    return {name.split("/", 2)[2]: data for name, data in bench.files(f"Result/{result}/*/*.png").items()}


def test_each_result_is_what_a_run_by_itself_makes(ready):
    done = ready.decode(*DECODE, "--seed", 42, 43, -7)
    assert results(ready) == {"real@seed=42", "real@seed=43", "real@seed=-7"}
    assert done.stderr.count("loaded for") == 1 and "48 images made" in done.stderr
    assert "to Result/real@seed=42 and 2 more." in done.stderr
    for seed in (42, 43, -7):
        ready.decode(*DECODE, "--seed", seed, "--result_name", f"alone{seed}")
        assert pictures(ready, f"real@seed={seed}") == pictures(ready, f"alone{seed}")
        alone, one = record(ready, f"alone{seed}"), record(ready, f"real@seed={seed}")
        assert one == alone and {mode["settings"]["seed"] for mode in one["modes"].values()} == {seed}
    assert pictures(ready, "real@seed=42") != pictures(ready, "real@seed=43")


def test_one_seed_is_what_it_always_was(ready):
    ready.decode("--mode", "text", "--seed", 7)
    assert results(ready) == {"real"}
    settings = record(ready, "real")["modes"]["text"]["settings"]
    assert settings["seed"] == 7
    assert list(settings)[:8] == ["model", "checkpoint", "revision", "base", "captions", "steps", "seed", "dtype"]
    ready.decode("--mode", "text", "--result_name", "default")
    assert record(ready, "default")["modes"]["text"]["settings"]["seed"] == 42


def test_seeds_at_each_point_of_a_sweep(ready):
    done = ready.decode("--mode", "image", "--strength", 0.3, 0.4, "--seed", 1, 2, "--result_name", "X")
    assert results(ready) == {f"X@strength={value}@seed={seed}" for value in ("0.3", "0.4") for seed in (1, 2)}
    assert done.stderr.count("loaded for") == 1
    settings = record(ready, "X@strength=0.4@seed=2")["modes"]["image"]["settings"]
    assert (settings["strength"], settings["seed"]) == (0.4, 2)


def test_modes_that_a_sweep_would_leave_out_are_made_of_every_seed(ready):
    ready.decode("--mode", "text", "--seed", 1, 2)
    assert list(record(ready, "real@seed=2")["modes"]) == ["text"]


def test_seeds_are_resumed_and_more_of_them_made(ready):
    ready.decode(*DECODE, "--seed", 42, 43)
    before = ready.files("Result/**/*")
    done = ready.decode(*DECODE, "--seed", 42, 43)
    assert "loaded" not in done.stderr and ready.files("Result/**/*") == before
    sorted((ready.folder / "Result/real@seed=43/text").glob("*.png"))[0].unlink()
    done = ready.decode(*DECODE, "--seed", 42, 43, 44)
    assert "17 images made" in done.stderr and done.stderr.count("loaded for") == 1
    after = ready.files("Result/*/*/*.png")
    assert {name: data for name, data in after.items() if "=44" not in name} == {
        name: data for name, data in before.items() if name.endswith(".png")
    }
    done = ready.decode("--mode", "text", "--seed", 42, 43, "--overwrite")
    assert "8 images made" in done.stderr and ready.files("Result/*/*/*.png") == after


def test_scored_they_are_one_system_on_the_leaderboard(ready):
    ready.decode("--mode", "all", "--seed", 42, 43)
    ready.decode("--mode", "all", "--steps", 5, "--seed", 44, "--result_name", "real@seed=44")  # another system
    done = ready.score("--target", "real@*", "--metrics", "psnr")
    told = [
        json.loads((ready.folder / "Result" / f"real@seed={seed}" / "summary.json").read_text())
        for seed in (42, 43, 44)
    ]
    assert [each["seed"] for each in told] == [42, 43, 44]
    assert told[0]["system"] == told[1]["system"] != told[2]["system"]
    text = (ready.folder / "Result/leaderboard.md").read_text(encoding="utf-8")
    assert "| real   | 42 43 | psnr ↑ | 4 |" in text and "Traceback" not in done.stderr
    assert (ready.folder / "Result/leaderboard-seeds.csv").is_file()


def test_killed_within_the_second_seed_and_resumed(ready):
    ready.decode(*DECODE, "--seed", 42, 43)
    expected = untimed(ready.files("Result/**/*"))
    for name in expected:
        (ready.folder / name).unlink()
    process = ready.start("script-t2i.py", *DECODE, "--seed", 42, 43, FAKE_SECONDS="0.05")
    ready.until(lambda: list(ready.folder.glob("Result/real@seed=43/*/*.png")), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    there = set(ready.files("Result/**/*.png"))
    assert there < set(expected)
    done = ready.decode(*DECODE, "--seed", 42, 43)
    assert f"{32 - len(there)} images made" in done.stderr
    assert untimed(ready.files("Result/**/*")) == expected


def test_two_processes_make_what_one_does(ready):
    ready.decode("--mode", "text", "--seed", 42, 43, "--result_name", "one")
    command = ROOT / "tests/support/fake.py", "script-t2i.py", "--mode", "text", "--seed", 42, 43
    shown = ended(launch(ready.folder, *command, "--result_name", "two"))
    assert "8 images made" in shown
    for seed in (42, 43):
        assert pictures(ready, f"two@seed={seed}") == pictures(ready, f"one@seed={seed}")
        assert len(pictures(ready, f"two@seed={seed}")) == 4


def test_what_lies_in_a_folder_of_another_seed_is_refused_before_the_load(ready):
    ready.decode("--mode", "text", "--seed", 5, "--result_name", "real@seed=43")  # not what its name says
    before = ready.files("Result/**/*")
    done = ready.decode("--mode", "text", "--seed", 42, 43, code=2)
    assert "seed was 5 and is 43 now" in done.stderr and "loaded" not in done.stderr
    assert ready.files("Result/**/*") == before


@pytest.mark.parametrize(
    "flags, message",
    [
        ([42, 42], "--seed: 42 is given 2 times. Give each seed once."),
        ([42, "042"], "--seed: 42 is given 2 times"),
        (["x"], "invalid int value: 'x'"),
        ([42, "1.5"], "invalid int value: '1.5'"),
        (["9" * 5000], "invalid int value"),
        ([], "expected at least one argument"),
        ([1, "9" * 300], "it has more than 200 bytes"),
    ],
)
def test_wrong_seeds(ready, flags, message):
    done = ready.decode("--mode", "text", "--seed", *flags, code=2)
    assert message in done.stderr and "loaded" not in done.stderr and not (ready.folder / "Result").exists()


def test_several_seeds_of_a_decoder_that_draws_nothing_are_refused(ready):
    done = ready.decode("--mode", "image", "--seed", 42, 43, code=2, FAKE_NO_SEED="1")
    assert "real draws nothing at random: all results would hold the same pictures" in done.stderr
    assert not (ready.folder / "Result").exists()
    ready.decode("--mode", "image", "--seed", 43, FAKE_NO_SEED="1")  # one is what it always was
    assert [
        name for name in ("reference", "realesrgan", "real", "command") if not create("t2i", name).accepts_seed
    ] == [
        "reference",
        "realesrgan",
    ]
