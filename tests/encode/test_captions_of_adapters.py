"""script-i2t.py with an adapter that answers what no adapter should, and with one that knows its revision."""

from __future__ import annotations

import csv
import json

import pytest
from bench import write_truth

ADAPTER = """
import errno
from models.base import Caption, I2TModel, ModelError

class Model(I2TModel):
    revision = {revision!r}

    def load(self, model_dir, device, dtype, **options):
        self.identity = {identity!r}
        open("prompt", "w").write(options["prompt"])

    def caption(self, images, prompt, words):
        return [self.one(image) for image in images]

    count = 0

    def one(self, image):
        type(self).count += 1
        if self.count == 2:
{second}
        return Caption(f"picture {{self.count}}", "stop")
"""


@pytest.fixture
def adapter(bench):
    write_truth(bench.folder / "GT", 4)
    bench.inside = True

    def write(second="pass", revision=None, identity=None):
        file = bench.folder / "mine.py"
        indented = "\n".join(f"            {line}" for line in second.splitlines())
        file.write_text(ADAPTER.format(second=indented, revision=revision, identity=identity or {}))
        return ["--model_name", "mine.py", "--device", "cpu"]

    return write


def rows(bench):
    with open(bench.folder / "Text" / "mine.csv", encoding="utf-8", newline="") as file:
        return {row["name"]: row["text"] for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    "second, words",
    [
        ("raise ConnectionError('reset')", "ConnectionError: reset"),
        ("raise MemoryError", "not enough memory"),
        ("raise type('Own', (Exception,), {})('odd')", "Own: odd"),
        ("return None", "NoneType, expected: Caption"),
        ("return 'a text'", "str, expected: Caption"),
        ("return Caption(None)", "NoneType, expected: str"),
        ("return Caption(5)", "int, expected: str"),
        ("return Caption('', object())", "no caption"),
        ("import numpy; return numpy.zeros(3)", "ndarray, expected: Caption"),
        ("return ModelError('no: http://u:passw0rd@h/')", "http://[hidden]@h/"),
        ("self.on_answer(77, Caption('x')); return Caption('x')", "IndexError"),
        ("import sys; sys.exit(3)", "SystemExit"),
    ],
)
def test_one_bad_answer_is_one_failure(bench, adapter, second, words):
    flags = adapter(second)
    done = bench.encode(*flags, code=1)
    assert "1 failed" in done.stderr and words in done.stderr and len(rows(bench)) == 3
    assert "passw0rd" not in done.stderr
    assert "1 captions made" in bench.encode(*flags).stderr  # the rerun goes on there


def test_odd_details_of_a_caption_do_no_harm(bench, adapter):
    bench.encode(*adapter("return Caption('fine', ['stop'], {'a': object(), 'b': 1.5, 3: 4})"))
    images = json.loads((bench.folder / "Text" / "mine.json").read_text())["images"]
    (odd,) = [made for made in images.values() if made.get("usage")]
    assert odd["finish_reason"] is None and odd["usage"] == {"b": 1.5, "3": 4}


def test_a_full_disk_ends_the_run(bench, adapter):
    done = bench.encode(*adapter("raise OSError(errno.ENOSPC, 'full')"), code=1)
    assert "the disk is full" in done.stderr


def test_captions_of_two_revisions_are_not_mixed(bench, adapter):
    bench.encode(*adapter(revision="a" * 40), "--subset", 2)
    record = json.loads((bench.folder / "Text" / "mine.json").read_text())
    assert record["settings"]["revision"] == "a" * 40
    file = bench.folder / "mine.py"
    before = file.read_text()
    # The file of the adapter is a setting of its own, so that the branch has to move without it
    moved = before.replace("'" + "a" * 40 + "'", "open('revision').read()")
    file.write_text(moved)
    (bench.folder / "revision").write_text("a" * 40)
    bench.encode("--model_name", "mine.py", "--device", "cpu", "--subset", 2, "--overwrite")
    (bench.folder / "revision").write_text("b" * 40)
    refused = bench.encode("--model_name", "mine.py", "--device", "cpu", code=2)
    assert f"revision was {'a' * 40} and is {'b' * 40} now" in refused.stderr and len(rows(bench)) == 2


def test_a_revision_in_the_name_is_a_setting(bench, adapter):
    bench.encode(*adapter(), "--model_dir", "owner/name@v1", "--subset", 2)
    settings = json.loads((bench.folder / "Text" / "mine.json").read_text())["settings"]
    assert (settings["checkpoint"], settings["revision"]) == ("hub:owner/name", "v1")
    refused = bench.encode(*adapter(), "--model_dir", "owner/name@v2", code=2)
    assert "revision was v1 and is v2 now" in refused.stderr


def test_the_home_is_a_folder(bench, adapter, monkeypatch):
    monkeypatch.setenv("HOME", str(bench.folder))
    (bench.folder / "ckpt").mkdir()
    (bench.folder / "ckpt" / "config.json").write_text("{}")
    bench.encode(*adapter(), "--model_dir=~/ckpt", "--subset", 1)
    settings = json.loads((bench.folder / "Text" / "mine.json").read_text())["settings"]
    assert settings["checkpoint"].startswith("folder:")


def test_a_rendered_prompt_that_changes_is_refused(bench, adapter):
    done = adapter(identity={"rendered_prompt": "1"})
    file = bench.folder / "mine.py"
    file.write_text(file.read_text().replace("'1'", "open('digest').read()"))
    (bench.folder / "digest").write_text("1")
    bench.encode(*done, "--subset", 1)
    assert "Generate an informative paragraph in 10 words" in (bench.folder / "prompt").read_text()
    (bench.folder / "digest").write_text("2")
    assert "rendered_prompt was 1 and is 2 now" in bench.encode(*done, code=2).stderr


def test_doubts_are_said_at_the_end(bench, adapter):
    same = adapter("pass")
    file = bench.folder / "mine.py"
    file.write_text(file.read_text().replace('f"picture {self.count}", "stop"', '"A picture.", "length"'))
    done = bench.encode(*same)
    assert "4 of 4 captions were cut at the limit" in done.stderr
    assert "4 different pictures have the same caption, 'A picture.'" in done.stderr
