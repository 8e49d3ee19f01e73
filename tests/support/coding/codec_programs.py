"""Programs for `codec --command` that tests write: a JPEG in Pillow, and what each process was told."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

PROGRAM = """
import io, json, os, pathlib, sys, time
from PIL import Image

def answer(**fields):
    print(json.dumps(fields), flush=True)

settings = json.loads(sys.stdin.readline())
LOG = {log!r}
def log(what):
    with open(LOG, "a") as file:
        file.write(json.dumps([os.getpid(), settings["task"], what]) + "\\n")
log(settings)
{start}
answer(ready=True)
for line in sys.stdin:
    request = json.loads(line)
    log({{**request, "there": sorted(os.listdir(os.path.dirname(request["output"])))}})
    if settings["task"] == "encode":
{encode}
    else:
{decode}
    answer(id=request["id"])
"""
ENCODE = """quality = int(settings["quality"] or 40)
Image.open(request["image"]).save(request["output"], format="JPEG", quality=quality)"""
DECODE = """picture = Image.open(request["stream"], formats=["JPEG"])
picture.save(request["output"])"""


def codec_program(folder: Path, encode: str = ENCODE, decode: str = DECODE, start: str = "") -> str:
    """The --command of a codec whose processes write what they are told into `folder`/log, a line of JSON each."""
    body = {
        name: "\n".join(" " * 8 + line for line in text.splitlines())
        for name, text in (("encode", encode), ("decode", decode))
    }
    file = folder / "my codec.py"
    file.write_text(PROGRAM.format(log=str(folder / "log"), start=start, **body))
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(file))}"
