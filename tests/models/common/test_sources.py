"""What --model_dir and --lora may be, and the files that a checkpoint is judged by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import sources
from models.base import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "text, name, revision, file",
    [
        ("owner/name", "owner/name", None, None),
        ("owner/name@v1.0", "owner/name", "v1.0", None),
        (f"owner/name@{COMMIT}", "owner/name", COMMIT, None),
        ("owner/name@refs/pr/3", "owner/name", "refs/pr/3", None),
        ("owner/name@feature/x", "owner/name", "feature/x", None),
        ("owner/name/file.safetensors", "owner/name", None, "file.safetensors"),
        ("owner/name@v2/sub/a file.safetensors", "owner/name", "v2", "sub/a file.safetensors"),
        ("https://huggingface.co/owner/name", "owner/name", None, None),
        ("https://huggingface.co/owner/name/", "owner/name", None, None),
        ("huggingface.co/owner/name/tree/main", "owner/name", "main", None),
        ("https://hf.co/owner/name/blob/v1/x.safetensors?download=true", "owner/name", "v1", "x.safetensors"),
        (f"https://huggingface.co/owner/name/resolve/{COMMIT}/x.safetensors", "owner/name", COMMIT, "x.safetensors"),
        ("hf://owner/name", "owner/name", None, None),
    ],
)
def test_names_of_the_hub(text, name, revision, file):
    assert sources.parse(text) == sources.Source(name, revision, file, on_hub=True)


@pytest.mark.parametrize("text", ["a/b/c", "./no/such", "broken", "/no/such", "x" * 5000, "a b/c", "../up", "a/b@"])
def test_what_is_no_name_stays_as_it_is(text):
    assert sources.parse(text) == sources.Source(text)


def test_a_folder_of_the_home_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ckpt").mkdir()
    assert sources.canonical("~/ckpt") == str(tmp_path / "ckpt")
    assert sources.parse("~/none").name == str(tmp_path / "none")


def cache(folder: Path, commits, main=None) -> Path:
    repository = folder / "models--owner--name"
    for commit in commits:
        (repository / "snapshots" / commit).mkdir(parents=True)
    if main:
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(main)
    return repository


def test_a_folder_of_the_cache_stands_for_its_snapshot(tmp_path):
    other = "f" * 40
    repository = cache(tmp_path, [other, COMMIT], COMMIT)
    source = sources.parse(str(repository))
    assert source.name.endswith(COMMIT) and source.revision == COMMIT
    assert sources.parse(str(repository / "snapshots" / other)).revision == other


def test_several_snapshots_without_a_main_are_named(tmp_path):
    with pytest.raises(ModelError, match="Name one of them"):
        sources.parse(str(cache(tmp_path, ["a" * 40, "b" * 40])))


def test_an_existing_folder_with_an_at_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("owner/name@v1").mkdir(parents=True)
    assert not sources.parse("owner/name@v1").on_hub


def test_a_revision_is_told_from_the_name():
    assert sources.unpinned("owner/name@v1") == ("owner/name", "v1")
    assert sources.unpinned("gpt@v1") == ("gpt@v1", None) and sources.unpinned(None) == (None, None)


@pytest.mark.parametrize(
    "content, words",
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested too deeply"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ("{", "damaged"),
        (b"\xff\xfe", "damaged"),
        (json.dumps({"a": "x" * (5 << 20)}), "larger"),
    ],
    ids=["brackets", "objects", "list", "null", "cut", "bytes", "large"],
)
def test_a_configuration_that_is_none(tmp_path, content, words):
    file = tmp_path / "model_index.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModelError, match=words):
        sources.read_json(file)
