"""What the board writes for others: no control characters, no cell that a spreadsheet runs, no path of this machine."""

from __future__ import annotations

import csv
import json
import unicodedata

import made_results
import pytest
import scored
import scored_results as made

from cmcbench.__main__ import main
from cmcbench.board.leaderboard import update
from cmcbench.board.markup import csv_text

NAMES = (
    "=1+1.png",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "a\r\n=1",
    "\x1b]0;x\x07",
    " =1",
    "\u200b=1",
    "a;=1",
    "＝1+1",
)
TRIGGERS = tuple("=+-@\t\r\n＝＋－＠")


def spreadsheet_runs(cell: str) -> bool:
    """Whether a cell begins as a formula, also where a semicolon divides the cells."""
    parts = cell.split(";")
    return any(part.strip(" \u200b").startswith(TRIGGERS) and not is_number(part) for part in parts)


def is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def check(text: str) -> None:
    for character in text:
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs"), ascii(character)


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_a_formula(name):
    text = csv_text([[name, 1.5, "-1.5", None, f"x{name}"]])
    check(text)
    (cells,) = list(csv.reader(text.splitlines()))
    assert not any(spreadsheet_runs(cell) for cell in cells[:1]) and cells[1:4] == ["1.5", "-1.5", ""]


@pytest.mark.parametrize(
    "text", ["-1.5", "1e-05", "+3", "real", "real@strength=0.3", "vvc-fast", "a=b", "漢字 é 🙂", "0"]
)
def test_numbers_and_ordinary_names_stay(text):
    assert csv_text([[text]]) == f"{text}\n"


@pytest.mark.parametrize("name", NAMES)
def test_leaderboards_of_strangers_names(tmp_path, name):
    for place in ("a", "b"):
        file = scored.write(tmp_path / place, scored.noisy(1), scored.images(1)) / "summary.json"
        found = json.loads(file.read_text(encoding="utf-8"))
        found["made_by"] = {"t2i": f"{name}{place}", "captions": {"file": f"{name}.csv"}, "baseline": None}
        file.write_text(json.dumps({**found, "target": name, "i2t_table": True}), encoding="utf-8")
    update(tmp_path)
    files = [path for path in tmp_path.iterdir() if path.suffix in (".csv", ".md", ".tex")]
    assert len(files) >= 9  # the grid leaves out names that hold an @
    for path in files:
        check(path.read_text(encoding="utf-8"))
        for cells in csv.reader(path.open(encoding="utf-8", newline="")) if path.suffix == ".csv" else ():
            assert not any(map(spreadsheet_runs, cells)), cells


def test_curves_and_comparisons_of_strangers_names(tmp_path):
    results = tmp_path / "Result"
    for name in ("=1+1", "\x1b[2J", "+a"):
        for rate in (0.01, 0.03):
            made_results.target(results, f"{name}@{rate}", {"image": (rate, 0.5 + rate)})
    assert main(["curves", "--results", str(results), "--anchor", "+a", "--resamples", "10"]) == 0
    targets = ["=1+1@0.01", "+a@0.01"]
    assert main(["compare", *targets, "--results", str(results), "--output", str(results / "curves" / "c.csv")]) == 0
    files = [path for path in (results / "curves").iterdir() if path.suffix in (".csv", ".md")]
    assert {path.name for path in files} == {"points.csv", "bd.csv", "cost.md", "bd.md", "c.csv"}
    for path in files:
        check(path.read_text(encoding="utf-8"))
        for cells in csv.reader(path.open(encoding="utf-8", newline="")) if path.suffix == ".csv" else ():
            assert not any(map(spreadsheet_runs, cells)), cells


@pytest.mark.parametrize("captions", ["broken", "missing", "fine"])
def test_the_report_names_no_path_of_this_machine(tmp_path, captions):
    digests = made.truth(tmp_path, made.NAMES[:2])
    made.captions(tmp_path, "gpt4v", dict.fromkeys(digests, "a barn"))
    settings = {"settings": {"model_dir": str(tmp_path / "weights" / "mine"), "command": f"python {tmp_path}/go.py"}}
    manifest = {
        "model_dir": str(tmp_path / "ckpt"),
        "modes": {"full": {**settings, "inputs": {}}},
        "token": "hf_" + "x" * 30,
    }
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002}, manifest=manifest)
    file = tmp_path / "Text" / "gpt4v.csv"
    (tmp_path / "Text" / "gpt4v.json").write_text(json.dumps({"settings": {"model_dir": str(tmp_path / "llava")}}))
    if captions == "broken":
        file.write_bytes(b"\xff\xfe")
    elif captions == "missing":
        file.unlink()
    place = tmp_path / "Result"
    assert main(["report", "--results", str(place), "--ground_truth", str(tmp_path / "GT")]) == 0
    for path in (place / "report").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert str(tmp_path).encode() not in data and b"hf_xxxx" not in data, path
    board = (place / "report" / "data" / "board.js").read_text(encoding="utf-8")
    assert "(path)/ckpt" in board and ("The captions cannot be shown" in board) == (captions != "fine")
