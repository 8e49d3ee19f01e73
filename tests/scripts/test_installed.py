"""`pip install .`: the wheel holds all that the `cmcbench` command needs, and works from any directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from bench import ROOT

from cmcbench import __version__

pytest.importorskip("setuptools")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree, built without a network, from a copy, so that nothing is left beside the code."""
    place = tmp_path_factory.mktemp("wheel")
    for name in ("cmcbench", "models"):
        shutil.copytree(ROOT / name, place / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "requirements.txt"):
        shutil.copy(ROOT / name, place / "tree" / name)
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "wheel", *flags, "-w", str(place), str(place / "tree")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = place.glob("cmcbench-*.whl")
    return file


def test_the_wheel_holds_code_and_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry,) = [archive.read(name).decode() for name in names if name.endswith("entry_points.txt")]
        (about,) = [archive.read(name).decode() for name in names if name.endswith("/METADATA")]
    tracked = {
        path.relative_to(ROOT).as_posix()
        for top in ("cmcbench", "models")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert tracked <= names, sorted(tracked - names)[:5]
    assert "cmcbench = cmcbench.__main__:program" in entry
    assert re.search(r"Requires-Dist: torch>=", about) and "Requires-Python: >=3.10" in about


def test_it_works_from_any_directory(wheel, tmp_path):
    """As pip installs it: unpacked on the path, with no checkout near."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    (tmp_path / "work").mkdir()

    def run(*arguments):
        program = "import sys; sys.argv[0] = 'cmcbench'; import cmcbench.__main__ as m; m.program()"
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True)

    listed = run("--help")
    assert listed.returncode == 0
    for name in ("encode", "decode", "evaluate", "download", "accept", "board", "verify", "doctor"):
        assert re.search(rf"^  {name} ", listed.stdout, re.MULTILINE)
    for name in ("encode", "decode", "evaluate"):
        assert f"usage: cmcbench {name} " in run(name, "--help").stdout
    assert "All flags: cmcbench report --help" in run("report", "--result", "x").stderr
    assert run("--version").stdout == f"cmcbench {__version__}\n" and run("help").stdout == listed.stdout
    wrong = run("decod")
    assert wrong.returncode == 2 and "Did you mean decode" in wrong.stderr
    bad = run("evaluate", "--targets", "x")
    assert bad.returncode == 2 and "error: there is no folder Result/x" in bad.stderr
    assert "realesrgan" in run("models").stdout
