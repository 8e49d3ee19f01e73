"""CSV tables read strictly: what other programs write is understood or refused by name, and no cell is guessed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from whole_tables import READERS

from cmcbench.anchors.imported_costs import read_costs
from cmcbench.errors import BadInput
from cmcbench.files import captions, rates, references
from cmcbench.files.csv_tables import BadTable, number, parse, text_of, whole


@pytest.mark.parametrize(
    "data, columns, cells",
    [
        (b"name,bits\nx.png,8\n", ["name", "bits"], ["x.png", "8"]),
        (b"\xef\xbb\xbfname,bits\nx.png,8\n", ["name", "bits"], ["x.png", "8"]),
        (b"name;bits\r\nx.png;8\r\n", ["name", "bits"], ["x.png", "8"]),
        (b"\xef\xbb\xbfbits;name\r\n0,5;x.png\r\n", ["bits", "name"], ["0,5", "x.png"]),
        (b"name\tbits\nx.png\t8\n", ["name", "bits"], ["x.png", "8"]),
        (b'"name","bits"\n"x.png","8"\n', ["name", "bits"], ["x.png", "8"]),
        (b",name,bits,,\n0,x.png,8,,\n,,,,\n \n", ["name", "bits"], ["x.png", "8"]),
        (b"name,bits\nx.png,8,,,\n", ["name", "bits"], ["x.png", "8"]),
        (b"name , bits\nx.png,8\n", ["name", "bits"], ["x.png", "8"]),
    ],
)
def test_what_other_programs_write_is_understood(data, columns, cells):
    found, rows = parse(data)
    assert found == columns and [list(row.cells.values()) for row in rows] == [cells]
    assert not rows[0].problem


@pytest.mark.parametrize(
    "data, words",
    [
        (b"name,bits,name\n", "has the column 'name' twice"),
        (b"name,bits, bits \n", "has the column 'bits' twice"),
        (b"\xef\xbb\xbfname;name\n", "has the column 'name' twice"),
        (b"name\nx\xff\n", "line 2: is not UTF-8"),
        ("name\nx\n".encode("utf-16"), "line 1: is not UTF-8"),
        (b'name,text\nx.png,"open\n', "line 2: is not a readable CSV"),
        (b'name,text\nx.png,"a" b\n', "line 2: is not a readable CSV"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(data, words):
    with pytest.raises(BadTable, match=words):
        parse(data)


@pytest.mark.parametrize("row", ["a,b,c", "a,b,,c", "a,b,c,", 'a,b," c"'])
def test_surplus_cells_are_a_problem_of_their_row(row):
    _, rows = parse(f"name,text\nx,y\n{row}\nz,y\n".encode())
    assert [(each.line, each.problem) for each in rows] == [
        (2, ""),
        (3, "has more cells than columns: quote the text"),
        (4, ""),
    ]


def test_a_cell_below_a_nameless_column_at_the_end_is_a_surplus_one():
    """Else an unquoted comma would cut the text where a spreadsheet has added columns."""
    _, rows = parse(b"name,text,,\na.png,A red barn, two horses,\n")
    assert rows[0].problem


@pytest.mark.parametrize(
    "text, value", [("0", 0), ("1234.0", 1234), ("1234.", 1234), (" 7 ", 7), ("9" * 15, 10**15 - 1)]
)
def test_whole_numbers(text, value):
    assert whole(text) == value


NO_WHOLE = [
    "",
    "-8",
    "+8",
    "1e3",
    "1234.5",
    "1,204",
    "1.204,0",
    "0,121",
    "1 204",
    "1_204",
    "nan",
    "٣",
    "0x10",
    "9" * 16,
]


@pytest.mark.parametrize("text", NO_WHOLE, ids=ascii)
def test_what_is_not_a_whole_number(text):
    with pytest.raises(ValueError, match="is not a whole number of at least 0") as refusal:
        whole(text)
    assert ("decimal point and without thousands" in str(refusal.value)) == ("," in text)


@pytest.mark.parametrize(
    "text, value", [("0.121", 0.121), (".5", 0.5), ("5.", 5), ("1e-06", 1e-6), ("3E2", 300), ("0", 0)]
)
def test_numbers(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    "text", ["", "0,121", "1,204.5", "-1", "nan", "inf", "1e300", "1e999", "1_0", "٣", "1e", "9" * 99]
)
def test_what_is_not_a_number(text):
    with pytest.raises(ValueError, match="is not a number of at least 0"):
        number(text)


def test_rows_come_back_whatever_their_cells_hold():
    cells = ["", 'a "b"', "c,d", "e\nf", "g\rh", "i;j\tk", " l ", "=1+1", "\u202fm"]
    _, rows = parse(text_of([["name", *map(str, range(8))], cells]).encode())
    assert list(rows[0].cells.values()) == cells


# The tables of this program


@pytest.fixture(params=READERS)
def table(request, tmp_path) -> tuple[Callable[[Path], Any], Path]:
    read, write = READERS[request.param]
    write(tmp_path / request.param)
    return read, tmp_path / request.param


def test_a_byte_order_mark_is_no_column_name(table):
    read, path = table
    before = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path) == before


def test_a_spreadsheet_may_have_saved_the_table(table):
    """With a byte order mark, Windows line ends, semicolons, and empty cells at the end."""
    read, path = table
    before = read(path)
    columns, rows = parse(path.read_bytes())
    cells = [columns, *(list(row.cells.values()) for row in rows)]
    lines = [";".join(f'"{cell}"' for cell in row) + ";;" for row in cells]
    path.write_bytes("\r\n".join(["\ufeff" + lines[0], *lines[1:], ";;;", ""]).encode())
    assert read(path) == before


def test_whole_numbers_may_have_been_through_pandas(tmp_path):
    import pandas

    for name in ("rates.csv", "rate.csv"):
        read, write = READERS[name]
        write(tmp_path / name)
        before = read(tmp_path / name)
        frame = pandas.read_csv(tmp_path / name, dtype=str, keep_default_na=False)
        frame["bits"] = frame["bits"].astype(float)
        frame.to_csv(tmp_path / name)
        assert ",320.0," in (tmp_path / name).read_text() or ",8.0," in (tmp_path / name).read_text()
        assert read(tmp_path / name) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0] + ",name", *(line + ",x" for line in lines[1:])],
        lambda lines: [lines[0], lines[1] + ",more"],
        lambda lines: [lines[0], lines[1].rpartition(",")[0]],
    ],
    ids=["a doubled column", "a surplus cell", "a cut row"],
)
def test_a_table_with_a_wrong_row_is_refused_as_a_whole(table, change):
    read, path = table
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())), encoding="utf-8")
    with pytest.raises((BadInput, ValueError), match="twice|more cells than columns|fewer cells|has no column"):
        read(path)


def test_two_rows_of_one_image_that_differ_are_refused(table):
    read, path = table
    before, lines = read(path), path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, lines[0], lines[1]]), encoding="utf-8")
    assert read(path) == before
    cells = lines[1].rpartition(",")
    path.write_text("\n".join([*lines, f"{cells[0]},7"]), encoding="utf-8")
    with pytest.raises((BadInput, ValueError), match="has two rows for .*, and they differ"):
        read(path)


def test_a_decimal_comma_is_refused_and_named(tmp_path):
    (tmp_path / "rates.csv").write_text("name;mode;bits;decode_seconds;kind\nx.png;text;8;0,25;measured\n")
    with pytest.raises(BadInput, match="line 2: '0,25' is not a number .* decimal point"):
        rates.read(tmp_path / "rates.csv")
    (tmp_path / "sizes.csv").write_text("name,width,height\nx.png,1,204,768\n")
    with pytest.raises(BadInput, match="line 2: has more cells than columns"):
        references.read_sizes(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(table):
    read, path = table
    path.unlink()
    os.mkfifo(path)
    with pytest.raises((BadInput, OSError), match="not a regular file"):
        read(path)


# How long it takes


def test_eight_thousand_rows_of_which_half_are_faulty_take_less_than_a_second(tmp_path):
    faults = ("img{0}.png,1,204", "img{0}.png,", "../img{0}.png,5", "img{0}.png,nan")
    lines = [f"img{i}.png,{i}" if i % 2 else faults[i // 2 % 4].format(i) for i in range(8000)]
    (tmp_path / "bits.csv").write_text("name,bits\n" + "\n".join(lines))
    texts = [line.replace("nan", "\0") for line in lines]
    (tmp_path / "captions.csv").write_text("name,text\n" + "\n".join(texts))
    start = time.process_time()
    _, costs, problems = read_costs(tmp_path / "bits.csv")
    found = captions.read(tmp_path / "captions.csv")
    assert time.process_time() - start < 1
    assert len(costs) == len(problems) == len(found.texts) == len(found.problems) == 4000
