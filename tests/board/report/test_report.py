"""python -m cmcbench report: what is written, what is kept, what is refused. (test_report_page.py looks at it in a
browser.)
"""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import sys
import time

import pytest
import scored_results as made
from bench import ROOT
from PIL import Image
from written_report import content, data, report

from cmcbench.board.page import build, command, thumbnails
from cmcbench.errors import BadInput
from cmcbench.files.store import write_json
from cmcbench.runtime import pace


def test_the_report_holds_everything_that_it_needs(scored):
    folder = report(scored)
    board, images, first = data(folder, "board"), data(folder, "images"), data(folder, "target-0")
    assert [target["name"] for target in board["targets"]] == ["real", "vvc@0.02"]
    assert (
        len([line for line in board["lines"] if line["status"] == "published" and line["mode"].startswith("overall")])
        == 18
    )
    whole = next(
        line
        for line in board["lines"]
        if line.get("target") == 0 and line["mode"] == "overall" and "content" not in line
    )
    assert whole["ranks"]["overall"] == 1 and whole["low"]["overall"] < whole["overall"] < whole["high"]["overall"]
    assert (
        images["names"] == [f"{name}.png" for name in made.NAMES[:3]]
        and images["types"] == ["NSI"] * 3
        and images["sizes"] == [[60, 40]] * 3
    )
    assert first["captions"][1] == "caption of NSI_pgc_001" and first["modes"]["text"]["bits"] == [5, 5, 5]
    assert {curve["label"] for curve in board["curves"]} == {"real", "vvc"}
    assert board["featured"][0]["kind"] == "typical" and len(board["featured"]) == 3
    spread = board["distributions"]["topiq_fr"]["rows"][0]
    assert spread["quantiles"] == sorted(spread["quantiles"]) and sum(spread["counts"]) == spread["n"] == 3
    for thumb, full in [*images["truth"], *first["modes"]["full"]["pictures"]]:
        with Image.open(folder / thumb) as small, Image.open(folder / full) as picture:
            assert small.format == "WEBP" and picture.size == (60, 40)


def test_nothing_of_the_page_points_out_of_its_folder(scored):
    folder = report(scored)
    page = (folder / "index.html").read_text()
    sources = [source for source in re.findall(r' (?:src|href)="([^"]*)"', page) if not source.startswith("#")]
    assert len(sources) > 15 and all((folder / source).is_file() for source in sources), sources
    ours = [
        path for path in folder.rglob("*") if path.suffix in (".js", ".css", ".html") and "vendor" not in path.parts
    ]
    assert len(ours) > 15 and not any("http://" in path.read_text() or "https://" in path.read_text() for path in ours)


def test_the_second_run_makes_only_what_is_missing_and_the_same_bytes(scored, monkeypatch):
    folder = report(scored)
    before = content(folder)
    (folder / "pictures" / "thumbs" / "truth" / "NSI_pgc_001.webp").unlink()
    read = []
    real = thumbnails.read_rgb
    monkeypatch.setattr(thumbnails, "read_rgb", lambda data, name: read.append(name) or real(data, name))
    assert content(report(scored)) == before and read == ["NSI_pgc_001.png"]
    # A file that was only touched is read and not drawn anew
    os.utime(scored / "GT" / "NSI_pgc_002.png")
    report(scored)
    assert read == ["NSI_pgc_001.png"]
    other = scored / "other"
    report(scored, "--output", other)
    assert content(other) == before


def test_a_picture_that_is_not_the_one_that_was_scored_is_marked(scored):
    folder = report(scored)
    assert data(folder, "target-0")["modes"]["full"]["changed"] == []
    before = (folder / "pictures/thumbs/targets/real/full/NSI_pgc_002.webp").read_bytes()
    made.picture(scored / "Result" / "real" / "full" / "NSI_pgc_002.png", 77)
    report(scored)
    assert data(folder, "target-0")["modes"]["full"]["changed"] == [2]
    assert (folder / "pictures/thumbs/targets/real/full/NSI_pgc_002.webp").read_bytes() != before


