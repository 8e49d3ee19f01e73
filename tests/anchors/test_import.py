"""python -m cmcbench import: strangers' pictures and tables of bits."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from cmcbench.anchors import imports
from cmcbench.errors import BadInput, RunFailed
from cmcbench.files import rates
from cmcbench.files.store import digest, only_writer

SIZES = {"NSI_pgc_000": (20, 30), "NSI_ugc_001": (64, 64), "x": (1, 1)}


@pytest.fixture
def gt(tmp_path) -> Path:
    return pictures(tmp_path / "GT")


@pytest.fixture
def theirs(tmp_path) -> Path:
    return pictures(tmp_path / "theirs")


def pictures(folder: Path) -> Path:
    folder.mkdir()
    for i, (stem, size) in enumerate(SIZES.items()):
        Image.new("RGB", size, (i, 2, 3)).save(folder / f"{stem}.png")
    return folder


def table(folder: Path, *rows: str) -> Path:
    (folder / "bits.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "bits.csv"


def bring(tmp_path: Path, *more: str, name: str = "cdc@0.02") -> int:
    return imports.main(
        [
            str(tmp_path / "theirs"),
            "--bits",
            str(tmp_path / "bits.csv"),
            "--name",
            name,
            "--ground_truth",
            str(tmp_path / "GT"),
            "--output_path",
            str(tmp_path / "Result"),
            *more,
        ]
    )


def rows(tmp_path: Path, name: str = "cdc@0.02") -> dict[tuple[str, str], rates.Cost]:
    return rates.read(tmp_path / "Result" / name / "rates.csv")


WHOLE = ["name,bits", "NSI_pgc_000.png,100", "NSI_ugc_001.png,200", "x.png,8"]


def test_pictures_and_bits_become_a_target(tmp_path, gt, theirs):
    (theirs / "NSI_pgc_000.png").unlink()
    Image.new("RGBA", SIZES["NSI_pgc_000"], (9, 9, 9, 9)).save(theirs / "NSI_pgc_000.webp", lossless=True)
    table(
        tmp_path,
        "index,name,bits,encode_seconds,decode_seconds,peak_memory,note",
        "0,NSI_pgc_000.bin,100,1.5,0.25,1000,hello",
        "1,NSI_ugc_001.png,200,,,,",
        "2,x.png,0,2,,7,",
    )
    assert bring(tmp_path) == 0
    found = rows(tmp_path)
    assert set(found) == {(stem, "image") for stem in SIZES}
    row = found["NSI_pgc_000", "image"]
    assert (row.bits, row.image_bits, row.kind, row.encode_seconds, row.decode_seconds, row.peak_memory) == (
        100,
        100,
        "measured",
        1.5,
        0.25,
        1000,
    )
    assert (found["NSI_ugc_001", "image"].encode_seconds, found["x", "image"].bits) == (None, 0)
    for (stem, mode), row in found.items():
        path = tmp_path / "Result" / "cdc@0.02" / mode / f"{stem}.png"
        assert row.sha256 == digest(path.read_bytes()) and row.name == path.name
        with Image.open(path) as image:
            assert (image.size, image.mode, image.format) == (SIZES[stem], "RGB", "PNG")
    manifest = json.loads((tmp_path / "Result" / "cdc@0.02" / "manifest.json").read_text())
    assert (manifest["t2i"], manifest["imported"], manifest["baseline"]) == ("cdc", True, False)


@pytest.mark.parametrize(
    "unit, value, bits", [("bytes", "13", 104), ("bpp", "0.5", 300), ("bpp", "0.0201", 12), ("bits", "77", 77)]
)
def test_units(tmp_path, gt, theirs, unit, value, bits):
    table(tmp_path, f"name,{unit}", f"NSI_pgc_000.png,{value}")
    assert bring(tmp_path, "--images", "NSI_pgc*") == 0
    assert rows(tmp_path)["NSI_pgc_000", "image"].bits == bits


def test_modes_of_one_target_stand_side_by_side(tmp_path, gt, theirs):
    table(tmp_path, *WHOLE)
    assert bring(tmp_path) == 0 and bring(tmp_path, "--mode", "full") == 0
    assert set(rows(tmp_path)) == {(stem, mode) for stem in SIZES for mode in ("image", "full")}


def test_a_second_run_makes_nothing_and_another_picture_or_bits_are_refused(tmp_path, gt, theirs, monkeypatch):
    table(tmp_path, *WHOLE)
    assert bring(tmp_path, "--images", "x*") == 0 and bring(tmp_path) == 0
    with monkeypatch.context() as patch:
        patch.setattr(imports, "_bring", None)
        assert bring(tmp_path) == 0
    table(tmp_path, *WHOLE[:3], "x.png,16")
    with pytest.raises(BadInput, match="1 came from another file .first: x.*--overwrite"):
        bring(tmp_path)
    assert bring(tmp_path, "--overwrite") == 0 and rows(tmp_path)["x", "image"].bits == 16
    Image.new("RGB", (1, 1), "red").save(theirs / "x.png")
    with pytest.raises(BadInput, match="1 came from another file"):
        bring(tmp_path)
    table(tmp_path, "name,bytes", "NSI_ugc_001.png,16")
    with pytest.raises(BadInput, match="unit was bits and is bytes now"):
        bring(tmp_path, "--images", "NSI_ugc*")


BAD_ROWS = {
    "../x.png,8": r"'../x.png' is not a plain file name",
    "/etc/passwd,8": "'/etc/passwd' is not a plain file name",
    r"..\x.png,8": "is not a plain file name",
    ",8": "'' is not a plain file name",
    "x.png,-8": "x.png: '-8' is not a whole number",
    "x.png,1,204,5": "x.png: has more cells than columns: quote the text",
    'x.png,"1,204"': "'1,204' is not a whole number of at least 0: write it with a decimal point",
    "x.png,1_204": "'1_204' is not a whole number",
    "x.png,8,1,5": "x.png: has more cells than columns",
    "x.png,nan": "'nan' is not a whole number",
    "x.png,1e3": "'1e3' is not a whole number",
    "x.png,": "'' is not a whole number",
    "x.png": "'' is not a whole number",
    "x.png,٣": "is not a whole number",
    "x.png," + "9" * 5000: "is not a whole number",
    "x.png,99999999999": r"99999999999|1e\+11 bits is more than a picture of 1x1 can take",
    "x.png,8,inf": "'inf' is not a number of at least 0",
    "x.png,8,-1": "'-1' is not a number",
    "x.png,8,soon": "'soon' is not a number",
    "unknown.png,8": "unknown: there is no such ground truth",
    "x.png,8\nx.png,9": "x.png is in the table twice, with different values",
    "x.png,8\nx.jpg,9\nx.png,8": "x.jpg is in the table twice",
}


@pytest.mark.parametrize("row, words", BAD_ROWS.items())
def test_a_bad_row_is_named_and_the_others_go_on(tmp_path, gt, theirs, row, words, capsys):
    table(tmp_path, "name,bits,encode_seconds", *(f"{line}," for line in WHOLE[1:3]), row)
    assert bring(tmp_path) == 1
    said = capsys.readouterr().err
    assert re.search(words, said.replace("\\\\", "\\")), said
    assert set(rows(tmp_path)) == {("NSI_pgc_000", "image"), ("NSI_ugc_001", "image")}
    assert not list(tmp_path.rglob("passwd*")) and sorted(path.name for path in (tmp_path / "Result").iterdir()) == [
        "cdc@0.02"
    ]


def test_bad_bpp(tmp_path, gt, theirs, capsys):
    table(tmp_path, "name,bpp", "NSI_pgc_000.png,0.1", "NSI_ugc_001.png,inf", "x.png,1e300")
    assert bring(tmp_path) == 1
    said = capsys.readouterr().err
    assert "'inf' is not a number" in said and "'1e300' is not a number" in said and len(rows(tmp_path)) == 1


def test_bad_pictures_are_named_and_the_others_go_on(tmp_path, gt, theirs, capsys):
    Image.new("RGB", (21, 30)).save(theirs / "NSI_pgc_000.png")
    (theirs / "x.png").write_bytes(b"no picture")
    Image.new("RGB", (9, 9)).save(theirs / "more.png")
    table(tmp_path, *WHOLE)
    assert bring(tmp_path) == 1
    said = capsys.readouterr().err
    assert "NSI_pgc_000.png: has 21x30 pixels, its ground truth 20x30" in said
    assert "x.png: is no picture that Pillow can read" in said and "more: there is no such ground truth" in said
    assert set(rows(tmp_path)) == {("NSI_ugc_001", "image")}


def test_what_lacks_a_picture_or_a_row_is_named(tmp_path, gt, theirs, capsys):
    (theirs / "x.png").unlink()
    table(tmp_path, WHOLE[0], WHOLE[1], WHOLE[3])
    assert bring(tmp_path) == 1
    said = capsys.readouterr().err
    assert "x: is in" in said and "NSI_ugc_001: is in" in said and "has no row" in said
    assert set(rows(tmp_path)) == {("NSI_pgc_000", "image")}


BAD_TABLES = {
    "no name": (b"file,bits\nx.png,8\n", "needs a column name and one of bits, bytes, bpp"),
    "no bits": (b"name,size\nx.png,8\n", "its columns are: 'name', 'size'"),
    "two units": (b"name,bits,bpp\nx.png,8,8\n", "needs a column name and one of bits, bytes, bpp"),
    "a column twice": (b"name,bits,bits\nx.png,8,9\n", "has the column 'bits' twice"),
    "empty": (b"", "its columns are: none"),
    "no UTF-8": (b"name,bits\n\xff,8\n", "line 2: is not UTF-8"),
    "an open quote": (b'name,bits\n"x.png,8\n', "is not a readable CSV"),
    "a huge cell": (b"name,bits\nx.png," + b"8" * (1 << 21) + b"\n", "is not a readable CSV"),
    "nothing in common": (b"name,bits\ny.png,8\n", "no image of .* is both in .* and in .*; they are paired by name"),
}


@pytest.mark.parametrize("content, words", BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_table_that_is_none_is_refused_and_nothing_is_done(tmp_path, gt, theirs, content, words):
    (tmp_path / "bits.csv").write_bytes(content)
    with pytest.raises(BadInput, match=words):
        bring(tmp_path)
    assert not (tmp_path / "Result").exists()


def test_folders_and_names_that_are_none(tmp_path, gt, theirs):
    with pytest.raises(BadInput, match="--bits: .* cannot be read"):
        bring(tmp_path)
    table(tmp_path, *WHOLE)
    for name in ("../out", "a/b", ".hidden", "", "a:b", "curves", "report"):  # the last two hold figures and pages
        with pytest.raises(BadInput, match="--name"):
            bring(tmp_path, name=name)
    shutil.rmtree(theirs)
    with pytest.raises(BadInput, match="holds no images to import"):
        bring(tmp_path)
    assert not (tmp_path / "Result").exists() and not (tmp_path / "out").exists()


def test_a_folder_of_another_maker_is_refused(tmp_path, gt, theirs):
    table(tmp_path, *WHOLE)
    assert bring(tmp_path, name="a") == 0
    shutil.move(tmp_path / "Result" / "a", tmp_path / "Result" / "b")
    with pytest.raises(BadInput, match="holds results of a, not of b"):
        bring(tmp_path, name="b")


def test_two_modes_of_a_target_are_not_written_at_once(tmp_path, gt, theirs):
    """They share rates.csv and the manifest: each would write its own over the other's."""
    table(tmp_path, *WHOLE)
    with only_writer(imports.Output(tmp_path / "Result" / "cdc", "full", {}, {}, "", {}).lock, "x"):
        with pytest.raises(RunFailed, match="another run is writing"):
            bring(tmp_path, "--mode", "image", name="cdc")
    assert bring(tmp_path, "--mode", "image", name="cdc") == bring(tmp_path, "--mode", "full", name="cdc") == 0
    assert {mode for _, mode in rows(tmp_path, "cdc")} == {"image", "full"}
