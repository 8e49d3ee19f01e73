"""Code in a fresh interpreter: what it says, which heavy packages it imports, how long it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench import ROOT

HEAVY = ("torch", "transformers", "diffusers", "accelerate", "pyiqa", "timm", "onnxruntime", "cv2", "pandas", "PIL")
# Runs code in a fresh interpreter; tells which of the heavy packages it imported, and its processor time: the clock's
# depends on who else works on this machine
WATCH = """
import contextlib, io, json, runpy, sys, time
sys.path.insert(0, {root!r})
shown, said, code = io.StringIO(), io.StringIO(), None
with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
    try:
        {body}
    except SystemExit as end:
        code = end.code
heavy = sorted(set(sys.modules) & set({heavy!r}))
seen = dict(shown=shown.getvalue(), said=said.getvalue(), code=code, heavy=heavy, seconds=time.process_time())
print(json.dumps(seen))
"""


def watched(body: str, folder: Path) -> dict:
    code = WATCH.format(root=str(ROOT), body=body, heavy=HEAVY)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # which would cost time
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
