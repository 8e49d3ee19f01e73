"""Counted, estimated and nominal rates, from the command that brings them to every table of the board."""

from __future__ import annotations

import csv
import shutil

import pytest
from bench import write_captions
from PIL import Image
from scoring_runs import METRICS, board, summary

from cmcbench.anchors import imports
from cmcbench.board.curves import command as curves


@pytest.fixture
def three(faked, small_truth):
    """Result/cdc@0.02 of estimated bits, Result/cod@0.01 of streams, and Result/real of references that no rate.csv
    tells of.
    """
    for folder in ("theirs", "Ref/image"):
        shutil.copytree(small_truth, faked.folder / folder)
    (faked.folder / "bin").mkdir()
    with open(faked.folder / "bits.csv", "w") as file:
        print("name,bpp", file=file)
        for path in small_truth.iterdir():
            (faked.folder / "bin" / f"{path.stem}.bin").write_bytes(bytes(20))
            print(f"{path.name},0.02", file=file)
            with Image.open(path) as image:
                image.reduce(2).resize(image.size).save(faked.folder / "theirs" / path.name)
    places = ["--ground_truth", str(small_truth), "--output_path", str(faked.folder / "Result")]
    theirs, bits = (str(faked.folder / name) for name in ("theirs", "bits.csv"))
    assert imports.main([theirs, "--bits", bits, "--estimated", "--name", "cdc@0.02", *places]) == 0
    assert imports.main([theirs, "--streams", str(faked.folder / "bin"), "--name", "cod@0.01", *places]) == 0
    write_captions(faked.folder / "Text/gpt4v.csv", {path.name: "a caption" for path in small_truth.iterdir()})
    faked.decode("--mode", "image")
    return faked


KINDS = {"cdc@0.02": "estimated", "cod@0.01": "measured", "real": "nominal"}


def test_a_rate_is_called_what_it_is_everywhere(three):
    three.score("--target", "all", *METRICS)
    assert {name: summary(three, f"Result/{name}")["modes"]["image"]["rate"]["kind"] for name in KINDS} == KINDS
    for name, kind in KINDS.items():
        with open(three.folder / "Result" / name / "scores.csv", newline="") as file:
            assert {row["kind"] for row in csv.DictReader(file)} == {kind}
    assert {row["target"]: row["rate"] for row in board(three) if row["mode"] == "image"} == KINDS
    text = (three.folder / "Result/leaderboard.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if "| image" in line]
    signs = {target: rate[6:] for _, target, _, _, rate, *_ in lines}
    assert {name: signs[name] for name in KINDS} == {"cdc@0.02": "†", "cod@0.01": "", "real": "\\*"}
    assert curves.main(["--results", str(three.folder / "Result"), "--resamples", "20"]) == 0
    with open(three.folder / "Result/curves/points.csv", newline="") as file:
        assert {row["target"]: row["kind"] for row in csv.DictReader(file)} == KINDS


def test_an_estimate_that_becomes_streams_is_counted(three):
    """The same name with streams is refused until it is made anew, and then the mark goes."""
    from cmcbench.errors import BadInput

    arguments = [str(three.folder / "theirs"), "--streams", str(three.folder / "bin"), "--name", "cdc@0.02"]
    arguments += ["--ground_truth", str(three.folder / "GT"), "--output_path", str(three.folder / "Result")]
    with pytest.raises(BadInput, match="made otherwise"):
        imports.main(arguments)
    assert imports.main([*arguments, "--overwrite"]) == 0
    three.score("--target", "cdc@0.02", *METRICS)
    (row,) = [row for row in board(three) if (row["target"], row["mode"]) == ("cdc@0.02", "image")]
    assert row["rate"] == "measured"
