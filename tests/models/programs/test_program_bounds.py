"""--command: what a program may write, what is awaited and said, and what ends with the run."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from bench import write_truth
from programs import SAY, gone, picture, ready

from models import _command, _program_output
from models.base import Caption, ModelError


def test_a_program_that_does_not_flush_is_heard(program, load):
    work = 'print(json.dumps({"id": number, "text": "a barn"}))'
    model = load("i2t", program(work, 'print(json.dumps({"ready": True}))'))
    assert model.caption([picture()], "", 1)[0].text == "a barn"


def test_what_is_awaited_is_said_once(program, load, monkeypatch, capfd):
    monkeypatch.setattr(_command, "PATIENCE", 0.1)
    model = load("i2t", program("time.sleep(0.7); " + SAY))
    model.caption([picture()] * 2, "", 1)
    said = capfd.readouterr().err
    assert said.count("waiting for the program") == 1 and '{"id": 1, ...}' in said and "flush" in said


@pytest.mark.parametrize("wrong", ["7", '"1"', "None", "1.0"])
def test_a_wrong_id_is_named(program, load, capfd, wrong):
    model = load("i2t", program(f"answer(id={wrong}, text='other'); {SAY}"))
    assert model.caption([picture()], "", 1)[0].text == "5x4"
    shown = json.dumps(eval(wrong))
    assert f'answered with "id": {shown}, expected: 1' in capfd.readouterr().err


def test_an_answer_that_is_too_long_fails_alone(program, load, capfd):
    work = f"if number == 1:\n    answer(id=1, text='x' * (3 << 20))\nelse:\n    {SAY}"
    first, second = load("i2t", program(work)).caption([picture()] * 2, "", 1)
    assert "line of over 1048576 bytes" in str(first) and second.text == "5x4"
    assert len(capfd.readouterr().err) < 10_000


@pytest.mark.parametrize(
    "flood",
    ["while True: print('x' * 1000)", "while True: sys.stdout.write('x' * 100000)", "while True: answer(id=99)"],
    ids=["lines", "one line", "answers"],
)
def test_output_without_end_is_ended(program, load, monkeypatch, capfd, flood):
    monkeypatch.setattr(_program_output, "MOST_NOISE", 1 << 20)
    monkeypatch.setattr(_program_output, "SHOWN", 10)
    model = load("i2t", program(flood))
    (answer,) = model.caption([picture()], "", 1)
    assert isinstance(answer, ModelError) and ("no answer" in str(answer) or "not asked for" in str(answer))
    assert gone()


def test_thoughts_and_refusals_of_a_program(program, load):
    texts = ["<think>hm</think>a barn", "I don't see an image.", "<think>hm", "data:image/png;base64," + "A" * 300]
    model = load("i2t", program(f"answer(id=number, text={texts!r}[number - 1])"))
    answers = model.caption([picture()] * 4, "", 1)
    assert answers[0] == Caption("a barn", None, {})
    assert all(isinstance(answer, ModelError) for answer in answers[1:]) and "AAAA" not in str(answers[3])


def test_a_closed_terminal_takes_the_program_along(bench, program):
    ready(bench)
    slow = "open('busy', 'w')\ntime.sleep(600)\n" + SAY
    arguments = ["--model_name", "command", "--command", program(slow), "--device", "cpu"]
    process = bench.start("script-i2t.py", *arguments, TMPDIR=str(bench.folder))
    bench.until((bench.folder / "busy").exists, process)
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 130 and gone() and not list(bench.folder.glob("cmcbench-*"))


def test_a_key_in_the_command_is_kept_nowhere(bench, program):
    write_truth(bench.folder / "GT", 2)
    bench.inside = True
    command = program(SAY)
    secret = "sk-very-secret-0123456789"
    flags = ["--model_name", "command", "--device", "cpu", "--command"]
    bench.encode(*flags, f"{command} --api-key {secret}", "--subset", 1)
    record = (bench.folder / "Text" / "command.json").read_text()
    assert secret not in record and "[hidden]" in record
    assert "1 captions made" in bench.encode(*flags, f"{command} --api-key other-{secret}").stderr
    assert secret not in bench.encode(*flags, f"{command} --size 3 --api-key {secret}", code=2).stderr


def test_the_program_is_found_by_name(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="No such file") as failure:
        load("i2t", f"no-such-program --token secret123 {Path(sys.executable).name}")
    assert "secret123" not in str(failure.value)
