"""Tables of bits as other programs write them, and files that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from cmcbench.anchors import imports
from cmcbench.errors import BadInput
from cmcbench.files import rates

NAMES = ["scene.v1", "scene.v2", "caf\u00e9", "plain"]


@pytest.fixture
def ready(tmp_path, monkeypatch) -> Path:
    """GT and theirs, of four images."""
    monkeypatch.chdir(tmp_path)
    for folder in ("GT", "theirs"):
        Path(folder).mkdir()
        for name in NAMES:
            Image.new("RGB", (20, 30), "navy").save(Path(folder) / f"{name}.png")
    return tmp_path


def bring(data: str | bytes, *more: str) -> int:
    Path("bits.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return imports.main(["theirs", "--bits", "bits.csv", "--name", "cdc", *more])


def bits() -> dict[str, int | None]:
    return {stem: row.bits for (stem, _), row in rates.read(Path("Result/cdc/rates.csv")).items()}


EXPECTED = {"scene.v1": 100, "scene.v2": 200, "caf\u00e9": 300, "plain": 400}
TABLES = {
    "names without an ending": "name,bits\nscene.v1,100\nscene.v2,200\ncaf\u00e9,300\nplain,400\n",
    "names of streams": "name,bits\nscene.v1.bin,100\nscene.v2.vvc,200\ncaf\u00e9.266,300\nplain.cmc,400\n",
    "another Unicode form": "name,bits\nscene.v1,100\nscene.v2,200\ncafe\u0301.jpg,300\nplain,400\n",
    "what pandas writes": ",name,bits,n\n0,scene.v1,100.0,\n1,scene.v2,200.0,x\n2,caf\u00e9,300.0,\n3,plain,400.0,\n",
    "what a spreadsheet writes": "\ufeff"
    + "".join(
        f"{row};;\r\n" for row in ("name;bits", "scene.v1;100", "scene.v2;200", "caf\u00e9;300", "plain;400", ";")
    ),
    "tabs": "name\tbits\nscene.v1\t100\nscene.v2\t200\ncaf\u00e9\t300\nplain\t400\n",
}


@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES)
def test_tables_of_other_programs(ready, data):
    assert bring(data) == 0 and bits() == EXPECTED


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_decimal_comma_is_never_another_number(ready, delimiter, capsys):
    rows = [["name", "bpp"], ["scene.v1", "0,121"], ["scene.v2", "0.121"], ["plain", "1,204.5"]]
    assert bring("\n".join(map(delimiter.join, rows)), "--images", "[sp]*") == 1
    said = capsys.readouterr().err
    assert bits() == {"scene.v2": round(0.121 * 600)}
    assert "line 2: scene.v1: " in said and "line 4: plain: " in said


def test_a_faulty_row_is_reported_once(ready, capsys):
    assert bring("name,bits\nscene.v1.png,many\nscene.v2,200\ncaf\u00e9,300\nplain.bin,-1\n") == 1
    said = capsys.readouterr().err
    assert "2 failed:" in said and said.count("many") == 1 and said.count("'-1'") == 1
    assert "has no row" not in said


def test_two_names_of_one_image_are_compared(ready, capsys):
    assert bring("name,bits\nplain.png,400\nplain.bin,400\nscene.v2,200\nscene.v2.png,201\n", "--images", "[sp]*") == 1
    assert bits() == {"plain": 400}
    assert "line 5: scene.v2.png is in the table twice, with different values" in capsys.readouterr().err


SPOILED = {
    "a dangling link": lambda path: (path.unlink(), path.symlink_to("nowhere.png")),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "an empty file": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("folder", ["GT", "theirs"])
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_picture_that_cannot_be_read_stops_nothing(ready, folder, spoil, capsys):
    spoil(Path(folder) / "plain.png")
    assert bring(TABLES["tabs"]) == 1
    said = capsys.readouterr().err
    assert "1 failed:" in said and "plain.png" in said and "Traceback" not in said
    assert bits() == {name: number for name, number in EXPECTED.items() if name != "plain"}


def test_a_picture_without_the_right_to_read_it_stops_nothing(ready, monkeypatch, capsys):
    original = os.open

    def opened(path, *arguments, **options) -> int:
        if Path(path).name == "plain.png" and Path(path).parent.name == "GT":
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **options)

    monkeypatch.setattr(os, "open", opened)
    assert bring(TABLES["tabs"]) == 1
    said = capsys.readouterr().err
    assert "plain.png: cannot be read (Permission denied)" in said and len(bits()) == 3


def test_when_no_picture_can_be_read_nothing_is_written(ready):
    for path in Path("theirs").iterdir():
        path.unlink()
        path.symlink_to("nowhere.png")
    with pytest.raises(BadInput, match="is not in theirs"):
        bring(TABLES["tabs"])
    assert not Path("Result").exists()


def test_a_pipe_in_the_place_of_the_table_is_refused(ready):
    os.mkfifo("bits.csv")
    with pytest.raises(BadInput, match="--bits: bits.csv cannot be read .it is not a regular file"):
        imports.main(["theirs", "--bits", "bits.csv", "--name", "cdc"])


@pytest.mark.parametrize("name", ["image", "stream"])
def test_a_folder_of_the_target_that_is_a_link_is_refused(ready, name):
    Path("elsewhere").mkdir()
    Path("Result/cdc").mkdir(parents=True)
    Path("Result/cdc", name).symlink_to(Path("elsewhere").resolve())
    with pytest.raises(BadInput, match=f"Result/cdc/{name} is a link"):
        bring(TABLES["tabs"])
    assert not list(Path("elsewhere").iterdir())
