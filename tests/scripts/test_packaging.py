"""What nobody can run here: a Dockerfile, and an installation without CUDA. They name what is there."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from bench import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_dockerfile_copies_what_is_there_and_takes_the_tested_set():
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert {"cmcbench", "models", "pyproject.toml", "constraints.txt"} <= set(copied)
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert all((ROOT / name).exists() and f"!{name}" in allowed for name in copied)
    # all that the package's own description reads is there before it is installed
    described = re.findall(r'file = \["([^"]+)"\]|readme = "([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert {one or other for one, other in described} <= set(copied)
    assert "-r requirements.txt -c constraints.txt" in DOCKERFILE and 'ENTRYPOINT ["cmcbench"]' in DOCKERFILE
    python = re.search(r"^FROM python:(\d+)\.(\d+)", DOCKERFILE, re.MULTILINE)
    assert tuple(map(int, python.groups())) >= (3, 10)


def test_it_is_said_that_the_dockerfile_was_not_built():
    assert "not built" in DOCKERFILE
    assert re.search(r"\[Dockerfile\]\(Dockerfile\)[^\n]*not built", (ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
@pytest.mark.parametrize("asked", [["TORCH=cpu"], []])
def test_the_demo_takes_a_torch_without_cuda(tmp_path, asked):
    """Commands are printed, none is run."""
    for name in ("Makefile", "constraints.txt", *(path.name for path in ROOT.glob("requirements*.txt"))):
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(["make", "-n", "demo", *asked], cwd=tmp_path, capture_output=True, text=True)
    pinned = re.search(r"^torch==([^+ ;\n]*)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert done.returncode == 0, done.stderr
    assert (f'"torch=={pinned}+cpu" "torchvision==' in done.stdout) == bool(asked)
    assert "script-evaluate.py" in done.stdout
