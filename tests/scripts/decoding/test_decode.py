"""script-t2i.py: pairing, sizes, resuming, failures of single images, and flags that are wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest
from bench import write_captions, write_truth
from decoding_runs import MODES, pictures, texts, untimed
from PIL import Image


def test_all_modes_in_one_load(ready, small_truth):
    done = ready.decode("--mode", "all")
    assert done.stderr.count("loaded for") == 1 and "loaded for full,image,pixel,text" in done.stderr
    assert set(pictures(ready)) == {
        f"Result/real/{mode}/{path.name}" for mode in MODES for path in small_truth.iterdir()
    }
    for name in pictures(ready):
        with Image.open(ready.folder / name) as made, Image.open(small_truth / name.split("/")[-1]) as truth:
            assert (made.mode, made.size, made.format) == ("RGB", truth.size, "PNG")
    # every mode is another picture: prompt, reference or strength differ
    one = sorted(small_truth.iterdir())[0].name
    assert len({pictures(ready)[f"Result/real/{mode}/{one}"] for mode in MODES}) == 4


def test_order_batch_and_subset_change_no_picture(ready):
    ready.decode("--mode", "all")
    ready.decode("--mode", "all", "--batch_size", 3, "--result_name", "batched")
    ready.decode("--mode", "text", "--images", "SCI*", "--result_name", "parts")
    ready.decode("--mode", "text", "--subset", 2, "--result_name", "parts")
    ready.decode("--mode", "text", "--result_name", "parts")
    whole = {name.removeprefix("Result/real/"): data for name, data in pictures(ready).items()}
    assert {
        name.removeprefix("Result/batched/"): data for name, data in pictures(ready, "Result/batched/*/*.png").items()
    } == whole
    for name, data in pictures(ready, "Result/parts/text/*.png").items():
        assert data == whole[name.removeprefix("Result/parts/")]


def test_pairs_are_made_by_name_not_by_order(ready, small_truth):
    """Captions in reverse, and a reference of another name that would shift a pairing by order."""
    ready.decode("--mode", "full")
    before = pictures(ready)
    write_captions(ready.folder / "Text" / "gpt4v.csv", dict(reversed(texts(small_truth).items())))
    Image.new("RGB", (8, 8)).save(ready.folder / "Ref" / "image" / "AAA_first_000.png")
    ready.decode("--mode", "full", "--result_name", "again")
    assert {
        name.replace("again", "real"): data for name, data in pictures(ready, "Result/again/*/*.png").items()
    } == before


def test_seed_steps_and_strength_reach_the_model(ready):
    ready.decode("--mode", "image")
    for place, flags in enumerate((["--seed", 1], ["--steps", 20], ["--strength", "0.6"])):
        ready.decode("--mode", "image", "--result_name", f"other{place}", *flags)
        other = pictures(ready, f"Result/other{place}/*/*.png")
        assert not set(other.values()) & set(pictures(ready).values())
    ready.decode("--mode", "image", "--strength", "0.5", "--result_name", "own")  # the mode's own, as is said
    assert set(pictures(ready, "Result/own/*/*.png").values()) == set(pictures(ready).values())


def test_text_mode_needs_no_reference(ready, small_truth):
    shutil.rmtree(ready.folder / "Ref")
    ready.decode("--mode", "text")
    with_truth = pictures(ready)
    assert len(with_truth) == 4
    shutil.rmtree(small_truth)
    done = ready.decode("--mode", "text", "--result_name", "blind")
    assert "it is made 1024x1024" in done.stderr and done.stderr.count("1024x1024") == 1
    for name in pictures(ready, "Result/blind/*/*.png"):
        with Image.open(ready.folder / name) as image:
            assert image.size == (1024, 1024)


def test_image_mode_needs_no_captions(ready):
    shutil.rmtree(ready.folder / "Text")
    ready.decode("--mode", "image")
    assert len(pictures(ready)) == 4
    assert "there is no caption file" in ready.decode("--mode", "full", code=2).stderr


def test_the_ground_truth_is_read_for_sizes_only(ready, small_truth):
    """A ground truth of other pixels (same size) changes nothing; its pixels are no input."""
    ready.decode("--mode", "all")
    before = pictures(ready)
    for path in small_truth.iterdir():
        with Image.open(path) as image:
            Image.new("RGB", image.size, "green").save(path)
    ready.decode("--mode", "all", "--result_name", "green")
    assert list(pictures(ready, "Result/green/*/*.png").values()) == list(before.values())


def test_result_names(ready, small_truth):
    write_captions(ready.folder / "Text" / "qwen.csv", texts(small_truth))
    ready.decode("--mode", "text", "--input_path", "./Text/qwen.csv", "--model_name", "sdxl")
    ready.decode("--mode", "text", "--input_path", "", "--model_name", "", "--model_dir", "")
    assert {path.name for path in (ready.folder / "Result").iterdir()} == {"sdxl+qwen", "real"}


def test_rerun_makes_only_what_is_missing(ready, small_truth):
    ready.decode("--mode", "all")
    before = ready.files("Result/**/*")
    done = ready.decode("--mode", "all")
    assert "loaded" not in done.stderr and "0 images made" in done.stderr and ready.files("Result/**/*") == before
    victims = sorted((ready.folder / "Result/real/pixel").iterdir())
    victims[0].unlink()
    victims[1].write_bytes(victims[1].read_bytes()[:-5])  # a damaged picture is no picture
    done = ready.decode("--mode", "all")
    assert "loaded for pixel" in done.stderr and "2 images made" in done.stderr
    assert untimed(ready.files("Result/**/*")) == untimed(before)


def test_killed_at_any_moment_and_resumed(faked):
    truth = write_truth(faked.folder / "GT", 10)
    write_captions(faked.folder / "Text" / "gpt4v.csv", texts(truth))
    faked.decode("--mode", "text", "--result_name", "whole")
    folder = faked.folder / "Result" / "me" / "text"
    for _ in range(4):
        before = len(list(folder.glob("*.png"))) if folder.exists() else 0
        process = faked.start("script-t2i.py", "--mode", "text", "--result_name", "me", FAKE_HOLD="2")
        faked.until(lambda before=before: len(list(folder.glob("*.png"))) > before, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    faked.decode("--mode", "text", "--result_name", "me")
    whole, me = (
        {name.split("/", 2)[2]: data for name, data in faked.files(f"Result/{name}/**/*").items()}
        for name in ("whole", "me")
    )
    assert untimed(whole) == untimed(me)
    assert not [path for path in folder.iterdir() if path.name.startswith(".tmp-")]


def test_failures_are_listed_and_the_others_go_on(ready, small_truth):
    one = sorted(small_truth.iterdir())[0].stem
    done = ready.decode("--mode", "all", "--batch_size", 4, code=1, FAKE_FAIL=one)
    assert f"{one}: no memory left (mode full)" in done.stderr and "4 failed" in done.stderr
    assert len(pictures(ready)) == 12
    ready.decode("--mode", "all")
    assert len(pictures(ready)) == 16


def test_images_in_one_folder_only(ready, small_truth):
    paths = sorted(small_truth.iterdir())
    (ready.folder / "Ref/image" / paths[0].name).unlink()
    (ready.folder / "Ref/image" / paths[1].name).write_bytes(b"no picture")
    done = ready.decode("--mode", "full", code=1)
    assert f"{paths[0].stem}: has no reference in Ref/image (mode full)" in done.stderr
    assert f"{paths[1].name}: is no picture that Pillow can read (mode full)" in done.stderr
    assert len(pictures(ready)) == 2


def test_bad_rows_of_captions(ready, small_truth):
    paths = [path.name for path in sorted(small_truth.iterdir())]
    file = ready.folder / "Text" / "gpt4v.csv"
    rows = (
        f"\ufeff,name,text\n0,{paths[0]},good\n1,{paths[1]},\n2,{paths[2]},one\n3,{paths[2]},two\n"
        "4,../../evil.png,bad\n5,/tmp/evil.png,bad\n"
    )
    file.write_text(rows, encoding="utf-8")
    before = set(ready.files())
    done = ready.decode("--mode", "text", code=1)
    assert f"line 3: {paths[1]} has no caption" in done.stderr
    assert f"{paths[2]} is in the file twice, with different captions" in done.stderr
    assert "'../../evil.png' is not a plain file name" in done.stderr and "'/tmp/evil.png' is not" in done.stderr
    assert set(ready.files()) - before == {
        f"Result/real/{name}" for name in (f"text/{paths[0]}", "manifest.json", "rates.csv")
    }


def test_captions_of_images_that_are_not_in_the_ground_truth(ready, small_truth):
    """With a ground truth, the run is about its images; the published captions name 1,000."""
    more = {**texts(small_truth), "NSI_pgc_555.png": "a caption of an image that is not here"}
    write_captions(ready.folder / "Text" / "gpt4v.csv", more)
    done = ready.decode("--mode", "text")
    assert (
        "1 caption(s) are for images that are not in the ground truth and are left out (first: NSI_pgc_555)"
        in done.stderr
    )
    assert len(pictures(ready)) == 4
    Image.new("RGB", (20, 20)).save(small_truth / "SCI_game_777.png")
    done = ready.decode("--mode", "text")
    assert "1 image(s) of the ground truth have no caption and are left out (first: SCI_game_777)" in done.stderr


def test_modes_that_a_model_lacks(ready):
    for mode in ("text", "pixel"):
        done = ready.decode("--mode", mode, code=2, FAKE_MODES="full,image")
        assert f"real has no mode {mode}. It has: full, image" in done.stderr and "loaded" not in done.stderr
    ready.decode("--mode", "all", FAKE_MODES="full,image", FAKE_NO_STRENGTH="1")
    modes = json.loads((ready.folder / "Result/real/manifest.json").read_text())["modes"]
    assert list(modes) == ["full", "image"] and modes["full"]["settings"]["strength"] is None
    refused = ready.decode("--mode", "all", "--strength", "0.5", code=2, FAKE_MODES="full,image", FAKE_NO_STRENGTH="1")
    assert "--strength 0.5 has no effect: this model takes none" in refused.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--mode", "everything"], "invalid choice"),
        (["--strength", "1.5"], "must be above 0 and up to 1"),
        (["--strength", "nan"], "must be above 0 and up to 1"),
        (["--strength", "0.01"], "leaves no step"),
        (["--strength", "0.5", "--mode", "text"], "has no effect: mode text has no reference"),
        (["--steps", "1"], "leaves no step"),
        (["--steps", "0"], "not a whole number above 0"),
        (["--input_path", "nowhere.csv"], "there is no caption file nowhere.csv"),
        (["--input_path", "GT"], "cannot be read"),
        (["--ref_dir", "nowhere"], "python script-i2t.py --model_name none --references --ref_dir nowhere"),
        (["--images", "*.gif"], "nothing to decode"),
        (["--result_name", "../evil"], "is not a plain name"),
        (["--result_name", "a/b"], "is not a plain name"),
        (["--result_name", "curves"], "is the folder of figures"),
        (["--device", "cuda:7"], "this machine has no such device"),
    ],
)
def test_wrong_flags(ready, flags, message):
    done = ready.decode(*flags, code=2)
    assert message in done.stderr and not pictures(ready, "Result/**/*.png")


def test_unknown_model_and_folders_that_are_no_checkpoints(bench, small_truth):
    write_captions(bench.folder / "Text" / "gpt4v.csv", texts(small_truth))
    assert "unknown t2i model 'nobody'" in bench.decode("--mode", "text", "--model_name", "nobody", code=2).stderr
    (bench.folder / "empty").mkdir()
    done = bench.decode("--mode", "text", "--model_name", "nobody", "--model_dir", "empty", code=2)
    assert "model_index.json" in done.stderr
    assert not (bench.folder / "Result").exists()


def test_two_runs_on_the_same_mode(faked):
    truth = write_truth(faked.folder / "GT", 10)
    write_captions(faked.folder / "Text" / "gpt4v.csv", texts(truth))
    folder = faked.folder / "Result" / "real" / "text"
    process = faked.start("script-t2i.py", "--mode", "text", FAKE_HOLD="3")
    faked.until(lambda: folder.exists() and list(folder.glob("*.png")), process)
    assert "another run is writing" in faked.decode("--mode", "text", code=1).stderr
    faked.decode("--mode", "text", "--result_name", "other")
    (faked.folder / "go").touch()
    assert process.wait() == 0 and len(list(folder.glob("*.png"))) == 10


def test_a_full_disk(ready):
    """No file may grow over 400 bytes: the error is the system's own."""
    import resource
    import subprocess

    command = ready.command("script-t2i.py", "--mode", "text")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))  # noqa: E731
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}  # which would write too
    done = subprocess.run(command, cwd=ready.folder, capture_output=True, text=True, preexec_fn=limit, env=unmeasured)
    assert done.returncode == 1 and "the disk is full" in done.stderr and "Traceback" not in done.stderr
    assert not pictures(ready, "Result/**/*.png")
    ready.decode("--mode", "text")
    assert len(pictures(ready)) == 4
