"""--command: the user's own program, its answers, its noise, its deaths, and its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import DRAW, READY, SAY, gone, job, picture

from models import _command
from models.base import Caption, ModelError


def test_an_encoder_answers_in_order(program, load):
    model = load("i2t", program(SAY))
    answers = model.caption([picture(3, 4), picture(5, 6)], "Describe.", 10)
    assert answers == [Caption("3x4", None, {"output_tokens": 3}), Caption("5x6", None, {"output_tokens": 3})]
    assert len(Path("pids").read_text().split()) == 1  # one process for all


def test_a_decoder_is_told_all_of_the_job(program, load):
    keep = (
        'json.dump([settings, request, Image.open(request["image"]).size if request["image"] else None],'
        ' open("seen.json", "w"))\n'
    )
    model = load("t2i", program(keep + DRAW))
    (image,) = model.generate([job(guide=picture())])
    assert image.size == (16, 8) and image.getpixel((0, 0)) == (255, 0, 0)
    import json

    settings, request, guide = json.loads(Path("seen.json").read_text())
    assert settings == {"kind": "t2i", "model_dir": None, "device": "cpu", "dtype": "float32", "modes": ["full"]}
    assert guide == [5, 4] and request["prompt"] == job().prompt
    assert {key: request[key] for key in ("name", "seed", "width", "height", "strength", "steps")} == {
        "name": "a",
        "seed": 3,
        "width": 16,
        "height": 8,
        "strength": 0.5,
        "steps": 4,
    }
    model.generate([job(strength=None)])
    assert json.loads(Path("seen.json").read_text())[1]["image"] is None
    assert not list(model._program.folder.iterdir())  # nothing piles up


def test_noise_goes_to_stderr(program, load, capfd):
    noise = (
        'print("Loading 100%"); print("[1, 2]"); answer(id=99); answer(id="1"); answer(id=True);'
        ' answer(id=float(number)); sys.stdout.buffer.write(b"\\xff\\n"); '
    )
    model = load("i2t", program(noise + SAY, 'print("{"); answer(id=1, text="early")\n' + READY))
    assert model.caption([picture()], "", 1)[0].text == "5x4"
    said = capfd.readouterr()
    assert "Loading 100%" in said.err and "[1, 2]" in said.err and '{"id": 99}' in said.err and said.out == ""


def test_an_error_answer_is_the_images_own(program, load):
    model = load("i2t", program(f'if number == 1:\n    answer(id=1, error="no\\nsense")\nelse:\n    {SAY}'))
    bad, good = model.caption([picture(), picture()], "", 1)
    assert isinstance(bad, ModelError) and str(bad) == "no sense" and good.text == "5x4" and model.stopped is None


@pytest.mark.parametrize("text", ["answer(id=number)", "answer(id=number, text='  ')", "answer(id=number, text=5)"])
def test_no_text_is_no_caption(program, load, text):
    (answer,) = load("i2t", program(text)).caption([picture()], "", 1)
    assert isinstance(answer, ModelError) and "text" in str(answer)


@pytest.mark.parametrize(
    "work, words",
    [
        ("pass", "without writing"),
        ("open(request['output'], 'w').write('no picture')", "no readable picture"),
        ("os.mkdir(request['output'])", "without writing"),
        (
            (
                "Image.new('RGB', (8, 8)).save('elsewhere.png'); os.symlink(os.path.abspath('elsewhere.png'),"
                " request['output'])"
            ),
            "without writing",
        ),
        ("Image.new('L', (8200, 8200)).save(request['output'])", "8200x8200"),
        ("Image.new('I;16', (8, 8)).save(request['output'])", "I;16"),
        (
            "Image.effect_noise((64, 64), 9).save(request['output']); os.truncate(request['output'], 900)",
            "no readable picture",
        ),
    ],
    ids=["none", "text", "folder", "link", "huge", "16 bits", "cut"],
)
def test_what_is_no_picture_is_the_images_failure(program, load, work, words):
    (answer,) = load("t2i", program(work + "; answer(id=number)")).generate([job()])
    assert isinstance(answer, ModelError) and words in str(answer)


def test_a_program_that_dies_is_started_again(program, load, capfd):
    die = f"if Image.open(request['image']).width == 1:\n    sys.exit('out of memory')\n{SAY}"
    model = load("i2t", program(die))
    answers = model.caption([picture(width) for width in (5, 1, 6, 1, 7, 1, 8)], "", 1)
    assert [isinstance(answer, Caption) for answer in answers] == [True, False, True, False, True, False, True]
    assert "exit code 1" in str(answers[1]) and "out of memory" in str(answers[1])
    assert "out of memory" in capfd.readouterr().err
    assert model.stopped is None and len(Path("pids").read_text().split()) == 4


@pytest.mark.parametrize(
    "work, words",
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("sys.exit(3)", "exit code 3"),
        ("sys.stdout.close(); os.close(1); time.sleep(60)", "closed its stdout"),
        ("subprocess.Popen(['sleep', '60']); os._exit(4)", "exit code 4"),
    ],
    ids=["kill", "exit", "closed", "a child holds the pipe"],
)
def test_three_deaths_in_a_row_stop_the_run(program, load, work, words):
    model = load("i2t", program(work))
    answers = model.caption([picture()] * 5, "", 1)
    assert "3 times" in model.stopped and words in model.stopped and "not asked" in str(answers[4])
    assert len(Path("pids").read_text().split()) == 3 and gone()


@pytest.mark.parametrize(
    "start, words",
    [
        ("sys.exit('no such checkpoint')", "no such checkpoint"),
        ("answer(error='no GPU here')", "no GPU here"),
        ("import no_such_package", "no_such_package"),
    ],
    ids=["exit", "error", "import"],
)
def test_a_program_that_does_not_get_ready_is_told_at_load(program, load, start, words):
    with pytest.raises(ModelError, match="--command") as failure:
        load("i2t", program(SAY, start))
    assert words in str(failure.value) and "docs/adding-a-model.md" in str(failure.value)
    assert gone()


@pytest.mark.parametrize(
    "command, words", [(None, "--command"), ("  ", "--command"), ("'open", "quotes"), ("/no/such/program", "/no/such")]
)
@pytest.mark.parametrize("kind, name", [("i2t", "command"), ("t2i", "command")])
def test_a_command_that_is_none(load, command, words, kind, name):
    with pytest.raises(ModelError, match="--command") as failure:
        load(kind, command, name)
    assert words in str(failure.value)


def test_options_that_the_program_is_not_told_are_refused(load):
    with pytest.raises(ModelError, match="--guidance"):
        load("t2i", "true", guidance=3.0)


def test_waiting_long_is_told(program, load, monkeypatch, capfd):
    monkeypatch.setattr(_command, "PATIENCE", 0.1)
    load("i2t", program(SAY, "time.sleep(0.7)\n" + READY))
    assert capfd.readouterr().err.count("waiting for the program") == 1


def test_the_end_takes_all_along(program, load):
    """The program, even one that ignores requests to end, what it started, and the folder."""
    stubborn = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nchild = subprocess.Popen(['sleep', '60'])\nopen('pids',"
        " 'a').write(f'{child.pid}\\n')\n"
    )
    model = load("i2t", program(SAY, stubborn + READY))
    folder = model._program.folder
    model._program.close()
    assert gone() and not folder.exists()
