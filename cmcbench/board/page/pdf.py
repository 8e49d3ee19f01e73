"""The report on paper: Chromium prints the page, where there is one on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ...errors import RunFailed
from ...files.store import read_bytes, write_bytes

NAME = "report.pdf"  # in the report's folder
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
INSTALL = "Install one, e.g. with: apt-get install chromium. Or open the page in a browser and print it from there"
PATIENCE = 300  # seconds
LARGEST = 1 << 30  # bytes
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the page asks for nothing, and gets nothing
    "--virtual-time-budget=30000",  # milliseconds that the page may take for its files and drawings
)


def browser() -> str | None:
    """The program that can print, None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def write_pdf(index: Path, output: Path) -> None:
    """Print the page `index` to the file `output`. Raises RunFailed where there is no browser or it made no PDF."""
    program = browser()
    if program is None:
        raise RunFailed(f"no PDF: there is no Chromium or Chrome on this machine. {INSTALL}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        made = Path(place) / NAME
        # Chromium's sandbox does not start for root; the page is ours, and escapes what strangers wrote
        sandbox = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        address = f"{index.resolve().as_uri()}#print"
        command = [program, *FLAGS, *sandbox, f"--user-data-dir={place}/profile", f"--print-to-pdf={made}", address]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
            data = read_bytes(made, LARGEST)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"no PDF: {program} had not printed {index} after {PATIENCE} seconds") from None
        except OSError:
            data = b""
        if not data.startswith(b"%PDF"):
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise RunFailed(f"no PDF: {program} ended with code {done.returncode} and made none ({last[0][:200]})")
        write_bytes(output, data)
