"""Under torchrun a bad input is said once, not by every process."""

from __future__ import annotations

import socket
import subprocess
import sys

from bench import ROOT

from cmcbench.runtime import cli


def test_a_bad_input_is_said_once(tmp_path):
    """torchrun adds a report of its own, which its workers cannot keep it from."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "3", "--master_port", str(port)]
    command = [*torchrun, str(ROOT / "script-i2t.py"), "--model_name", "tags", "--ground_truth", "nowhere"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert done.stderr.count("error: --ground_truth: nowhere does not exist") == 1, done.stderr
    assert str(ROOT / "cmcbench") not in done.stderr  # no traceback of ours


def test_the_first_to_come_says_it(tmp_path, monkeypatch):
    for rank in (0, 1):
        (tmp_path / f"attempt_0/{rank}").mkdir(parents=True)
    said = []
    monkeypatch.setattr(cli, "say", said.append)
    for rank, message in ((1, "a"), (0, "a"), (0, "b")):
        monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / f"attempt_0/{rank}/error.json"))
        cli._end(message, 2)
    assert said == ["error: a", "error: b"]
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "gone/0/error.json"))
    cli._end("a", 2)
    cli._end("a", 2)  # where they cannot agree, each says it
    assert len(said) == 4
