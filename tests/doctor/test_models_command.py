"""python -m cmcbench models: the list, and what a model needs against what is here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
from bench import ROOT
from fresh_interpreter import watched

import models
from cmcbench.__main__ import COMMANDS, main
from cmcbench.doctor import models as catalogue
from cmcbench.errors import BadInput
from models.base import ModelError

GB = 1e9


@pytest.fixture
def shown(capsys):
    """shown(*arguments) runs `python -m cmcbench` here: its exit code and what it prints."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with an empty hub cache, 16 GB of RAM and no GPU."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * GB))
    monkeypatch.setattr(catalogue, "_gpu_memory", lambda: 0.0)
    return tmp_path


def snapshot(folder, name, files):
    """Put a checkpoint into the hub's cache as huggingface_hub does: blobs, and links to them in a snapshot."""
    repo = folder / "hub" / f"models--{name.replace('/', '--')}"
    for place, (file, content) in enumerate(files.items()):
        link = repo / "snapshots" / "abc" / file
        blob = repo / "blobs" / f"b{place}"
        for path in (link, blob):
            path.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link.symlink_to(blob)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc")


def adapter(folder, **attributes):
    lines = [f"    {name} = {value!r}" for name, value in attributes.items()]
    text = (
        '"""Mine\nown. It captions.\n\nMore."""\nfrom models.base import I2TModel\n\nclass Model(I2TModel):\n'
        + "\n".join(lines)
    )
    (folder / "mine.py").write_text(text + "\n    def load(self, *_, **__): ...\n    def caption(self, *_): ...\n")
    return folder / "mine.py"


def test_the_list_names_every_model(shown):
    code, text = shown("models")
    assert code == 0
    encoders, decoders, codecs = re.split(r"decoders \(|learned codecs \(", text)
    for kind, part in (("i2t", encoders), ("t2i", decoders), ("codec", codecs)):
        rows = {line.split()[0]: line for line in part.splitlines() if line.startswith("  ")}
        assert set(rows) == set(models.names(kind))
        for name, row in rows.items():
            assert (models.create(kind, name).default_dir or "") in row
            assert row.rstrip().endswith("."), f"{name} has no description"
    assert "full,image " in decoders and "full,image,pixel,text" in decoders


def test_the_list_and_the_help_load_nothing(tmp_path):
    for arguments in (["models"], [], ["models", "--help"]):
        seen = watched(
            f"sys.argv = {['__main__.py', *arguments]!r}; runpy.run_module('cmcbench', run_name='__main__')", tmp_path
        )
        assert (seen["code"], seen["said"], seen["heavy"]) == (0, "", []) and seen["seconds"] < 1
        assert "python -m cmcbench" in seen["shown"]


def test_help_names_every_command(shown):
    assert shown() == shown("--help") == shown("-h")
    assert all(name in shown()[1] for name in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["models", "nonsense"], ["models", "none.py"], ["models", "../base"], ["models", "a", "b"]],
)
def test_what_is_unknown_ends_with_2(arguments):
    done = subprocess.run([sys.executable, "-m", "cmcbench", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "error: " in done.stderr and "Traceback" not in done.stderr


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ModelError, match="encoders: blip.*decoders: animate"):
        main(["models", "nonsense"])
    with pytest.raises(BadInput, match="models"):
        main(["nonsense"])


def test_what_needs_nothing_is_there(shown, machine):
    code, text = shown("models", "Reference")
    assert code == 0 and "nothing is missing" in text and "modes: image,pixel" in text


def test_weights_are_missing_then_cut_then_there(shown, machine):
    name = "Salesforce/blip-image-captioning-large"
    code, text = shown("models", "blip")
    assert code == 1 and "missing: weights" in text and f"hf download {name}" in text
    table = json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}).encode()
    snapshot(
        machine, name, {"config.json": b"{}", "model.safetensors.index.json": table, "one.safetensors": b"1" * 1000}
    )
    code, text = shown("models", "blip")
    assert code == 1 and "two.safetensors" in text
    (machine / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / "abc" / "two.safetensors").write_bytes(b"2")
    code, text = shown("models", "blip")
    assert code == 0 and "yes weights" in text and "nothing is missing" in text


