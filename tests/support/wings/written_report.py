"""A report, and what is written in it."""

from __future__ import annotations

import json

from cmcbench.__main__ import main


def report(folder, *arguments, code=0):
    assert (
        main(
            ["report", "--results", str(folder / "Result"), "--ground_truth", str(folder / "GT"), *map(str, arguments)]
        )
        == code
    )
    return folder / "Result" / "report"


def data(folder, name):
    text = (folder / "data" / f"{name}.js").read_text("ascii")
    start = f'CMC.receive("{name}",'
    assert text.startswith(start) and text.endswith(");\n")
    return json.loads(text[len(start) : -3])


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "."
    }
