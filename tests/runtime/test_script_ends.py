"""How a script ends: its exit code, and what its user reads then."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys

import pytest
from bench import ROOT

from cmcbench.runtime import cli

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
    "memory": ("raise MemoryError", 1, "there is too little memory"),
    "memory for a library": (
        "raise ImportError('libtorch.so: failed to map segment from shared object')",
        1,
        "there is too little memory",
    ),
    "a mapping": ("raise OSError(errno.ENOMEM, 'Cannot allocate memory')", 1, "there is too little memory"),
    "a broken library": (
        "raise ImportError('libGL.so.1: cannot open', name='cv2')",
        1,
        "libGL.so.1: cannot open.",
    ),
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


def test_retries_of_the_hub_are_no_lines_of_ours():
    body = """import logging, huggingface_hub.utils._http
    logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
    return 0"""
    assert end(body) == (0, "", "")


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


def test_the_codes_of_a_full_disk():
    assert {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} == cli.FULL
