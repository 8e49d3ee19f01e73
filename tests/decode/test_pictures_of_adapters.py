"""script-t2i.py with an adapter that answers what no adapter should; and revisions as settings."""

from __future__ import annotations

import json

import pytest
from bench import write_captions, write_truth

ADAPTER = """
import errno
from PIL import Image
from models.base import ModelError, T2IModel

class Model(T2IModel):
    count = 0

    def inspect(self, model_dir):
        self.revision = {revision}

    def load(self, model_dir, device, dtype, modes, **options):
        open("options", "w").write(repr((options["steps"], options["strengths"])))

    def generate(self, jobs):
        return [self.one(job) for job in jobs]

    def one(self, job):
        type(self).count += 1
        if self.count == 2:
{second}
        return Image.new("RGB", job.size, "red")
"""


@pytest.fixture
def adapter(bench):
    truth = write_truth(bench.folder / "GT", 4)
    write_captions(bench.folder / "Text" / "gpt4v.csv", {path.name: "a barn" for path in truth.iterdir()})
    bench.inside = True

    def write(second="pass", revision="None"):
        indented = "\n".join(f"            {line}" for line in second.splitlines())
        (bench.folder / "mine.py").write_text(ADAPTER.format(second=indented, revision=revision))
        return ["--model_name", "mine.py", "--mode", "text", "--device", "cpu"]

    return write


@pytest.mark.parametrize(
    "second, words",
    [
        ("raise TimeoutError('slow')", "TimeoutError: slow"),
        ("raise AttributeError('no x')", "AttributeError: no x"),
        ("return None", "NoneType, expected: Image"),
        ("return 'picture.png'", "str, expected: Image"),
        ("import numpy; return numpy.zeros((8, 8, 3))", "ndarray, expected: Image"),
        (
            "import io; file = io.BytesIO(); Image.effect_noise((64, 64), 9).save(file, 'PNG'); "
            "return Image.open(io.BytesIO(file.getvalue()[:900]))",
            "cannot be used",
        ),
        ("return Image.new('RGB', (0, 5))", "cannot be used"),
        ("return ModelError('no')", "no"),
    ],
)
def test_one_bad_picture_is_one_failure(bench, adapter, second, words):
    flags = adapter(second)
    done = bench.decode(*flags, code=1)
    assert "1 failed" in done.stderr and words in done.stderr
    assert len(bench.files("Result/mine/text/*.png")) == 3
    assert "1 images made" in bench.decode(*flags).stderr


def test_a_full_disk_ends_the_run(bench, adapter):
    assert "disk is full" in bench.decode(*adapter("raise OSError(errno.ENOSPC, 'full')"), code=1).stderr


def test_pictures_of_two_revisions_are_not_mixed(bench, adapter):
    flags = adapter(revision="open('revision').read()")
    (bench.folder / "revision").write_text("a" * 40)
    bench.decode(*flags, "--subset", 2)
    record = json.loads((bench.folder / "Result/mine/manifest.json").read_text())
    assert record["modes"]["text"]["settings"]["revision"] == "a" * 40
    (bench.folder / "revision").write_text("b" * 40)
    refused = bench.decode(*flags, code=2)
    assert f"revision was {'a' * 40} and is {'b' * 40} now" in refused.stderr


def test_a_model_is_told_its_steps_and_strengths(bench, adapter):
    bench.decode(*adapter(), "--steps", 3, "--subset", 1)
    assert (bench.folder / "options").read_text() == "(3, [('text', None)])"


def test_a_number_of_steps_that_works_is_named(bench, adapter):
    flags = [flag if flag != "text" else "full" for flag in adapter()]
    assert "Give --steps 4 or more" in bench.decode(*flags, "--steps", 1, "--strength", 0.3, code=2).stderr
