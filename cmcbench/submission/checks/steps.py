"""The benchmark's own steps run as programs of their own, as every submitter runs them: wings meet in files only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ... import ROOT
from ...errors import RunFailed

PATIENCE = 3600  # seconds for a picture, model and imports included; far beyond any that can be scored or decoded


def run_step(step: str, arguments: list[str], work: Path, pictures: int, what: str) -> tuple[int, str]:
    """Run `python -m cmcbench STEP` in `work`. Returns its exit code and what it said last. Raises RunFailed where it
    does not end.
    """
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cmcbench", step, *arguments],
            cwd=work,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE * pictures,
        )
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{what} {pictures} pictures did not end; take fewer with --sample or --decode.") from None
    return done.returncode, (done.stderr.strip().splitlines() or ["no message"])[-1]