def test_what_a_removed_target_left_is_swept_and_nothing_else(scored):
    folder = report(scored)
    (folder / "notes.txt").write_text("mine")
    for name in ("summary.json", "scores.csv"):
        (scored / "Result" / "vvc@0.02" / name).unlink()
    report(scored)
    assert (
        not (folder / "pictures" / "full" / "targets" / "vvc@0.02").exists()
        and not (folder / "data" / "target-1.js").exists()
    )
    assert (folder / "notes.txt").read_text() == "mine" and (folder / "pictures" / "full" / "targets" / "real").is_dir()


def test_a_forged_record_removes_nothing_outside(scored):
    folder = report(scored)
    victim = scored / "victim.txt"
    victim.write_text("here")
    (folder / "out").symlink_to(scored)
    record = json.loads((folder / ".made.json").read_text())
    record["files"] += ["../../victim.txt", str(victim), "out/victim.txt", "..", "", 3, "a\0b"]
    record["thumbs"] = {
        "../../victim.txt": ["webp 80, 256", 1, 1, "x", 1, 1],
        "pictures/thumbs/truth/NSI_pgc_000.webp": "no record",
    }
    write_json(folder / ".made.json", record)
    report(scored)
    assert victim.read_text() == "here"


@pytest.mark.parametrize("record", ["{", '{"thumbs": 3, "files": {}}'])
def test_a_damaged_record_is_said_or_made_again(scored, record):
    folder = report(scored)
    (folder / ".made.json").write_text(record)
    if record == "{":
        with pytest.raises(BadInput, match="not readable JSON"):
            report(scored)
    else:
        assert content(report(scored))


def test_a_folder_that_is_not_ours_is_refused(scored):
    with pytest.raises(BadInput, match="holds files that are not of a report"):
        report(scored, "--output", scored / "GT")
    (scored / "file").write_text("")
    with pytest.raises(BadInput, match="is a file, not a folder"):
        report(scored, "--output", scored / "file")


def test_a_damaged_picture_stops_nothing(scored, capsys):
    (scored / "Result" / "real" / "full" / "NSI_pgc_001.png").write_bytes(b"no picture")
    folder = report(scored, code=1)
    assert "targets/real/full/NSI_pgc_001.png" in capsys.readouterr().err
    pictures = data(folder, "target-0")["modes"]["full"]["pictures"]
    assert pictures[1] == 1 and isinstance(pictures[0], list)


def test_pictures_that_no_browser_shows_are_copied_as_png(scored):
    with Image.open(scored / "GT" / "NSI_pgc_000.png") as image:
        image.save(scored / "GT" / "NSI_pgc_000.tif")
    (scored / "GT" / "NSI_pgc_000.png").unlink()
    folder = report(scored, "--pictures", "links")
    thumb, full = data(folder, "images")["truth"][0]
    assert full == "pictures/full/truth/NSI_pgc_000.png" and (folder / full).read_bytes()[1:4] == b"PNG"
    assert data(folder, "images")["truth"][1][1] == "../../GT/NSI_pgc_001.png"


def test_copies_until_they_would_fill_a_disk(scored, monkeypatch):
    folder = report(scored)
    assert data(folder, "board")["pictures"] == "copies" and (folder / "pictures" / "full").is_dir()
    monkeypatch.setattr(build, "LARGEST_COPY", 1000)
    report(scored)
    assert data(folder, "board")["pictures"] == "links" and not (folder / "pictures" / "full").exists()
    assert (folder / data(folder, "target-0")["modes"]["full"]["pictures"][0][1]).is_file()
    report(scored, "--pictures", "thumbs")
    assert data(folder, "target-0")["modes"]["full"]["pictures"][0][1] == ""


