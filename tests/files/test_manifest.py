"""What identifies a checkpoint and a run."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest

from cmcbench.errors import BadInput
from cmcbench.files import manifest

MIB = 1 << 20
LARGE = 2 * MIB + 1000  # bytes, so that the middle is not read


def folder(place: Path) -> Path:
    """A checkpoint of small files, a nested one and one over 2 MiB."""
    (place / "unet").mkdir(parents=True)
    (place / "config.json").write_text('{"model_type": "llava"}')
    (place / "empty.txt").write_bytes(b"")
    (place / "unet" / "model.safetensors").write_bytes(bytes(range(256)) * (LARGE // 256) + bytes(LARGE % 256))
    return place


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.fixture
def model(tmp_path):
    return folder(tmp_path / "model")


@pytest.mark.parametrize("given", [None, ""])
def test_a_model_that_needs_no_checkpoint(given):
    assert manifest.checkpoint(given) is None


@pytest.mark.parametrize(
    "name, kind",
    [
        ("Qwen/Qwen-VL-Chat", "hub"),
        ("SG161222/RealVisXL_V4.0", "hub"),
        ("../no/such", "hub"),
        ("gpt-4o-2024-05-13", "name"),
        ("animevideov3", "name"),
    ],
)
def test_what_is_no_folder(name, kind):
    assert manifest.checkpoint(name) == f"{kind}:{name}"


def test_a_folder_wins_over_a_hub_name(tmp_path, monkeypatch):
    folder(tmp_path / "Qwen" / "Qwen-VL-Chat")
    monkeypatch.chdir(tmp_path)
    assert manifest.checkpoint("Qwen/Qwen-VL-Chat").startswith("folder:")


def test_a_folder_is_the_same_wherever_it_lies(tmp_path, model, monkeypatch):
    first = manifest.checkpoint(str(model))
    assert first.startswith("folder:") and len(first) == len("folder:") + 16
    shutil.copytree(model, tmp_path / "elsewhere" / "copy")
    os.utime(tmp_path / "elsewhere" / "copy" / "config.json", (0, 0))
    (tmp_path / "link").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    for way in (tmp_path / "elsewhere" / "copy", "model", "./model/", "elsewhere/../model", tmp_path / "link"):
        assert manifest.checkpoint(str(way)) == first


def test_a_hub_cache_is_the_same_as_the_files_that_it_links_to(tmp_path, model):
    snapshot = tmp_path / "models--x" / "snapshots" / "abc"
    for path in [path for path in model.rglob("*") if path.is_file()]:
        link = snapshot / path.relative_to(model)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    assert manifest.checkpoint(str(snapshot)) == manifest.checkpoint(str(model))


def test_a_hidden_folder_above_does_not_matter(tmp_path, model):
    shutil.copytree(model, tmp_path / ".cache" / "model")
    assert manifest.checkpoint(str(tmp_path / ".cache" / "model")) == manifest.checkpoint(str(model))


CHANGES = {
    "one byte of a small file": lambda model: flip(model / "config.json", 5),
    "the first byte of a large file": lambda model: flip(model / "unet" / "model.safetensors", 0),
    "the last byte of the first MiB": lambda model: flip(model / "unet" / "model.safetensors", MIB - 1),
    "the first byte of the last MiB": lambda model: flip(model / "unet" / "model.safetensors", LARGE - MIB),
    "the last byte of a large file": lambda model: flip(model / "unet" / "model.safetensors", LARGE - 1),
    "a longer file": lambda model: (model / "unet" / "model.safetensors").write_bytes(bytes(LARGE + 1)),
    "a file more": lambda model: (model / "adapter.json").write_text("{}"),
    "an empty file more": lambda model: (model / "more.txt").write_bytes(b""),
    "a file less": lambda model: (model / "empty.txt").unlink(),
    "another name": lambda model: (model / "empty.txt").rename(model / "void.txt"),
    "another folder": lambda model: (model / "unet").rename(model / "vae"),
    "contents exchanged": lambda model: [
        (model / "empty.txt").write_bytes((model / "config.json").read_bytes()),
        (model / "config.json").write_bytes(b""),
    ],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_makes_another_checkpoint(model, change):
    before = manifest.checkpoint(str(model))
    change(model)
    assert manifest.checkpoint(str(model)) != before


def test_the_middle_of_a_large_file_is_not_read_so_that_it_is_quick(model):
    before = manifest.checkpoint(str(model))
    flip(model / "unet" / "model.safetensors", MIB + 500)
    assert manifest.checkpoint(str(model)) == before


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 2 * MIB])
def test_up_to_two_mib_every_byte_counts(tmp_path, size):
    (tmp_path / "m").mkdir()
    path = tmp_path / "m" / "weights.bin"
    path.write_bytes(bytes(size))
    found = {manifest.checkpoint(str(tmp_path / "m"))}
    for position in (0, size // 2, MIB - 2, size - 1):
        path.write_bytes(bytes(size))
        flip(path, position)
        found.add(manifest.checkpoint(str(tmp_path / "m")))
    assert len(found) == 1 + len({0, size // 2, MIB - 2, size - 1})


@pytest.mark.parametrize(
    "name", [".gitattributes", ".git/HEAD", ".cache/huggingface/x.lock", "unet/.ipynb_checkpoints/x"]
)
def test_hidden_files_do_not_matter(model, name):
    before = manifest.checkpoint(str(model))
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_text("x")
    assert manifest.checkpoint(str(model)) == before


def test_an_empty_folder_does_not_matter(model):
    before = manifest.checkpoint(str(model))
    (model / "more").mkdir()
    assert manifest.checkpoint(str(model)) == before


def test_one_file_is_a_checkpoint_too(tmp_path, model):
    whole = model / "unet" / "model.safetensors"
    first = manifest.checkpoint(str(whole))
    shutil.copy(whole, tmp_path / "model.safetensors")
    assert manifest.checkpoint(str(tmp_path / "model.safetensors")) == first
    flip(tmp_path / "model.safetensors", LARGE - 1)
    assert manifest.checkpoint(str(tmp_path / "model.safetensors")) != first


def test_names_that_are_no_utf8(model):
    before = manifest.checkpoint(str(model))
    with open(os.path.join(os.fsencode(model), b"caf\xe9.txt"), "wb"):
        pass
    assert manifest.checkpoint(str(model)) != before


def test_environment_names_what_computed():
    versions = manifest.environment()
    assert versions["python"] == platform.python_version() and {"cmcbench", "torch", "pillow"} <= set(versions)
    assert all(isinstance(version, str) and version for version in versions.values())


def test_without_git_or_a_package_there_is_still_an_environment(monkeypatch):
    fresh = getattr(manifest.environment, "__wrapped__", manifest.environment)
    monkeypatch.setattr(manifest, "PACKAGES", ("pillow", "no-such-package"))

    def absent(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(manifest.subprocess, "run", absent)
    assert set(fresh()) == {"cmcbench", "python", "pillow"}


@pytest.mark.parametrize(
    "old, new, phrase",
    [
        ({}, {}, ""),
        ({"steps": 40}, {"steps": 40}, ""),
        ({"steps": 40}, {"steps": 20}, "steps was 40 and is 20 now"),
        ({"steps": 40, "seed": 1}, {"steps": 20, "seed": 2}, "steps was 40 and is 20 now, seed was 1 and is 2 now"),
        ({"dtype": None}, {"dtype": "fp16"}, ""),
        ({"dtype": "fp16"}, {"dtype": None}, ""),
        ({}, {"steps": 40}, ""),  # an old manifest does not tell of a new setting
        ({"gone": 1}, {"steps": 40}, ""),
        ({"strength": 0}, {"strength": 0.5}, "strength was 0 and is 0.5 now"),  # 0 and False are values
        ({"trusted": False}, {"trusted": True}, "trusted was False and is True now"),
        ({"prompt": ""}, {"prompt": "x"}, "prompt was none and is x now"),
    ],
)
def test_differences(old, new, phrase):
    assert manifest.differences(old, new) == phrase


WHOLE = {"settings": {"steps": 40}, "inputs": {"a": {}}}


@pytest.mark.parametrize(
    "record, found", [({}, {}), ({"modes": {}}, {}), ({"modes": {"full": WHOLE}}, {"full": WHOLE})]
)
def test_modes_of_a_manifest(record, found):
    assert manifest.modes(record, Path("manifest.json")) == found


@pytest.mark.parametrize(
    "modes",
    [
        None,
        [],
        "full",
        3,
        {"full": None},
        {"full": []},
        {"full": {}},
        {"full": {"settings": {}}},
        {"full": {**WHOLE, "inputs": []}},
    ],
    ids=repr,
)
def test_modes_of_what_is_no_manifest(modes):
    with pytest.raises(BadInput, match="manifest.json is not a manifest of this program. Move it away"):
        manifest.modes({"modes": modes}, Path("manifest.json"))
