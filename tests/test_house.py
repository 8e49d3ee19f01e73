"""The walls of the house: who may import whom, and how large a file and a folder may be (docs/architecture.md)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from architecture import FLOORS, PICTURE, WINGS, imports, modules, picture, room
from bench import ROOT

MODELS_TOO = ("__main__", *WINGS, "runtime")  # who may know models, through models/base.py and its two functions
MODELS_FACE = ("models", "models.base", "models.secrets", "models.sources")
LONGEST_FILE, MOST_FILES = 300, 16
LARGEST_FILE = 2 << 20  # bytes, of what git keeps
MANY = {"models/i2t", "models/t2i"}  # one adapter a file
FOLDERS = ("cmcbench", "models", "tests", "tools", "benchmarks")


def floor(name: str) -> int:
    return next((place for place, rooms in enumerate(FLOORS) if name in rooms), len(FLOORS))


def broken_walls(root: Path) -> list[str]:
    """What is wrong with a tree's imports, a sentence each."""
    known = modules(root)
    pairs = {(name, *each) for name, path in known.items() for each in imports(name, path, known)}
    wrong = []
    for importer, module, name in sorted(pairs):
        ours, theirs = room(importer), room(module)
        if importer.startswith("models") and module.startswith("cmcbench"):
            wrong.append(f"{importer} imports {module}: models know nothing of cmcbench")
        elif importer.startswith("cmcbench.") and module.startswith("models"):
            if ours not in MODELS_TOO or module not in MODELS_FACE:
                wrong.append(f"{importer} imports {module}: only wings and runtime know models, by models/base.py")
        elif importer.startswith("cmcbench.") and module.startswith("cmcbench.") and ours != theirs:
            if ours in WINGS and theirs in WINGS:
                wrong.append(f"{importer} imports {module}: wings meet in files only")
            elif floor(theirs) < floor(ours):
                wrong.append(f"{importer} imports {module}, which stands above it")
        if name.startswith("_") and not name.startswith("__"):
            wrong.append(f"{importer} imports {name} of {module}: a name with an underscore is its file's own")
    between = {(importer, module) for importer, module, _ in pairs if importer != module}
    for one, other in sorted(between):
        if one < other and (other, one) in between:
            wrong.append(f"{one} and {other} import each other")
    return wrong


def too_large(root: Path) -> list[str]:
    """Files and folders that do not fit in one reading, a sentence each."""
    wrong = []
    for top in FOLDERS:
        for folder in [root / top, *(path for path in (root / top).rglob("*") if path.is_dir())]:
            files = sorted(folder.glob("*.py"))
            place = folder.relative_to(root).as_posix()
            if len(files) > MOST_FILES and place not in MANY:
                wrong.append(f"{place} has {len(files)} Python files, {MOST_FILES} are the most")
            for file in files:
                length = len(file.read_text(encoding="utf-8").splitlines())
                if length > LONGEST_FILE:
                    wrong.append(f"{file.relative_to(root)} has {length} lines, {LONGEST_FILE} are the most")
    return wrong


def test_imports_run_one_way_and_no_wing_meets_another():
    assert broken_walls(ROOT) == []


def test_the_picture_of_the_house_shows_the_code():
    assert PICTURE.read_text(encoding="utf-8") == picture(ROOT), "run: python tools/architecture.py"


def test_a_file_and_a_folder_fit_in_one_reading():
    assert too_large(ROOT) == []


WRONG = {
    "a wing that imports a wing": ("cmcbench/score/x.py", "from ..board import leaderboard", "wings meet in files"),
    "a late import of a wing": ("cmcbench/score/x.py", "def f():\n    from ..board import labels", "wings meet"),
    "an import upwards": ("cmcbench/files/x.py", "from ..bitstream import bits", "which stands above it"),
    "the ground importing runtime": ("cmcbench/protocol.py", "from .runtime import cli", "which stands above it"),
    "models that know the benchmark": ("models/x.py", "from cmcbench import protocol", "models know nothing"),
    "a wing that knows a model": ("cmcbench/decode/x.py", "from models.t2i import real", "only wings and runtime"),
    "files that know models": ("cmcbench/files/x.py", "from models.base import Job", "only wings and runtime"),
    "another file's own name": ("cmcbench/board/x.py", "from .y import _one", "a name with an underscore"),
    "a circle": ("cmcbench/board/x.py", "from .y import two", "import each other"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_broken_wall_is_found(tmp_path, what):
    file, text, said = WRONG[what]
    others = {
        "cmcbench/board/leaderboard.py": "",
        "cmcbench/board/labels.py": "",
        "cmcbench/bitstream/bits.py": "",
        "cmcbench/runtime/cli.py": "",
        "cmcbench/protocol.py": "",
        "models/t2i/real.py": "",
        "models/base.py": "",
        "cmcbench/board/y.py": "from . import x\n_one = two = 1" if what == "a circle" else "_one = two = 1",
    }
    for name, content in {**others, file: text}.items():
        path = tmp_path / name
        for folder in (path.parent, path.parent.parent):
            folder.mkdir(parents=True, exist_ok=True)
            if folder != tmp_path:
                (folder / "__init__.py").touch()
        path.write_text(content, encoding="utf-8")
    (wrong,) = broken_walls(tmp_path)
    assert re.search(said, wrong), wrong


def test_a_file_and_a_folder_that_are_too_large_are_found(tmp_path):
    for place in ("cmcbench/files", "models/i2t", "tests", "tools", "benchmarks"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "tools/long.py").write_text("#\n" * (LONGEST_FILE + 1), encoding="utf-8")
    (tmp_path / "tools/fits.py").write_text("#\n" * LONGEST_FILE, encoding="utf-8")
    for number in range(MOST_FILES + 1):
        (tmp_path / f"cmcbench/files/f{number}.py").touch()
        (tmp_path / f"models/i2t/f{number}.py").touch()
    assert too_large(tmp_path) == [
        f"cmcbench/files has {MOST_FILES + 1} Python files, {MOST_FILES} are the most",
        f"tools/long.py has {LONGEST_FILE + 1} lines, {LONGEST_FILE} are the most",
    ]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_git_keeps_no_large_file():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert files and [str(file) for file in files if file.stat().st_size > LARGEST_FILE] == []
