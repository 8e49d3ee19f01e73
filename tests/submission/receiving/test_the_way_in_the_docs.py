"""The way from submit to the board, as docs/submission.md prints it: every command runs and ends with its line."""

from __future__ import annotations

import re
import shlex

from bench import ROOT, write_captions

from cmcbench.__main__ import main

PAGE = (ROOT / "docs" / "submission.md").read_text(encoding="utf-8")
COMMANDS, ENDS, TOLD = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[:3]


def plain(lines: list[str]) -> list[str]:
    """Without figures, and without the deviations of these captions, and of these references' rate."""
    kept = (
        line
        for line in lines
        if not line.startswith(("deviation: captions", "deviation: mode", "absent: captions.json"))
    )
    return [re.sub(r"-?\d+\.\d+|is [0-9a-f]{8}.*", "…", line) for line in kept]


def test_the_way_is_as_printed(bench, small_truth, weights, monkeypatch, capsys):
    """On small pictures; captions are written here, since the tagger's network takes long."""
    commands = [shlex.split(line) for line in COMMANDS.replace("\\\n", " ").splitlines()]
    ends = ENDS.splitlines()
    assert len(commands) == len(ends) == 7
    bench.inside = True
    sorted(small_truth.iterdir())[-1].unlink()  # three are left
    write_captions(
        bench.folder / "Text" / "tags.csv", {path.name: f"a red {path.stem}" for path in small_truth.iterdir()}
    )
    bench.encode("--model_name", "none", "--references", "--bpp", "0.3")
    (bench.folder / "Weight").symlink_to(weights)
    monkeypatch.chdir(bench.folder)
    said = []
    for command, end in zip(commands[1:], ends[1:]):
        assert command[0] == "python"
        if command[1] == "-m":
            capsys.readouterr()
            assert main(command[3:]) == 0
            out, err = capsys.readouterr()
            lines = (out or err).splitlines()
        else:
            lines = bench.run(*command[1:]).stderr.splitlines()
        assert lines[-1] == end
        said.append(lines)
    assert plain(said[2]) == plain(TOLD.splitlines()) and len(said[2]) > 12
    assert (bench.folder / "site" / "submissions" / "floor.html").is_file()