def test_an_interrupted_run_keeps_what_it_made(scored, monkeypatch):
    real, calls = thumbnails.read_rgb, []

    def stop(data, name):
        calls.append(name)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(data, name)

    monkeypatch.setattr(thumbnails, "read_rgb", stop)
    with pytest.raises(KeyboardInterrupt):
        report(scored)
    kept = json.loads((scored / "Result" / "report" / ".made.json").read_text())["thumbs"]
    assert kept and not list((scored / "Result" / "report").rglob(".tmp-*"))
    calls.clear()
    monkeypatch.setattr(thumbnails, "read_rgb", lambda data, name: calls.append(name) or real(data, name))
    folder = report(scored)
    assert len(calls) == 12 - len(kept) and (folder / "index.html").is_file()


def test_a_killed_run_has_recorded_most_of_what_it_made(scored, monkeypatch):
    folder, real, recorded = scored / "Result" / "report", thumbnails.read_rgb, []
    calls: list[str] = []
    leftover = folder / "pictures" / "thumbs" / "truth" / ".tmp-x"

    def read(data, name):
        """As slow as saving: two threads work, so all but two of the pictures before are recorded in the end."""
        calls.append(name)
        wanted, deadline = len(calls) - 3, time.monotonic() + 60
        while (found := len(json.loads((folder / ".made.json").read_text())["thumbs"])) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        recorded.append(found)
        return real(data, name)

    report(scored)
    for file in folder.rglob("*.webp"):
        file.unlink()
    (folder / ".made.json").write_text("{}")
    leftover.parent.mkdir(exist_ok=True)
    leftover.write_text("")
    monkeypatch.setattr(thumbnails, "SAVED", 0)
    monkeypatch.setattr(pace, "PAUSE", 0)
    monkeypatch.setattr(thumbnails.os, "cpu_count", lambda: None)
    monkeypatch.setattr(thumbnails, "read_rgb", read)
    report(scored)
    assert recorded[0] == 0 and 8 < max(recorded) < 12 and not leftover.exists()


def test_after_scoring_it_is_quick(scored, monkeypatch, capsys):
    monkeypatch.setattr(command, "QUICK", 5)
    command.after_scoring(scored / "Result", scored / "GT")
    folder = scored / "Result" / "report"
    assert "12 thumbnails are not made yet" in capsys.readouterr().err and not (folder / "pictures").exists()
    assert data(folder, "images")["truth"][0] == ["", "../../GT/NSI_pgc_000.png"]
    report(scored)
    assert data(folder, "images")["truth"][0][0]


def run_evaluate(monkeypatch, folder, no_report, code=0):
    told = {"no_report": no_report, "gt_path": str(folder / "GT"), "submit": False, "boards": [folder / "Result"]}
    options = argparse.Namespace(**told)
    monkeypatch.setattr("cmcbench.score.command.main", lambda argv: (code, [folder / "Result" / "real"], options))
    monkeypatch.setattr(sys, "argv", ["script-evaluate.py"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "script-evaluate.py"), run_name="__main__")
    return end.value.code


def test_scoring_ends_with_the_report_unless_it_is_told_not_to(scored, monkeypatch):
    assert run_evaluate(monkeypatch, scored, no_report=True) == 0
    assert not (scored / "Result" / "report").exists()
    assert run_evaluate(monkeypatch, scored, no_report=False, code=1) == 1
    assert (scored / "Result" / "report" / "index.html").is_file()


def test_a_report_that_fails_does_not_fail_the_scoring(scored, monkeypatch, capsys):
    (scored / "Result" / "report").mkdir()
    (scored / "Result" / "report" / "mine.txt").write_text("mine")
    assert run_evaluate(monkeypatch, scored, no_report=False) == 0
    assert "the report was not written" in capsys.readouterr().err
    assert [path.name for path in (scored / "Result" / "report").iterdir()] == ["mine.txt"]
