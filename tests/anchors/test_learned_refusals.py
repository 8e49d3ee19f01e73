"""python -m cmcbench codec with learned codecs: what is refused before work, and what fails by name after it."""

from __future__ import annotations

import re

import pytest
from codec_programs import DECODE, ENCODE, codec_program
from made_targets import STEMS, run

from cmcbench.errors import BadInput
from cmcbench.files import rates
from models.base import ModelError

FAILS = {
    "no stream": ({"encode": "pass"}, "answered without writing a stream"),
    "a link": ({"encode": "os.symlink('/etc/hostname', request['output'])"}, "answered without writing a stream"),
    "a folder": ({"encode": "os.mkdir(request['output'])"}, "answered without writing a stream"),
    "a pipe": ({"encode": "os.mkfifo(request['output'])"}, "answered without writing a stream"),
    "a pipe for a picture": ({"decode": "os.mkfifo(request['output'])"}, "answered without writing a picture"),
    "a link for a picture": (
        {"decode": "os.symlink(request['stream'], request['output'])"},
        "answered without writing a picture",
    ),
    "no bytes": ({"encode": "open(request['output'], 'w').close()"}, "a stream of 0 bytes"),
    "too long": (
        {"encode": "open(request['output'], 'wb').write(bytes(2_000_000))"},
        "more than 1076242 bytes",
    ),
    "no picture": ({"decode": "open(request['output'], 'w').write('no')"}, "wrote no readable picture"),
    "nothing": ({"decode": "pass"}, "answered without writing a picture"),
    "another size": (
        {"decode": f"{DECODE}\npicture.resize((64, 64)).save(request['output'])"},
        "the decoder gave a picture of 64x64 pixels, its ground truth has 131x97",
    ),
    "an error": ({"decode": "answer(id=request['id'], error='no codebook'); continue"}, "no codebook"),
    "a death": ({"decode": "sys.exit('out of memory')"}, "died of this image: .*out of memory"),
}


@pytest.mark.parametrize("case", FAILS)
def test_what_an_image_fails_of_is_named(truth, tmp_path, capsys, case):
    parts, words = FAILS[case]
    command = codec_program(tmp_path, **parts)
    assert run(truth, tmp_path / "Result", "--command", command, "--name", "mine", "--quality", 20) == 1
    assert re.search(rf"NSI_pgc_000.png: mine@q20: .*{words}", said := capsys.readouterr().err), said
    assert 'Traceback (most recent call last):\n  File "/work' not in said
    assert not list((tmp_path / "Result" / "mine@q20" / "image").glob("*.png"))
    assert rates.read(tmp_path / "Result" / "mine@q20" / "rates.csv") == {}


def test_one_image_that_fails_stops_nothing(truth, tmp_path, capsys):
    work = "if request['id'] == 2:\n    answer(id=2, error='too dark'); continue\n"
    command = codec_program(tmp_path, encode=work + ENCODE)
    assert run(truth, tmp_path / "Result", "--command", command, "--name", "mine", "--quality", 20) == 1
    assert f"{STEMS[1]}.png: mine@q20: too dark" in capsys.readouterr().err
    assert len(rates.read(tmp_path / "Result" / "mine@q20" / "rates.csv")) == 2


def test_a_program_that_dies_of_everything_ends_the_run(truth, tmp_path, capsys):
    command = codec_program(tmp_path, encode="os._exit(9)")
    assert run(truth, tmp_path / "Result", "--command", command, "--name", "mine", "--quality", 20, 30) == 1
    said = capsys.readouterr().err
    assert "the program died 3 times in a row" in said and "mine@q30:" not in said


def test_a_quality_that_does_not_load_is_named_and_the_others_are_made(truth, tmp_path, capsys):
    start = "if settings['quality'] == 30:\n    answer(error='no checkpoint for 30'); sys.exit()"
    command = codec_program(tmp_path, start=start)
    arguments = ["--command", command, "--name", "mine", "--images", "SCI*"]
    assert run(truth, tmp_path / "Result", *arguments, "--quality", 20, 30, 40) == 1
    assert (
        "mine@q30: --command: the program did not get ready: it says: no checkpoint for 30" in capsys.readouterr().err
    )
    made = {path.parent.parent.name for path in (tmp_path / "Result").glob("*/image/*.png")}
    assert made == {"mine@q20", "mine@q40"}
    with pytest.raises(ModelError, match="no checkpoint for 30"):
        run(truth, tmp_path / "Result", *arguments, "--quality", 30)


REFUSED = {
    "no codec": ([], "no codec is named"),
    "no such codec": (["elic", "--quality", 1], "there is no codec 'elic'. There are: vvc, .*; learned: .*command"),
    "no name": (["--command", "x", "--quality", 1], "--command needs --name"),
    "a name that is a path": (["--command", "x", "--name", "../x"], "--name"),
    "an @": (["--command", "x", "--name", "x@1", "--quality", 1], "--quality adds @qVALUE itself"),
    "a rate": (["--command", "x", "--name", "x", "--bpp", 0.1], "--bpp is for picture codecs"),
    "beside a picture codec": (["jpeg", "--command", "x", "--name", "x"], "runs alone"),
    "no program": (["command", "--name", "x"], "give it with --command"),
    "an empty program": (["--command", " ", "--name", "x"], "give it with --command"),
    "a name for a picture codec": (["jpeg", "--quality", 3, "--name", "x"], "--name is for learned codecs"),
    "no such file": (["gone.py", "--quality", 3], "there is no such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_words_are_refused_before_anything_is_done(truth, tmp_path, case):
    arguments, words = REFUSED[case]
    with pytest.raises((BadInput, ModelError), match=words):
        run(truth, tmp_path / "Result", *arguments)
    assert not (tmp_path / "Result").exists()


@pytest.mark.parametrize("command, words", [("/no/such/program", "cannot be started"), ("'", "cannot be split")])
def test_a_program_that_does_not_start_is_refused(truth, tmp_path, command, words):
    with pytest.raises(ModelError, match=words):
        run(truth, tmp_path / "Result", "--command", command, "--name", "x", "--quality", 1)


OWN = """
from PIL import Image
from models.base import CodecModel

class Model(CodecModel):
    def load(self, model_dir, device, dtype, quality, seed):
        self.step = int(quality)

    def encode(self, image):
        pixel = image.resize((1, 1)).getpixel((0, 0))
        return bytes(value // self.step for value in pixel)

    def decode(self, stream, size):
        return Image.new("RGB", size, tuple(value * self.step for value in stream))
"""


def test_an_adapter_of_one_s_own_is_a_codec_too(truth, tmp_path):
    (tmp_path / "flat.py").write_text(OWN)
    assert run(truth, tmp_path / "Result", tmp_path / "flat.py", "--quality", 8) == 0
    rows = rates.read(tmp_path / "Result" / "flat@q8" / "rates.csv")
    assert [row.bits for row in rows.values()] == [24, 24, 24]


def test_vvc_in_444_is_told_where_to_be_found(truth, tmp_path):
    with pytest.raises(BadInput, match="there is no codec 'vvc444'. libvvenc codes 4:2:0 alone; VTM .*by --command"):
        run(truth, tmp_path / "Result", "vvc444", "--quality", 40)
