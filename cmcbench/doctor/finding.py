"""What the doctor finds: one thing that is there, missing or worth knowing, and the command that mends it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK, MISSING, NOTE = "ok", "missing", "note"


@dataclass(frozen=True)
class Finding:
    """area: machine, data or results. state: OK, MISSING (one of the three steps cannot run) or NOTE.

    text: what was found. remedy: the command that mends it, "" where nothing is to be done. facts: for machines.
    """

    area: str
    what: str
    state: str
    text: str
    remedy: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def download(part: str, root: Path, *flags: str) -> str:
    """The command that fetches a part of the published data set."""
    return " ".join(
        ["python -m cmcbench download", part, *flags, *([] if is_here(root) else ["--root", shlex.quote(str(root))])]
    )


def step(script: str, root: Path, *flags: str) -> str:
    """The command of one of the three steps; where the data are elsewhere, with the flags that say so.

    flags: each with its value, which is quoted; one that stands below the root begins with "ROOT/".
    """
    places = {
        "script-i2t.py": ("--ground_truth ROOT/GT", "--output_path ROOT/Text", "--ref_dir ROOT/Ref"),
        "script-t2i.py": ("--ground_truth ROOT/GT", "--ref_dir ROOT/Ref", "--output_path ROOT/Result"),
        "script-evaluate.py": ("--gt_path ROOT/GT", "--results ROOT/Result", "--model_weight ROOT/Weight"),
    }[script]
    return " ".join(["python", script, *(_flag(flag, root) for flag in (*flags, *(() if is_here(root) else places)))])


def _flag(flag: str, root: Path) -> str:
    name, _, value = flag.partition(" ")
    value = (root / value.removeprefix("ROOT/")).as_posix() if value.startswith("ROOT/") else value
    return f"{name} {shlex.quote(value)}" if value else name


def is_here(root: Path) -> bool:
    return root == Path(".")


def some(names: list[str], shown: int = 3) -> str:
    """The first names of a list, and how many there are more."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown:,} more" if len(names) > shown else "")
