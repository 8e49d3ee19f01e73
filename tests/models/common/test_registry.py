"""The street of model rooms: names, adapters, and doors that open at once and load nothing."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest
from bench import ROOT
from fresh_interpreter import watched

import models
from models.base import I2TModel, ModelError, T2IModel

KINDS = ("i2t", "t2i")
ADAPTER = """
from models.base import I2TModel

class Model(I2TModel):
    default_dir = {name!r}
    def load(self, *_, **__): ...
    def caption(self, *_): ...
"""


def script(name: str, folder: Path, *arguments: str) -> dict:
    path = str(ROOT / name)
    return watched(f"sys.argv = {[path, *arguments]!r}; runpy.run_path({path!r}, run_name='__main__')", folder)


@pytest.fixture
def street(tmp_path, monkeypatch):
    """A street of our own with three encoders, a family and what else lies in folders."""
    rooms = tmp_path / "i2t"
    rooms.mkdir()
    for name in ("alpha", "my_model_v1_5", "b2", "_transformers", "_helper"):
        (rooms / f"{name}.py").write_text(ADAPTER.format(name=name))
    for name in ("__init__.py", "notes.txt", "alpha.pyc", "Upper.py", "9lives.py"):
        (rooms / name).write_text("")
    (rooms / "folder").mkdir()
    (tmp_path / "base.py").write_text(ADAPTER.format(name="base, above the street"))
    monkeypatch.setattr(models, "__file__", str(tmp_path / "__init__.py"))
    # The real rooms, and what other tests have imported of them, stay as they are
    for name in [name for name in sys.modules if name.startswith("models.i2t.")]:
        monkeypatch.delitem(sys.modules, name)
    package = types.ModuleType("models.i2t")
    package.__path__ = [str(rooms)]
    monkeypatch.setitem(sys.modules, "models.i2t", package)
    yield rooms
    for name in [name for name in sys.modules if name.startswith("models.i2t.")]:
        del sys.modules[name]


def test_names_are_the_adapters_files(street):
    assert models.names("i2t") == ["alpha", "b2", "my-model-v1-5"]
    assert models.names("t2i") == []


@pytest.mark.parametrize(
    "name, file",
    [
        ("alpha", "alpha"),
        ("ALPHA", "alpha"),
        ("Alpha", "alpha"),
        ("my-model-v1-5", "my_model_v1_5"),
        ("my_model_v1_5", "my_model_v1_5"),
        ("My-Model-v1.5", "my_model_v1_5"),
        ("B2", "b2"),
    ],
)
@pytest.mark.parametrize("model_dir", [None, "/some/checkpoint"])
def test_case_dashes_and_dots_do_not_matter(street, name, file, model_dir):
    assert models.create("i2t", name, model_dir).default_dir == file


REFUSED = [
    "",
    " ",
    "gamma",
    "alpha ",
    "alpha\n",
    "alpha/",
    "../base",
    "..base",
    ".base",
    "base",
    "/etc/passwd",
    "i2t/alpha",
    "a/b",
    "a\\b",
    "_transformers",
    "_helper",
    "__init__",
    "-helper",
    ".helper",
    "Upper",
    "9lives",
    "folder",
    "notes.txt",
    "alpha.pyc",
    "os",
    "models.base",
    "al*",
    "[a]lpha",
    "?2",
    "a\0b",
    "\x1b[2J",
    "ALPHA\u0130",
    "x" * 5000,
]


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: ascii(name[:20]))
def test_an_unknown_name_is_refused_with_the_known_ones(street, name):
    with pytest.raises(ModelError) as refusal:
        models.create("i2t", name)
    assert "unknown i2t model " in str(refusal.value) and "Known: alpha, b2, my-model-v1-5. " in str(refusal.value)
    assert "--model_dir" in str(refusal.value)


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: ascii(name[:20]))
def test_an_unknown_name_with_a_checkpoint_goes_to_the_family_and_nowhere_else(street, name):
    assert models.create("i2t", name, "/some/checkpoint").default_dir == "_transformers"


def test_only_the_file_that_is_asked_for_is_imported(street):
    (street / "alpha.py").write_text("raise RuntimeError('alpha is broken')")
    assert models.create("i2t", "b2").default_dir == "b2"
    with pytest.raises(RuntimeError, match="alpha is broken"):
        models.create("i2t", "alpha")


def test_each_call_makes_a_new_model(street):
    assert models.create("i2t", "b2") is not models.create("i2t", "b2")


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_an_adapter_that_keeps_the_contract(kind):
    known = models.names(kind)
    assert known == sorted(known) and {"i2t": "qwen", "t2i": "reference"}[kind] in known
    for name in known:
        model = models.create(kind, name)
        assert isinstance(model, {"i2t": I2TModel, "t2i": T2IModel}[kind]), name
        assert model.default_dir is None or isinstance(model.default_dir, str)
        assert type(models.create(kind, name.upper())) is type(model)


def test_creating_every_adapter_loads_no_heavy_package(tmp_path):
    body = "from models import create, names; [create(kind, name) for kind in ('i2t', 't2i') for name in names(kind)]"
    assert watched(body, tmp_path)["heavy"] == []


FLAGS = {  # the published flags, and what the house added to them
    "script-i2t.py": "--ground_truth --output_path --model_name --model_dir --explen --references --bpp --subset",
    "script-t2i.py": "--model_name --model_dir --mode --ref_dir --strength --input_path --output_path --subset",
    "script-evaluate.py": "--model_weight --target --target_path --gt_path",
}


@pytest.mark.parametrize("name, flags", FLAGS.items(), ids=FLAGS)
def test_help_answers_at_once_and_loads_nothing(tmp_path, name, flags):
    seen = script(name, tmp_path, "--help")
    assert seen["code"] == 0 and seen["said"] == "" and seen["heavy"] == []
    assert set(flags.split()) <= set(seen["shown"].replace(",", " ").replace("[", " ").split())
    assert seen["seconds"] < 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("script-i2t.py", ["--bpp", "0"]),
        ("script-i2t.py", ["--bpp", "nan"]),
        ("script-i2t.py", ["--bpp", "-0.02"]),
        ("script-i2t.py", ["--bpp", "25"]),
        ("script-i2t.py", ["--bpp", "inf"]),
        ("script-i2t.py", ["--explen", "0"]),
        ("script-i2t.py", ["--explen", "ten"]),
        ("script-i2t.py", ["--no_such_flag"]),
        ("script-i2t.py", ["--model", "qwen"]),
        ("script-i2t.py", ["--model_name", "none"]),
        ("script-i2t.py", ["--ground_truth", "missing"]),
        ("script-i2t.py", ["--ground_truth", __file__]),
        ("script-i2t.py", ["--ground_truth", str(ROOT / "samples" / "GT"), "--images", "nothing*"]),
        ("script-i2t.py", ["--ground_truth", str(ROOT / "samples" / "GT"), "--model_name", "../base"]),
        ("script-t2i.py", ["--mode", "no_such_mode"]),
        ("script-t2i.py", ["--subset", "0"]),
        ("script-evaluate.py", ["--no_such_flag"]),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else value,
)
def test_a_wrong_flag_answers_at_once_and_leaves_nothing(tmp_path, name, arguments):
    seen = script(name, tmp_path, *arguments)
    assert seen["code"] == 2 and "error: " in seen["said"] and "Traceback" not in seen["said"]
    assert not set(seen["heavy"]) - {"PIL"} and seen["seconds"] < 1
    assert os.listdir(tmp_path) == []