@pytest.mark.parametrize(
    "files, there", [({"config.json": b"{}"}, False), ({"unet/diffusion.safetensors": b"1"}, True), ({}, False)]
)
def test_a_folder_is_looked_into(shown, machine, files, there):
    folder = machine / "checkpoint"
    folder.mkdir()
    for file, content in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
    code, text = shown("models", "sdxl", "--model_dir", folder)
    assert code == (0 if there else 1) and str(folder) in text
    assert "?   memory: unknown" in text  # another checkpoint's size is not the model's own


@pytest.mark.parametrize("table", [b"", b"[]", b"{}", b'{"weight_map": 5}', b"\xff", b'{"weight_map": {"a": 5}}'])
def test_a_broken_table_of_shards_is_a_missing_part(machine, table):
    folder = machine / "checkpoint"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"1")
    (folder / "model.safetensors.index.json").write_bytes(table)
    assert catalogue._weights(str(folder)).there is False


@pytest.mark.parametrize(
    "parameters, gpu, there",
    [(3.9, 0, True), (4.1, 0, False), (4.1, 8.0, False), (4.1, 8.4, True), (None, 0, None)],
)
def test_memory_is_2_bytes_on_a_gpu_and_4_on_a_cpu(machine, monkeypatch, parameters, gpu, there):
    monkeypatch.setattr(catalogue, "_gpu_memory", lambda: gpu)
    assert catalogue._memory(parameters, True).there is there


def test_a_key_and_packages_are_looked_for_and_the_key_is_not_shown(shown, machine, monkeypatch):
    file = adapter(machine, key="MY_TEST_KEY", packages=("no-such-package>=2", "Pillow[extra]>=1"), runs_on="server")
    monkeypatch.delenv("MY_TEST_KEY", raising=False)
    code, text = shown("models", file)
    assert code == 1 and "missing: packages of its own, key" in text and "export MY_TEST_KEY" in text
    assert "no-such-package is not installed. pip install" in text and "(encoder): Mine own. It captions." in text
    monkeypatch.setenv("MY_TEST_KEY", "sk-secret")
    file = adapter(machine, key="MY_TEST_KEY", packages=("pillow",), runs_on="server")
    code, text = shown("models", file)
    assert code == 0 and "sk-secret" not in text and "weights" not in text


def test_a_broken_file_of_ones_own_is_told_by_what_is_wrong_in_it(machine):
    (machine / "mine.py").write_text("import no_such_package")
    with pytest.raises(ModelError, match="no_such_package"):
        main(["models", str(machine / "mine.py")])
    (machine / "mine.py").write_text("x = 1")
    with pytest.raises(ModelError, match="class Model"):
        main(["models", str(machine / "mine.py")])


def test_a_name_of_both_kinds_is_told_for_both(shown, machine):
    code, text = shown("models", "command")
    assert code == 0 and "command (encoder)" in text and "command (decoder)" in text and "--command" in text


def test_the_other_checkpoint_of_a_default_is_looked_for(shown, machine):
    base = models.create("t2i", "animatediff").also[0]
    assert base in shown("models", "animatediff")[1]
    assert base not in shown("models", "animatediff", "--model_dir", machine)[1]


@pytest.mark.parametrize("name, meant", [("gpt-4o", "gpt4o"), ("SDXL-1", "sdxl"), ("instruct_blip", "instructblip")])
def test_a_name_that_is_nearly_one_is_told(name, meant):
    with pytest.raises(ModelError, match=f"Did you mean {meant}"):
        main(["models", name])


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-m", "cmcbench", "models", "real"], ""),
        (["script-i2t.py", "--ground_truth", "samples/GT", "--model_name", "blip"], "error: the Python package '"),
        (["script-i2t.py", "--ground_truth", "nowhere"], "error: --ground_truth: nowhere"),
        (["script-t2i.py", "--ground_truth", "samples/GT"], "error: the"),
    ],
)
def test_without_packages_it_is_said_what_to_install(arguments, words):
    """-S: python without what is installed beside it."""
    done = subprocess.run(
        [sys.executable, "-S", *arguments], cwd=ROOT, capture_output=True, text=True, env={"PATH": ""}
    )
    assert done.returncode == (2 if words else 1) and done.stderr.startswith(words) and "Traceback" not in done.stderr
    if not words:
        assert (
            "NO  requirements.txt: torch is not installed" in done.stdout
            and "?   weights, memory: told once" in done.stdout
        )
