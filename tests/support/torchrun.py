"""A program in two processes on this machine, by torchrun and as torchrun starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import warm


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def both(folder: Path, *command: object, **environment: str) -> list[warm.Program]:
    """A program with its arguments in two processes that are told what torchrun tells: each half as costly."""
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), **environment}
    given = [str(word) for word in command]
    return [
        warm.Program(given, folder, {**os.environ, **told, "RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")
    ]


def both_ended(processes: list[warm.Program]) -> str:
    """All that they said, once they have ended well."""
    said = ["".join(process.communicate()) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    return "".join(said)


def launch(folder: Path, *command: object, **environment: str) -> subprocess.Popen:
    """A program with its arguments in two processes on this machine, by torchrun."""
    port = _free_port()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_addr", "127.0.0.1"]
    return subprocess.Popen(
        [*torchrun, "--master_port", str(port), *map(str, command)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def ended(process: subprocess.Popen, code: int = 0) -> str:
    """All that they said, once they have ended with `code`."""
    output, errors = process.communicate(timeout=180)
    assert process.returncode == code, errors
    return output + errors
