"""script-t2i.py run again: other settings, captions, references and damaged manifests are not mixed in."""

from __future__ import annotations

import json

import pytest
from bench import write_captions
from decoding_runs import texts
from PIL import Image


@pytest.mark.parametrize(
    "flags, difference",
    [
        (["--steps", 20], "steps was 40 and is 20 now"),
        (["--seed", 1], "seed was 42 and is 1 now"),
        (["--strength", "0.7"], "strength was 0.5 and is 0.7 now"),
        (["--dtype", "fp16"], "dtype was fp32 and is fp16 now"),
        (["--model_name", "sdxl", "--result_name", "real"], "model was real and is sdxl now"),
        (["--input_path", "Text/other.csv", "--result_name", "real"], "captions was gpt4v.csv and is other.csv now"),
    ],
)
def test_other_settings_are_refused(ready, small_truth, flags, difference):
    write_captions(ready.folder / "Text" / "other.csv", texts(small_truth))
    ready.decode("--mode", "full")
    before = ready.files("Result/**/*")
    for subset in ([], ["--subset", 1]):
        done = ready.decode("--mode", "full", *flags, *subset, code=2)
        assert difference in done.stderr and "--result_name" in done.stderr
    if "--strength" not in flags:  # each mode has a strength of its own
        assert difference in ready.decode("--mode", "text", *flags, code=2).stderr
    # made anew in part, the folder would hold both
    assert difference in ready.decode("--mode", "full", *flags, "--overwrite", "--subset", 1, code=2).stderr
    assert ready.files("Result/**/*") == before
    ready.decode("--mode", "full", *flags, "--overwrite")
    settings = json.loads((ready.folder / "Result/real/manifest.json").read_text())["modes"]["full"]["settings"]
    assert difference.split()[-2] in str(settings[difference.split()[0]])


def test_other_captions_of_the_same_file_name_are_refused(ready, small_truth):
    ready.decode("--mode", "all")
    captions = texts(small_truth)
    captions[next(iter(captions))] = "somebody wrote something else"
    write_captions(ready.folder / "Text" / "gpt4v.csv", captions)
    done = ready.decode("--mode", "full", code=2)
    assert "1 have another caption now (first: NSI_pgc_000)" in done.stderr
    assert "0 images made" in ready.decode("--mode", "image").stderr  # which has no captions


def test_captions_may_grow(ready, small_truth):
    captions = texts(small_truth)
    last = list(captions)[-1]
    write_captions(ready.folder / "Text" / "gpt4v.csv", {name: text for name, text in captions.items() if name != last})
    ready.decode("--mode", "text")
    write_captions(ready.folder / "Text" / "gpt4v.csv", captions)
    assert "1 images made" in ready.decode("--mode", "text").stderr


def test_another_reference_is_refused(ready):
    ready.decode("--mode", "image")
    path = sorted((ready.folder / "Ref/image").iterdir())[0]
    with Image.open(path) as image:
        Image.new("RGB", image.size, "white").save(path)
    assert "1 have another reference now" in ready.decode("--mode", "image", code=2).stderr
    ready.decode("--mode", "image", "--overwrite")


def test_pictures_without_a_manifest_are_not_touched(ready):
    folder = ready.folder / "Result/real/text"
    folder.mkdir(parents=True)
    Image.new("RGB", (5, 5)).save(folder / "NSI_pgc_000.png")
    before = ready.files("Result/**/*")
    assert "no manifest says what made them" in ready.decode("--mode", "text", code=2).stderr
    assert ready.files("Result/**/*") == before


@pytest.mark.parametrize("content", ["{", "[]", '{"modes": 3}', '{"modes": {"text": {"settings": 1}}}'])
def test_a_damaged_manifest_is_said(ready, content):
    ready.decode("--mode", "text")
    (ready.folder / "Result/real/manifest.json").write_text(content)
    assert "manifest.json" in ready.decode("--mode", "text", code=2).stderr


@pytest.mark.parametrize("seen", ["x", [1], 5, None])
def test_inputs_that_are_none_are_other_inputs(ready, seen):
    ready.decode("--mode", "image")
    file = ready.folder / "Result" / "real" / "manifest.json"
    record = json.loads(file.read_text())
    record["modes"]["image"]["inputs"][min(record["modes"]["image"]["inputs"])] = seen
    file.write_text(json.dumps(record))
    assert "1 have another reference now" in ready.decode("--mode", "image", code=2).stderr


def test_overwrite_with_a_model_that_does_not_load_loses_nothing(ready):
    ready.decode("--mode", "text")
    before = ready.files("Result/**/*")
    done = ready.decode("--mode", "text", "--overwrite", "--model_dir", "broken", code=2)
    assert "the checkpoint 'broken' is broken" in done.stderr and ready.files("Result/**/*") == before
