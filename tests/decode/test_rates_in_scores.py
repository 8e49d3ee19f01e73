"""What reconstructions cost, in score tables and summaries."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rate_tables import table_of

from cmcbench.files import scores
from cmcbench.files.rates import Cost
from cmcbench.files.scores import ScoreRow
from cmcbench.files.target import Target
from cmcbench.score.summary import by_mode

pytestmark = pytest.mark.usefixtures("avif")


def score(bench, *more):
    bench.score("--metrics", "psnr", *more)
    with open(bench.folder / "Result/real/scores.csv", newline="") as file:
        return list(csv.DictReader(file)), json.loads((bench.folder / "Result/real/summary.json").read_text())


def test_scores_and_summary_mark_what_is_nominal(published):
    published.decode("--mode", "all")
    rows, summary = score(published)
    spent = table_of(published)
    for row in rows:
        known = spent[Path(row["name"]).stem, row["mode"]]
        assert row["kind"] == known.kind == ("measured" if row["mode"] == "text" else "nominal")
        for column in ("bits", "caption_bits", "deflate_bits", "pixel_bits", "image_bits", "peak_memory"):
            assert int(row[column]) == getattr(known, column)
        assert row["packed_bits"] == row["encode_seconds"] == ""
    for mode, each in summary["modes"].items():
        assert each["rate"]["kind"] == ("measured" if mode == "text" else "nominal")
        assert each["rate"]["ratio"] == pytest.approx(24 / each["bpp"]["mean"])
        parts = [each["rate"][part] for part in ("caption", "pixel", "image")]
        assert sum(parts) == pytest.approx(each["bpp"]["mean"], abs=1e-6)
        assert (
            each["rate"]["packed"] is None
            and each["cost"]["encode_seconds"] is None
            and each["cost"]["peak_memory"] > 10e6
        )


def test_another_picture_inherits_no_row(published):
    published.decode("--mode", "text")
    victim = sorted((published.folder / "Result/real/text").glob("*.png"))[0]
    with Image.open(victim) as image:
        Image.new("RGB", image.size, "white").save(victim)
    rows, summary = score(published)
    assert {row["name"]: row["bits"] == "" for row in rows} == {row["name"]: row["name"] == victim.name for row in rows}
    assert summary["modes"]["text"]["bpp"]["n"] == 3


def test_rates_written_after_scoring_reach_the_table_without_scoring_again(published):
    published.decode("--mode", "text")
    file = published.folder / "Result/real/rates.csv"
    whole = file.read_bytes()
    file.unlink()
    rows, summary = score(published)
    assert {row["bits"] for row in rows} == {""} and summary["modes"]["text"]["rate"] is None
    file.write_bytes(whole)
    done = published.score("--metrics", "psnr")
    assert "scores:" not in done.stderr
    rows, summary = score(published)
    assert "" not in {row["bits"] for row in rows} and summary["modes"]["text"]["rate"]["kind"] == "measured"


def test_a_score_table_from_before_there_were_kinds_keeps_its_scores(tmp_path):
    head = "name,type,source,mode,psnr,bits,bpp,ground_truth,reconstruction"
    (tmp_path / "scores.csv").write_text(f"{head}\nNSI_pgc_000.png,NSI,pgc,text,31.5,80,0.001,aa,bb\n")
    row = scores.read(tmp_path / "scores.csv")["NSI_pgc_000", "text"]
    assert row.scores == {"psnr": 31.5} and row.spent is None and row.bpp == 0.001
    scores.write(tmp_path / "scores.csv", {("NSI_pgc_000", "text"): row})
    assert scores.read(tmp_path / "scores.csv")["NSI_pgc_000", "text"] == row


def test_spent_comes_back_from_a_score_table(tmp_path):
    spent = Cost("a.png", "full", 100, "nominal", 20, 9, 0, 80, None, None, 0.5, 1 << 33)
    row = ScoreRow("a.png", "full", "aa", "bb", {"psnr": 1.0}, spent, 0.25)
    scores.write(tmp_path / "scores.csv", {("a", "full"): row})
    assert scores.read(tmp_path / "scores.csv") == {("a", "full"): row} and row.nominal


def test_rate_and_cost_of_a_mode():
    def row(number: int, **spent) -> ScoreRow:
        bpp = spent["bits"] / 1000 if spent["bits"] else None
        return ScoreRow(f"NSI_pgc_{number:03}.png", "full", "", "", {}, Cost("x", "full", **spent), bpp)

    rows = [
        row(
            1,
            bits=30,
            caption_bits=10,
            deflate_bits=4,
            image_bits=20,
            packed_bits=40,
            decode_seconds=1.0,
            peak_memory=5,
        ),
        row(2, bits=10, caption_bits=10, deflate_bits=6, image_bits=0, decode_seconds=2.0, encode_seconds=4.0),
        row(3, bits=None, decode_seconds=6.0, peak_memory=9),
        ScoreRow("NSI_pgc_004.png", "full", "", ""),
    ]
    found = by_mode(rows, ["full"], [])["full"]
    assert found["bpp"] == {"mean": pytest.approx(0.02), "n": 2}
    assert found["rate"] == {
        "kind": "measured",
        "ratio": pytest.approx(1200),
        "caption": pytest.approx(0.01),
        "deflate": pytest.approx(0.005),
        "pixel": None,
        "image": pytest.approx(0.01),
        "packed": None,
    }
    assert found["cost"] == {"encode_seconds": 4.0, "decode_seconds": 3.0, "peak_memory": 9}
    nominal = replace(rows[0], spent=replace(rows[0].spent, kind="nominal"))
    assert by_mode([nominal, rows[1]], ["full"], [])["full"]["rate"]["kind"] == "nominal"
    nothing = by_mode(rows[3:], ["full"], [])["full"]
    assert nothing["rate"] is None and nothing["cost"] == {
        "encode_seconds": None,
        "decode_seconds": None,
        "peak_memory": None,
    }


def test_a_target_s_row_is_found_by_name_mode_and_content(tmp_path):
    row = Cost("a.png", "full", 100, level="37", scale=2, sha256="s")
    target = Target("t", tmp_path, {}, {}, {row.key: row})
    assert target.spent("a.jpg", "full", "s") == Cost("a.jpg", "full", 100)
    assert (
        target.spent("a.jpg", "text", "s")
        is target.spent("a.jpg", "full", "other")
        is target.spent("b.jpg", "full", "s")
        is None
    )
