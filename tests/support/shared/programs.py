"""Programs for --command that tests write, what they are asked, and whether they have ended."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
from bench import write_captions, write_truth
from PIL import Image

from models.base import Job

# Programs are a beginning and what they do with a request; `answer(...)` writes a line
WORKER = """
import json, os, signal, subprocess, sys, time
from PIL import Image

def answer(**fields):
    print(json.dumps(fields), flush=True)

settings = json.loads(sys.stdin.readline())
open("pids", "a").write(f"{{os.getpid()}}\\n")
{start}
for line in sys.stdin:
    request = json.loads(line)
    number = request["id"]
{work}
"""
READY = "answer(ready=True)"
DRAW = 'Image.new("RGB", (request["width"], request["height"]), "red").save(request["output"]); answer(id=number)'
ODD = '"odd": "x", "huge": 10**400, "none": float("nan")'  # what is no count
SAY = 'answer(id=number, text="%dx%d" % Image.open(request["image"]).size, usage={"output_tokens": 3, ' + ODD + "})"


def job(name="a", guide=None, size=(16, 8), **fields):
    return Job(
        **{
            "name": name,
            "prompt": 'a "red"\nsquare é\ud800',
            "guide": guide,
            "size": size,
            "seed": 3,
            "strength": 0.5,
            "steps": 4,
            **fields,
        }
    )


def picture(width=5, height=4):
    return Image.new("RGB", (width, height), "blue")


def gone(file="pids") -> bool:
    """Whether all processes whose ids are in the file have ended; a killed one may take a moment on a busy machine."""
    pids = [int(line) for line in Path(file).read_text().split()]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not any(map(runs, pids)):
            return True
        time.sleep(0.05)
    return False


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ready(bench):
    write_truth(bench.folder / "GT", 3)
    for name in ("image", "pixel"):
        write_truth(bench.folder / "Ref" / name, 3)
    truth = sorted((bench.folder / "GT").iterdir())
    write_captions(bench.folder / "Text" / "gpt4v.csv", {path.name: f"caption of {path.stem}" for path in truth})
    return truth
