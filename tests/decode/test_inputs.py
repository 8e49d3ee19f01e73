"""What step 2 takes for its inputs: names with dots and in other Unicode forms, a ground truth that is none, captions
of paths, links in its output, and the checkpoint's commit.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import fake
import pytest
from bench import write_captions
from PIL import Image

from cmcbench.decode import command
from cmcbench.files import manifest, rates

NAMES = ["scene.v1", "scene.v2", "café", "shot at 9.41\u202fAM"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def ready(faked):
    """GT of four images with odd names, captions that name them without an ending, and references."""
    (faked.folder / "GT").mkdir()
    for place, name in enumerate(NAMES):
        for folder in ("GT", "Ref/image", "Ref/pixel"):
            (faked.folder / folder).mkdir(parents=True, exist_ok=True)
            spelled = unicodedata.normalize("NFD" if folder == "GT" else "NFC", name)
            Image.new("RGB", (40 + place, 30), (place, 9, 9)).save(faked.folder / folder / f"{spelled}.png")
    write_captions(faked.folder / "Text" / "gpt4v.csv", {name: f"caption of {name}" for name in NAMES})
    return faked


def test_names_with_dots_and_in_another_unicode_form_get_their_own_captions(ready):
    ready.decode("--mode", "all")
    found = rates.read(ready.folder / "Result/real/rates.csv")
    assert set(found) == {(name, mode) for name in NAMES for mode in ("full", "image", "pixel", "text")}
    for name in NAMES:
        assert found[name, "text"].caption_bits == 8 * len(f"caption of {name}".encode())
        with Image.open(ready.folder / "Result/real/full" / f"{name}.png") as image:
            assert image.width == 40 + NAMES.index(name)
    assert "0 images made" in ready.decode("--mode", "all").stderr


def test_rows_of_other_images_do_not_count_for_a_name_with_dots(ready):
    """scene.v1 and scene.v2 were both scene once, and the first one's bits were both's."""
    file = ready.folder / "Text/gpt4v.csv"
    write_captions(file, {"scene.v2.png": "two", "scene": "of another image"})
    done = ready.decode("--mode", "text")
    assert "3 image(s) of the ground truth have no caption" in done.stderr
    assert [path.name for path in (ready.folder / "Result/real/text").iterdir()] == ["scene.v2.png"]


@pytest.mark.parametrize(
    "folder, words",
    [
        ("GTT", "GTT does not exist. Name the folder of the images, or decode without one: --ground_truth none"),
        ("empty", "empty holds no images"),
        ("far", "far holds no images, and its sub-folder a/b does"),
        ("outer", "outer holds no images, and its sub-folder inner does. .* --ground_truth outer/inner"),
        ("Text/gpt4v.csv", "is a file, not a folder"),
        ("", None),
        ("none", None),
        ("./GT/", None),
    ],
)
def test_a_named_ground_truth_must_hold_images(ready, folder, words):
    import re

    (ready.folder / "empty").mkdir()
    (ready.folder / "outer/inner").mkdir(parents=True)
    (ready.folder / "far/a/b").mkdir(parents=True)
    for place in ("outer/inner", "far/a/b"):
        Image.new("RGB", (5, 5)).save(ready.folder / place / "x.png")
    done = ready.decode("--mode", "text", "--ground_truth", folder, code=2 if words else 0)
    assert not words or re.search(words, done.stderr), done.stderr
    assert (ready.folder / "Result").exists() == (not words)


def test_a_nested_default_ground_truth_is_refused_and_a_missing_one_is_not(ready):
    (ready.folder / "GT").rename(ready.folder / "inner")
    (ready.folder / "GT").mkdir()
    ready.decode("--mode", "text", "--result_name", "none")
    (ready.folder / "inner").rename(ready.folder / "GT/ground-truth")
    assert "its sub-folder ground-truth does" in ready.decode("--mode", "text", code=2).stderr


@pytest.mark.parametrize("path", ["GT/{}.png", "C:\\data\\{}.png", "/home/me/GT/{}.png"])
def test_captions_that_name_paths_are_said_to(ready, path):
    write_captions(ready.folder / "Text/gpt4v.csv", {path.format(name): "x" for name in NAMES})
    done = ready.decode("--mode", "text", code=2)
    assert "Captions name 0 images" in done.stderr and "4 row(s) of the captions cannot be used" in done.stderr
    assert "is not a plain file name: it is a path" in done.stderr


def test_an_unquoted_comma_cuts_no_caption(ready):
    (ready.folder / "Text/gpt4v.csv").write_text("name,text\nscene.v1,A red barn, two horses\nscene.v2,A red barn\n")
    done = ready.decode("--mode", "text", code=1)
    assert "line 2: scene.v1: has more cells than columns: quote the text" in done.stderr
    assert [path.name for path in (ready.folder / "Result/real/text").iterdir()] == ["scene.v2.png"]


def test_a_folder_that_is_a_link_is_not_written_into(ready):
    (ready.folder / "theirs").mkdir()
    (ready.folder / "Result/real").mkdir(parents=True)
    (ready.folder / "Result/real/text").symlink_to(ready.folder / "theirs")
    assert "Result/real/text is a link" in ready.decode("--mode", "text", code=2).stderr
    assert not list((ready.folder / "theirs").iterdir())
    (ready.folder / "Result").rename(ready.folder / "disk")
    (ready.folder / "Result").symlink_to("disk")
    ready.decode("--mode", "image")


def test_an_unfinished_manifest_of_a_killed_run_is_removed(ready):
    (ready.folder / "Result/real/text").mkdir(parents=True)
    for name in (".tmp-manifest.json-x", ".tmp-rates.csv-x", "text/.tmp-a.png-x"):
        (ready.folder / "Result/real" / name).write_bytes(b"half")
    ready.decode("--mode", "text")
    assert not list((ready.folder / "Result").rglob(".tmp-*"))


def test_the_checkpoint_is_hashed_once_for_all_modes_and_points(ready, monkeypatch):
    seen = []
    original = manifest.checkpoint
    monkeypatch.setattr(command.manifest, "checkpoint", lambda given: seen.append(given) or original(given))
    ready.decode("--mode", "all", "--model_dir", "a/b", "--strength", "0.3", "0.4", "0.5")
    assert seen.count("a/b") == 1


def settings(bench, mode: str = "text") -> dict:
    return json.loads((bench.folder / "Result/real/manifest.json").read_text())["modes"][mode]["settings"]


def test_a_branch_that_has_moved_is_not_mixed_into_a_result(ready, monkeypatch):
    monkeypatch.setattr(fake.Decoder, "revision", COMMIT)
    ready.decode("--mode", "text", "--model_dir", "a/b", "--subset", 2)
    assert settings(ready)["revision"] == COMMIT and settings(ready)["checkpoint"] == "hub:a/b"
    ready.decode("--mode", "text", "--model_dir", "a/b", "--subset", 3)
    monkeypatch.setattr(fake.Decoder, "revision", "f" * 40)
    done = ready.decode("--mode", "text", "--model_dir", "a/b", code=2)
    assert f"revision was {COMMIT} and is {'f' * 40} now" in done.stderr
    assert len(list((ready.folder / "Result/real/text").iterdir())) == 3
    ready.decode("--mode", "text", "--model_dir", "a/b", "--overwrite")
    assert settings(ready)["revision"] == "f" * 40


@pytest.mark.parametrize(
    "given, identity",
    [
        ("a/b", "hub:a/b"),
        ("a/../../b", "hub:a/../../b"),
        ("gpt-4o", "name:gpt-4o"),
        ("", None),
    ],
)
def test_names_that_are_no_folders_identify_a_checkpoint(given, identity):
    assert manifest.checkpoint(given) == identity


def test_a_tilde_is_a_home_folder(ready, monkeypatch):
    home = ready.folder / "home"
    (home / "ckpt").mkdir(parents=True)
    (home / "ckpt/config.json").write_text("{}")
    ready.decode("--mode", "text", "--model_dir", "~/ckpt", HOME=str(home))
    assert settings(ready)["checkpoint"] == manifest.checkpoint(str(home / "ckpt"))
    for missing in ("~/none", "~nobody-here/ckpt"):
        done = ready.decode("--mode", "text", "--model_dir", missing, "--result_name", "x", code=2, HOME=str(home))
        assert f"{missing} does not exist. Expected a folder" in done.stderr


def test_a_run_begins_with_one_line_and_takes_captions_by_their_short_name(faked, small_truth):
    write_captions(faked.folder / "Text" / "mycap.csv", {path.name: "a word" for path in small_truth.iterdir()})
    done = faked.decode("--mode", "text", "--input_path", "mycap")
    assert f"From 4 captions of {Path('Text/mycap.csv')}, no references; mode text; to " in done.stderr
    assert (faked.folder / "Result/real+mycap/text").is_dir()
    done = faked.decode("--mode", "text", "--input_path", "mycup", code=2)
    assert "there is no caption file mycup. Did you mean mycap?" in done.stderr
