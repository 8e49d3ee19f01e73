"""Somebody who downloads the benchmark's data, and what they should get."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

from bench import ROOT
from fake_hub import Hub

CHUNK = 10 * 1024 * 1024  # what huggingface_hub writes at once
NAMES = ("NSI_pgc_000.png", "NSI_ugc_001.png", "SCI_game_000.png")
CAPTIONS = {
    "gpt4v.csv": b",name,text\n0,NSI_pgc_000.png,a street\n",
    "qwen.csv": b",name,text\n0,NSI_pgc_000.png,a road\n",
}
# The published captions' hashes are known and their content is not here: others stand in for them
STAND_IN = f"""
import dataclasses, cmcbench.published.dataset as p
known = { {name: (len(text), hashlib.sha256(text).hexdigest()) for name, text in CAPTIONS.items()} }
def stand_in(each):
    size, sha256 = known[each.file]
    return dataclasses.replace(each, megabytes=size / 1e6, sha256=sha256)
p.FILES = tuple(each if each.on_hub else stand_in(each) for each in p.FILES)
"""
PROGRAM = "import sys; from cmcbench.runtime.cli import run; from cmcbench.__main__ import main; run(main)"


def data(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pictures(seed: int) -> dict[str, bytes]:
    return {name: data(5000, seed + index) for index, name in enumerate(NAMES)}


class User:
    """Somebody who runs the command in a folder, with the hub that runs here."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.folder = hub, folder

    def command(self, *arguments: str, before: str = "") -> dict:
        flags = ["download", *arguments, "--root", "data", "--captions_base", f"{self.hub.endpoint}/Text"]
        environment = {
            "HF_ENDPOINT": self.hub.endpoint,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(self.folder / "hf"),
            "HF_TOKEN": "hf_secret",
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1",
        }
        return {
            "args": [sys.executable, "-c", STAND_IN + before + "\n" + PROGRAM, *flags],
            "cwd": self.folder,
            "env": {**os.environ, **environment},
            "text": True,
        }

    def run(self, *arguments: str, code: int = 0, before: str = "", **environment: str) -> subprocess.CompletedProcess:
        command = self.command(*arguments, before=before)
        command["env"].update(environment)
        done = subprocess.run(**command, capture_output=True, timeout=120)
        assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def path(self, name: str) -> Path:
        return self.folder / "data" / name

    def files(self) -> dict[str, bytes]:
        """What is there by name, but for what is hidden."""
        root = self.folder / "data"
        found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}"}


def expected(hub: Hub) -> dict[str, bytes]:
    weights = {f"Weight/{name}": content for name, content in hub.files.items() if name.endswith(".pth")}
    seeds = {"Ref/pixel": 10, "Ref/image": 20, "GT": 30}
    images = {f"{folder}/{name}": content for folder, seed in seeds.items() for name, content in pictures(seed).items()}
    return weights | images | {f"Text/{name}": content for name, content in hub.texts.items()}
