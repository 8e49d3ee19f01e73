"""Programs in two processes, as torchrun starts them, and two targets that one and two of them score."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageFilter


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


def prepare(faked, truth):
    """The images of `truth` in two modes, once for one process and once for two."""
    for target in ("one", "two"):
        for radius, mode in enumerate(("full", "text"), 1):
            (faked.folder / "Result" / target / mode).mkdir(parents=True)
            for path in truth.iterdir():
                with Image.open(path) as image:
                    image.filter(ImageFilter.GaussianBlur(radius)).save(
                        faked.folder / "Result" / target / mode / path.name
                    )
    return faked
