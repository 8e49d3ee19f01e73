"""What lies in a folder of references and is not this run's is refused and not touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_references import HEADER, damage, files, foreign_picture, make, rows
from PIL import Image

from cmcbench.encode import references
from cmcbench.errors import BadInput
from cmcbench.files.references import ReferenceRate, read_rates, write_rates


def without_row(ref: Path) -> None:
    rates = read_rates(ref / "rate.csv")
    del rates["pixel", "NSI_pgc_000"]
    write_rates(ref / "rate.csv", rates)


def row_of_another_codec(ref: Path) -> None:
    rates = read_rates(ref / "rate.csv")
    rates["image", "NSI_pgc_000"] = replace(rates["image", "NSI_pgc_000"], codec="vvc")
    write_rates(ref / "rate.csv", rates)


FOREIGN = {
    "another picture": (foreign_picture, "is not of this run"),
    "no rate.csv": (lambda ref: (ref / "rate.csv").unlink(), "5 reference(s)"),
    "no row": (without_row, "pixel/NSI_pgc_000.png, is not of this run"),
    "another codec": (row_of_another_codec, "is made with vvc 0.02 (expected: avif 0.02"),
    "a damaged picture without a row": (
        lambda ref: (without_row(ref), damage(ref / "pixel" / "NSI_pgc_000.png")),
        "is not of",
    ),
}


@pytest.mark.parametrize("change, words", FOREIGN.values(), ids=FOREIGN)
def test_what_this_program_did_not_make_is_refused_and_not_touched(truth, ref, worked, change, words):
    (ref / "image" / "SCI_game_000.png").unlink()  # so that there is work, which may not begin
    change(ref)
    before = files(ref)
    with pytest.raises(BadInput) as refusal:
        make(truth, ref)
    said = str(refusal.value)
    assert words in said and "--ref_dir" in said and "--overwrite" in said
    assert files(ref) == before and worked == {}


def test_published_references_are_refused_and_not_touched(truth, tmp_path, avif, worked):
    """The published Ref/image has no rate.csv."""
    foreign_picture(tmp_path / "Ref")
    before = files(tmp_path / "Ref")
    with pytest.raises(BadInput, match=r"1 reference\(s\) in .* is not of this run"):
        make(truth, tmp_path / "Ref")
    assert files(tmp_path / "Ref") == before and worked == {}


def test_foreign_pictures_of_other_names_are_nobody_s_business(truth, ref):
    Image.new("RGB", (9, 9)).save(ref / "image" / "holiday.png")
    (ref / "notes.txt").write_text("mine")
    before = files(ref)
    make(truth, ref)
    assert files(ref) == before


def test_another_rate_is_refused(truth, ref, worked):
    before = files(ref)
    with pytest.raises(BadInput, match=r"3 reference\(s\) .* is made with avif 0.02 \(expected: avif 0.03"):
        make(truth, ref, budget=0.03)
    assert files(ref) == before and worked == {}


@pytest.mark.parametrize("change", ["pixels", "file", "gone"])
def test_another_ground_truth_is_refused(gt, ref, worked, change):
    path = gt / "NSI_pgc_000.png"
    if change == "pixels":
        Image.new("RGB", (96, 64), "red").save(path)
    elif change == "file":
        path.write_bytes(path.read_bytes()[:-12] + bytes(12))
    else:
        path.unlink()
        path.symlink_to(gt / "moved.png")
    before = files(ref)
    with pytest.raises(BadInput, match=r"2 reference\(s\) .* is not of this run"):
        make(gt, ref)
    assert files(ref) == before and worked == {}


def test_another_codec_than_before_is_refused(truth, ref, monkeypatch):
    """An ffmpeg that was not there the first time."""
    monkeypatch.setattr(references, "ffmpeg_program", lambda: "ffmpeg")
    with pytest.raises(BadInput, match=r"is made with avif 0.02 \(expected: vvc 0.02"):
        make(truth, ref)


def test_overwrite_makes_everything_anew(truth, ref, worked):
    before = files(ref)
    foreign_picture(ref)
    make(truth, ref, overwrite=True)
    assert files(ref) == before and worked == {"pixel": 3, "image": 3}
    make(truth, ref, budget=0.4, overwrite=True)
    assert {row["budget"] for row in rows(ref)} == {"", "0.4"} and files(ref) != before
    make(truth, ref, overwrite=True)
    assert files(ref) == before


def test_overwrite_leaves_the_pictures_that_are_not_chosen(gt, ref):
    """And another rate for some of them is refused: references of two rates in one folder would pass for one."""
    before = files(ref)
    for overwrite in (False, True):
        with pytest.raises(BadInput, match="is made with avif 0.02 .expected: avif 0.4"):
            make(gt, ref, budget=0.4, overwrite=overwrite, only="SCI")
    assert files(ref) == before
    Image.new("RGB", (33, 44), "red").save(gt / "SCI_game_000.png")
    make(gt, ref, overwrite=True, only="SCI")
    after = files(ref)
    changed = {"rate.csv", "image/SCI_game_000.png", "pixel/SCI_game_000.png", "stream/SCI_game_000.obu"}
    assert {name for name in before if before[name] != after[name]} == changed


NO_TABLE = "rate.csv is not a rate file of this program .* Move it away, or use --overwrite"
BROKEN_TABLES = {
    "empty": (b"", NO_TABLE),
    "one word": (b"hello", NO_TABLE),
    "no rows": (HEADER + b"\n", "6 reference.* not of this run"),  # so that the pictures are nobody's
    "other columns": (b"a,b\n1,2\n", NO_TABLE),
    "no UTF-8": (b"\xff\xfe\0", NO_TABLE),
    "no number": (HEADER + b"\nx.png,image,many,1,1,1,avif,0.5,1,1,x,y\n", NO_TABLE),
    "a short row": (HEADER + b"\nx.png,image\n", NO_TABLE),
    "a long row": (HEADER + b"\nx.png,image,1,1,1,1,avif,0.5,1,1,x,y,z,z\n", NO_TABLE),
    "a huge cell": (HEADER + b"\n" + b"x" * (1 << 21) + b"\n", NO_TABLE),
}


@pytest.mark.parametrize("table, words", BROKEN_TABLES.values(), ids=BROKEN_TABLES)
def test_a_broken_rate_csv_is_refused_and_made_anew_where_asked(truth, ref, table, words):
    whole = files(ref)
    (ref / "rate.csv").write_bytes(table)
    before = files(ref)
    with pytest.raises(BadInput, match=words):
        make(truth, ref)
    assert files(ref) == before
    make(truth, ref, overwrite=True)
    assert files(ref) == whole


def test_rates_come_back(tmp_path):
    rates = {
        rate.key: rate
        for rate in (
            ReferenceRate("b, x.png", "image", 320, "0.02", 128, 125, "vvc", "0.02", "7", 2, "0" * 16, "f" * 16),
            ReferenceRate("日本.jpg", "pixel", 8, "0.001953", 64, 64, "rgb332", "", "", 64, "0" * 16, "1" * 16),
        )
    }
    write_rates(tmp_path / "rate.csv", rates)
    assert read_rates(tmp_path / "rate.csv") == rates and set(rates) == {("image", "b, x"), ("pixel", "日本")}
    assert read_rates(tmp_path / "missing.csv") == {}
