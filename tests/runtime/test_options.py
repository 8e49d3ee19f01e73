"""Flags that the scripts share, how a script ends, and what its user reads then."""

from __future__ import annotations

import argparse
import errno
import signal
import subprocess
import sys

import pytest
import torch
from bench import ROOT

from cmcbench.errors import BadInput
from cmcbench.files import names
from cmcbench.runtime import cli, devices
from cmcbench.runtime.messages import SHOWN, RunLog, printable, progress

SCRIPT = """
import errno, os, signal, sys, time
from cmcbench.errors import BadInput, ImageProblem, RunFailed
from cmcbench.runtime.cli import run
from models.base import ModelError

def main(argv):
    {body}

run(main)
"""


def start(body: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT.format(body=body), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(body: str, *arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a script with this main function."""
    process = start(body, *arguments)
    out, said = process.communicate(timeout=60)
    return process.returncode, out, said


ENDS = {
    "done": ("return 0", 0, ""),
    "an image failed": ("return 1", 1, ""),
    "bad input": ("raise BadInput('no folder GT')", 2, "error: no folder GT"),
    "a model's error": ("raise ModelError('no weights')", 2, "error: no weights"),
    "a picture's problem": ("raise ImageProblem('x.png: is empty')", 2, "error: x.png: is empty"),
    "failed run": ("raise RunFailed('ffmpeg failed')", 1, "error: ffmpeg failed"),
    "Ctrl-C": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", 130, "error: interrupted. What is finished is"),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", 130, "error: interrupted. What is finished"),
    "full disk": ("raise OSError(errno.ENOSPC, 'No space', '/data/Text/x.csv')", 1, "the disk is full (/data/Text)"),
    "full quota": ("raise OSError(errno.EDQUOT, 'Quota')", 1, "the disk is full (Disk quota exceeded)"),
    "size limit": ("raise OSError(errno.EFBIG, 'File too large')", 1, "the disk is full (File too large)"),
    "no permission": ("raise PermissionError(errno.EACCES, 'no', '/ro/x.csv')", 1, "no permission to write (/ro)"),
    "not permitted": ("raise OSError(errno.EPERM, 'no', '/ro/x')", 1, "no permission to write (/ro)"),
    "no permission to read": (
        "os.access = lambda path, what: str(path) != sys.argv[1]\n"
        "    raise PermissionError(errno.EACCES, 'no', sys.argv[1])",
        2,
        "no permission to read ",
    ),
    "no permission to enter": (
        "os.access = lambda path, what: what != os.X_OK\n"
        "    raise PermissionError(errno.EACCES, 'no', '/home/x/y.csv')",
        2,
        "no permission to enter /",
    ),
    "read-only": ("raise OSError(errno.EROFS, 'Read-only', '/ro/Text/x.csv')", 1, "no permission to write (/ro/Text)"),
    "a file for a folder": ("os.mkdir(sys.argv[1])", 2, "a file stands where a folder is needed ("),
    "a file in a path": ("open(sys.argv[1] + '/x')", 2, "a file stands where a folder is needed ("),
    "a folder for a file": ("os.remove(os.path.dirname(sys.argv[1]))", 2, "a folder stands where a file is needed ("),
    "an escape sequence": ("raise BadInput('\\x1b[2J\\nx')", 2, "error: \\x1b[2J\\nx"),
    "a lone surrogate": ("raise BadInput('caf\\udce9')", 2, "error: caf\\udce9"),
}


@pytest.mark.parametrize("body, code, words", ENDS.values(), ids=ENDS)
def test_the_end_of_a_script(body, code, words):
    found, _, said = end(body, __file__)
    assert found == code and words in said and "Traceback" not in said
    assert len(said.splitlines()) == (1 if words else 0)


@pytest.mark.parametrize(
    "body, name",
    [
        ("{}['x']", "KeyError: 'x'"),
        ("open('/nonexistent/x')", "FileNotFoundError"),
        ("raise OSError(errno.EIO, 'Input/output error')", "Input/output error"),
        ("raise ValueError('what is this')", "ValueError: what is this"),
    ],
)
def test_an_error_of_ours_keeps_its_traceback(body, name):
    code, _, said = end(body)
    assert code == 1 and "Traceback" in said and name in said


def test_main_gets_the_arguments_and_its_output_stays_on_standard_output():
    assert end("print(argv); return 0", "--x", "a b") == (0, "['--x', 'a b']\n", "")


def test_a_reader_that_leaves_is_no_crash():
    process = start("print('x' * 1_000_000); return 0")
    process.stdout.read(1)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1 and said == ""


def test_a_stopped_script_lets_its_work_end():
    process = start("try: print('ready', flush=True); time.sleep(60)\n    finally: print('saved', flush=True)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "saved\n") and "interrupted" in said


@pytest.mark.parametrize("text, value", [("1", 1), ("+7", 7), ("007", 7), ("1000000", 1_000_000)])
def test_a_whole_number(text, value):
    assert cli.positive(text) == value


@pytest.mark.parametrize(
    "text", ["0", "-1", "", " ", "1.5", "1e3", "ten", "++1", "1_0x", "²", "٣.", "9" * 5000, "nan", "0x10"]
)
def test_what_is_no_whole_number(text):
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):  # either becomes a message of argparse
        cli.positive(text)


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser("A step.")
    cli.add_choice(parser)
    cli.add_compute(parser)
    return parser


def test_defaults():
    assert vars(arguments().parse_args([])) == {
        "images": None,
        "subset": None,
        "device": "auto",
        "dtype": "auto",
        "batch_size": None,
        "trust_remote_code": False,
        "command": None,
    }


@pytest.mark.parametrize(
    "given",
    [
        ["--subset", "0"],
        ["--subset", "-3"],
        ["--subset", "²"],
        ["--batch_size", "0"],
        ["--batch_size", "x"],
        ["--dtype", "fp64"],
        ["--sub", "3"],
        ["--batch", "3"],
        ["--nothing"],
        ["word"],
        ["--subset"],
    ],
    ids=" ".join,
)
def test_a_wrong_flag_ends_with_2(given, capsys):
    with pytest.raises(SystemExit) as end_of_script:
        arguments().parse_args(given)
    assert end_of_script.value.code == 2 and "usage: " in capsys.readouterr().err


def test_help_shows_the_defaults(capsys):
    with pytest.raises(SystemExit):
        arguments().parse_args(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: auto)" in shown and "--images GLOB" in shown


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_a_device_that_is_there(device):
    assert devices.resolve_device(device) == device


def test_auto_is_a_device_that_computes():
    found = devices.resolve_device("auto")
    assert found in ("cpu", "cuda", "mps") and torch.ones(2, device=found).sum().item() == 2


@pytest.mark.parametrize(
    "device", ["cuda:99", "gpu", "", "0", "cuda:", "cuda:-1", "xpu:77", "hpu", "meta", "vulkan", "\x1b[2J"]
)
def test_a_device_that_is_not_there(device):
    with pytest.raises(BadInput, match=r"this machine has no such device. It has: cpu, \d+ CUDA device\(s\)"):
        devices.resolve_device(device)


@pytest.mark.parametrize(
    "dtype, device, expected",
    [
        ("auto", "cpu", torch.float32),
        ("auto", "cpu:0", torch.float32),
        ("auto", "cuda", torch.float16),
        ("auto", "cuda:1", torch.float16),
        ("auto", "mps", torch.float16),
        ("fp32", "cuda", torch.float32),
        ("fp16", "cpu", torch.float16),
        ("bf16", "cpu", torch.bfloat16),
    ],
)
def test_dtype(dtype, device, expected):
    name, found = devices.resolve_dtype(dtype, device)
    assert (
        found is expected and name == {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}[expected]
    )


@pytest.mark.parametrize("name", ["Qwen", "gpt4v", "real+gpt4v", "my model", "InternVL2.5", "日本"])
def test_a_name_that_may_be_a_folder(name):
    assert names.folder_name(name, "--model_name") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../up", "/abs", "C:\\x", "a\nb", "a:b", "\x1b[2J", "nul"]
)
def test_a_name_that_may_not_be_a_folder(name):
    with pytest.raises(BadInput, match="^--model_name ") as refusal:
        names.folder_name(name, "--model_name")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain ä 日本 🎨", "plain ä 日本 🎨"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\r\tc\0", "a\\nb\\r\\tc\\x00"),
        ("\u202egnp", "\\u202egnp"),
        ("\udce9", "\\udce9"),
        ("back\\slash 'quoted'", "back\\slash 'quoted'"),
    ],
    ids=ascii,
)
def test_text_is_made_safe_for_a_terminal(text, shown):
    assert printable(text) == shown


def test_a_report_without_failures(capsys):
    report = RunLog()
    assert report.close("4 captions made.") == 0
    assert capsys.readouterr().err == "4 captions made.\n"


def test_a_report_lists_failures_and_counts_the_rest(capsys):
    report = RunLog()
    report.fail("a", "a.png: is empty")
    assert capsys.readouterr().err == "failed: a.png: is empty\n"
    report.fail_all((f"x{i}", f"x{i}.png: no caption") for i in range(SHOWN + 5))
    assert capsys.readouterr().err == ""
    assert report.close("done") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["done", f"{SHOWN + 6} failed:", "  a.png: is empty"]
    assert len(lines) == 2 + SHOWN + 1 and lines[-1] == "  ... and 6 more"


def test_an_image_that_fails_twice_counts_once():
    report = RunLog()
    report.fail("a", "first")
    report.fail("a", "second")
    assert report.failures == {"a": "second"}


def test_a_note_is_said_once_for_each_kind(capsys):
    report = RunLog()
    for name in ("a.png", "b.png"):
        report.converted(name, "was in mode L, converted to RGB")
        report.converted(name, "had an alpha channel (mode RGBA), dropped")
        report.converted(name, None)
    assert capsys.readouterr().err.splitlines() == [
        "note: a.png was in mode L, converted to RGB; the same holds for every such picture.",
        "note: a.png had an alpha channel (mode RGBA), dropped; the same holds for every such picture.",
    ]


def test_progress_does_not_count_what_was_there_before(capsys):
    with progress(10, 4, "captions") as bar:
        bar.update()
        assert (bar.n, bar.initial, bar.total) == (5, 4, 10)
    assert "captions" in capsys.readouterr().err


def test_the_codes_of_a_full_disk():
    assert {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} == cli.FULL
