"""A program in two processes on this machine, as torchrun starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def launch(folder: Path, *command: object, **environment: str) -> subprocess.Popen:
    """A program with its arguments in two processes on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
