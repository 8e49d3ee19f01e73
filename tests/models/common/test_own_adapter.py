"""--model_name path/to/mine.py: the user's own adapter, and what can be wrong with its file."""

from __future__ import annotations

import pytest
from bench import write_truth

import models
from models.base import I2TModel, ModelError, T2IModel

ENCODER = """
from dataclasses import dataclass
from models.base import Caption, I2TModel

@dataclass
class Note:
    text: str

class Model(I2TModel):
    def load(self, model_dir, device, dtype, **options): ...
    def caption(self, images, prompt, words):
        return [Caption(Note(f"{image.width} wide").text) for image in images]
"""
DECODER = """
from models.base import T2IModel

class Model(T2IModel):
    modes = frozenset({"image"})
    def load(self, model_dir, device, dtype, modes, **options): ...
    def generate(self, jobs):
        return [job.guide for job in jobs]
"""


@pytest.fixture
def own(tmp_path):
    def write(text, name="My own.v2.py"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)

    return write


def test_both_kinds_are_loaded(own):
    assert isinstance(models.create("i2t", own(ENCODER)), I2TModel)
    model = models.create("t2i", own(DECODER), "/some/checkpoint")
    assert isinstance(model, T2IModel) and model.modes == {"image"}


def test_what_is_changed_is_loaded_anew(own):
    models.create("t2i", own(DECODER))
    assert models.create("t2i", own(DECODER.replace("image", "pixel"))).modes == {"pixel"}


@pytest.mark.parametrize(
    "text, words",
    [
        ("def broken(:\n", "SyntaxError"),
        ("x = 1\n\nraise ValueError('two\\nlines')", "ValueError: two lines, line 3"),
        ("import no_such_package", "no_such_package"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("", "has none"),
        ("Model = 5", "no such class"),
        ("class Model: ...", "no such class"),
        (DECODER, "T2IModel, which script-t2i.py runs"),
        (ENCODER.replace("def caption", "def captoin"), "caption"),
        (ENCODER + "    def __init__(self): 1 / 0", "ZeroDivisionError: division by zero, line 13"),
        (b"\xff\xfe", "SyntaxError"),
        (b"x = '\0'", "SyntaxError"),
    ],
    ids=[
        "syntax",
        "raises",
        "import",
        "exit",
        "empty",
        "number",
        "no contract",
        "kind",
        "abstract",
        "init",
        "no text",
        "null",
    ],
)
def test_a_file_that_is_no_encoder_is_refused_in_one_sentence(own, text, words):
    with pytest.raises(ModelError) as refusal:
        models.create("i2t", own(text))
    assert words in str(refusal.value) and "My own.v2.py" in str(refusal.value) and "\n" not in str(refusal.value)


def test_an_encoder_is_no_decoder(own):
    with pytest.raises(ModelError, match="I2TModel, which script-i2t.py runs, not script-t2i.py"):
        models.create("t2i", own(ENCODER))


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "folder.py").mkdir()
    for name in ("none.py", "folder.py", ".py"):
        with pytest.raises(ModelError, match="no such file"):
            models.create("i2t", str(tmp_path / name))


def test_a_run_with_ones_own_encoder(bench):
    bench.inside = True
    write_truth(bench.folder / "GT", 2)
    (bench.folder / "mine.py").write_text(ENCODER)
    bench.encode("--model_name", "mine.py", "--device", "cpu")
    assert b"wide" in bench.files("Text/*.csv")["Text/mine.csv"]
    (bench.folder / "mine.py").write_text("class Model: ...")
    assert "mine.py" in bench.encode("--model_name", "mine.py", "--device", "cpu", code=2).stderr
