"""Caption files: the published format, what other programs make of it, and what careless and hostile ones hold."""

from __future__ import annotations

import random
from pathlib import Path

import pandas
import pytest

from cmcbench.errors import BadInput
from cmcbench.files.captions import read, write
from cmcbench.files.csv_tables import LARGEST_CELL

EVERY_CHARACTER = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x11000), 0x1F3A8, 0x10FFFF]))
TEXTS = [
    "A red house.",
    'He said "hello, world"',
    "one, two, three",
    '"',
    '""",""',
    "two\nlines",
    "carriage\rreturn",
    "both\r\nof them\r\n\r\nin one",
    "tab\tand;semicolon",
    "naïve café 日本語 🎨 ‮right‬ to left",
    '=HYPERLINK("http://x")',
    "'; DROP TABLE captions; --",
    "\x1b[31mred\x1b[0m \x07 \x7f",
    "inside \ufeff a mark",
    "inside \u2028\u2029\x85\x0b\x0c too",
    "\\n stays \\",
    "# no comment",
    "NA",
    "nan",
    "None",
    "null",
    "0",
    "-1.5e3",
    "True",
]


def file(folder: Path, data: str | bytes) -> Path:
    path = folder / "gpt4v.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def named(texts: list[str]) -> dict[str, str]:
    return {f"NSI_pgc_{i:03}.png": text for i, text in enumerate(texts)}


def same(read_back: dict[str, str], written: dict[str, str]) -> bool:
    """Equal but for white space at the ends, which reading takes off."""
    return read_back == {name: text.strip() for name, text in written.items()}


def test_the_published_format(tmp_path):
    write(tmp_path / "x.csv", {"b.png": "A house.", "a.png": 'A "red" house,\nlarge'})
    assert (tmp_path / "x.csv").read_bytes() == b',name,text\n0,b.png,A house.\n1,a.png,"A ""red"" house,\nlarge"\n'


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_caption_comes_back(tmp_path, text):
    texts = {"a.png": "before", "b.png": text, "c.png": "after"}
    write(tmp_path / "x.csv", texts)
    found = read(tmp_path / "x.csv")
    assert found.texts == texts and list(found.texts) == list(texts) and found.problems == {}


def test_every_character_comes_back(tmp_path):
    texts = named([EVERY_CHARACTER[start : start + 500] for start in range(0, len(EVERY_CHARACTER), 500)])
    write(tmp_path / "x.csv", texts)
    found = read(tmp_path / "x.csv")
    assert same(found.texts, texts) and found.problems == {}


def test_random_texts_come_back(tmp_path):
    chance = random.Random(5)
    texts = named(["x" + "".join(chance.choices("\",\n\r; \\x'", k=chance.randrange(1, 30))) + "x" for _ in range(500)])
    write(tmp_path / "x.csv", texts)
    found = read(tmp_path / "x.csv")
    assert found.texts == texts and found.problems == {}


def test_writing_what_was_read_gives_the_same_bytes(tmp_path):
    write(tmp_path / "x.csv", named(TEXTS))
    write(tmp_path / "y.csv", read(tmp_path / "x.csv").texts)
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


def test_half_a_surrogate_pair_from_a_model_s_api_does_not_stop_a_run(tmp_path):
    write(tmp_path / "x.csv", {"a.png": "a \ud83d house", "b.png": "b"})
    assert read(tmp_path / "x.csv").texts == {"a.png": "a ? house", "b.png": "b"}


def test_names_with_commas_and_unicode_come_back(tmp_path):
    texts = {"a,b.png": "1", "日本 ä.png": "2", "it's.png": "3"}
    write(tmp_path / "x.csv", texts)
    assert read(tmp_path / "x.csv").texts == texts


def test_pandas_reads_our_file_as_the_published_scripts_do(tmp_path):
    write(tmp_path / "x.csv", named(TEXTS))
    table = pandas.read_csv(tmp_path / "x.csv", keep_default_na=False)
    assert list(table.columns) == ["Unnamed: 0", "name", "text"]
    assert list(table["Unnamed: 0"]) == list(range(len(TEXTS)))
    assert dict(zip(table["name"], table["text"])) == named(TEXTS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_we_read_what_pandas_writes(tmp_path, encoding):
    texts = named([text for text in TEXTS if "\r" not in text])  # which pandas loses where Python is older than 3.13
    pandas.DataFrame({"name": list(texts), "text": list(texts.values())}).to_csv(tmp_path / "x.csv", encoding=encoding)
    assert read(tmp_path / "x.csv").texts == texts


def test_an_empty_file_of_captions_can_be_read(tmp_path):
    write(tmp_path / "x.csv", {})
    assert (tmp_path / "x.csv").read_bytes() == b",name,text\n"
    assert read(tmp_path / "x.csv").texts == {} == read(tmp_path / "x.csv").problems


READABLE = {
    "plain": (",name,text\n0,a.png,A house\n", {"a.png": "A house"}),
    "byte order mark": ("\ufeff,name,text\n0,a.png,A house\n", {"a.png": "A house"}),
    "byte order mark before the name": ("\ufeffname,text\na.png,A house\n", {"a.png": "A house"}),
    "no index": ("name,text\na.png,A house\n", {"a.png": "A house"}),
    "other order and more columns": ("text,tokens,name\nA house,3,a.png\n", {"a.png": "A house"}),
    "Windows line ends": (",name,text\r\n0,a.png,A house\r\n1,b.png,B\r\n", {"a.png": "A house", "b.png": "B"}),
    "old Mac line ends": (",name,text\r0,a.png,A house\r1,b.png,B\r", {"a.png": "A house", "b.png": "B"}),
    "no newline at the end": (",name,text\n0,a.png,A house", {"a.png": "A house"}),
    "blank lines": (",name,text\n\n0,a.png,A house\n\n\n", {"a.png": "A house"}),
    "spaces around": (",name,text\n0, a.png ,  A house  \n", {"a.png": "A house"}),
    "quotes within a cell": (',name,text\n0,a.png,a 6" board\n', {"a.png": 'a 6" board'}),
    "empty cells at the end": (",name,text\n0,a.png,A house,,\n,,\n", {"a.png": "A house"}),
    "nameless columns at the end": (",name,text,,\n0,a.png,A house,,\n", {"a.png": "A house"}),
    "semicolons": ("\ufeff;name;text\r\n0;a.png;A house, red\r\n", {"a.png": "A house, red"}),
    "tabs": ("name\ttext\na.png\tA house; red, old\n", {"a.png": "A house; red, old"}),
    "spaces in the header": ("name, text\na.png,A house\n", {"a.png": "A house"}),
    "twice the same, by two endings": (",name,text\n0,a.png,A house\n1,a.jpg,A house\n", {"a.png": "A house"}),
    "names that hold dots": (
        ",name,text\n0,a.v1,One\n1,a.v2,Two\n2,a,None\n",
        {"a.v1": "One", "a.v2": "Two", "a": "None"},
    ),
    "twice the same": (",name,text\n0,a.png,A house\n1,a.png,A house\n", {"a.png": "A house"}),
    "names that differ in case": (",name,text\n0,a.png,A\n1,A.png,B\n", {"a.png": "A", "A.png": "B"}),
}


@pytest.mark.parametrize("data, expected", READABLE.values(), ids=READABLE)
def test_files_of_other_programs(tmp_path, data, expected):
    found = read(file(tmp_path, data))
    assert found.texts == expected and found.problems == {}


WHOLE_FILE = {
    "empty": (b"", "no column name and no column text; its columns are: none"),
    "blank line": (b"\n", "its columns are: none"),
    "byte order mark alone": (b"\xef\xbb\xbf", "its columns are: none"),
    "no text": (b",name\n0,a.png\n", "no column text; its columns are: 'name'"),
    "no name": (b",text\n0,x\n", "no column name;"),
    "bars": (b"|name|text\n0|a.png|x\n", "its columns are: '|name|text'"),
    "a column twice": (b",name,text,text\n0,a.png,x,y\n", "has the column 'text' twice"),
    "a column twice, with a space": (b"name,text, name\na.png,x,b.png\n", "has the column 'name' twice"),
    "upper case": (b",Name,Text\n", "no column name and no column text"),
    "no header": (b"0,a.png,A house\n", "no column name"),
    "Latin-1 in line 3": (b",name,text\n0,a.png,x\n1,b.png,caf\xe9\n", "gpt4v.csv, line 3: is not UTF-8"),
    "UTF-16": (",name,text\n0,a.png,x\n".encode("utf-16"), "line 1: is not UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 1: is not UTF-8"),
    "a cut character": (b",name,text\n0,a.png,caf\xc3", "line 2: is not UTF-8"),
    "JSON": (b'{"a.png": "A house"}', "no column name and no column text"),
    "a huge cell": (b",name,text\n0,a.png,x\n1,b.png," + b"x" * (LARGEST_CELL + 1), "line 3: is not a readable CSV"),
    "a huge header": (b"x" * (LARGEST_CELL + 1) + b",name,text\n", "is not a readable CSV"),
    "a huge name of a column": (b"x" * 5000 + b"\n", "'" + "x" * 40 + "'"),
    "escape sequences in the header": (b"\x1b[2J,\x1b]0;x\x07\n", "'\\x1b[2J', '\\x1b]0;x\\x07'"),
}


@pytest.mark.parametrize("data, words", WHOLE_FILE.values(), ids=WHOLE_FILE)
def test_a_file_that_cannot_be_used_is_refused(tmp_path, data, words):
    with pytest.raises(BadInput) as refusal:
        read(file(tmp_path, data))
    assert words in str(refusal.value) and "gpt4v.csv" in str(refusal.value)
    assert str(refusal.value).isprintable() and len(str(refusal.value)) < 1000


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(BadInput, match="there is no caption file .*missing.csv. Make it with: python script-i2t.py"):
        read(tmp_path / "missing.csv")
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path)


def test_the_largest_cell_is_read(tmp_path):
    found = read(file(tmp_path, ",name,text\n0,a.png," + "x" * LARGEST_CELL + "\n"))
    assert len(found.texts["a.png"]) == LARGEST_CELL


def test_many_columns_are_not_all_shown(tmp_path):
    with pytest.raises(BadInput) as refusal:
        read(file(tmp_path, ",".join(f"column{i}" for i in range(1000)) + "\n"))
    assert "column7" in str(refusal.value) and "column8" not in str(refusal.value)


ROWS = {
    "no text": ("0,bad.png,", "bad.png", "line 3: bad.png has no caption"),
    "white text": ('0,bad.png,"  \n "', "bad.png", "line 4: bad.png has no caption"),
    "an unquoted comma": ("0,bad.png,A red barn, two white horses", "bad.png", "line 3: bad.png: has more cells than"),
    "an unquoted comma, then a good row": (
        "0,bad.png,A red barn, two horses\n1,bad.png,A red barn",
        "bad.png",
        "line 3: bad.png: has more cells than columns: quote the text",
    ),
    "another text under another ending": (
        "0,bad.png,one\n1,bad.jpg,two",
        "bad.jpg",
        "line 4: bad.jpg is in the file twice (as bad.png), with different captions",
    ),
    "another text in another Unicode form": (
        "0,é.png,one\n1,e\u0301.png,two",
        "e\u0301.png",
        "is in the file twice (as é.png)",
    ),
    "a short row": ("0,bad.png", "bad.png", "line 3: bad.png has no caption"),
    "an index alone": ("0", "''", "line 3: '' is not a plain file name"),
    "no name": ("0,,A house", "''", "line 3: '' is not a plain file name"),
    "a folder above": ("0,../x.png,A house", "'../x.png'", "line 3: '../x.png' is not a plain file name"),
    "a folder": ("0,a/x.png,A house", "'a/x.png'", "is not a plain"),
    "an absolute path": ("0,/etc/passwd,A house", "'/etc/passwd'", "is not a plain"),
    "a Windows path": ("0,C:\\x.png,A house", "'C:\\\\x.png'", "is not a plain"),
    "a drive": ("0,C:x.png,A house", "'C:x.png'", "is not a plain"),
    "dots": ("0,..,A house", "'..'", "is not a plain"),
    "an escape sequence": ("0,\x1b[2Jx.png,A house", "'\\x1b[2Jx.png'", "'\\x1b[2Jx.png' is not a plain"),
    "a newline in the name": ('0,"x\ny.png",A house', "'x\\ny.png'", "line 4: 'x\\ny.png' is not"),
    "right to left": ("0,\u202egnp.png,A house", "'\\u202egnp.png'", "is not a plain"),
    "a very long name": (f"0,{'x' * 5000},A house", repr("x" * 80), "is not a plain"),
    "an unfinished file": ("0,.tmp-x.png,A house", "'.tmp-x.png'", "is not a plain"),
    "another text before": ("0,bad.png,one\n1,bad.png,two", "bad.png", "line 4: bad.png is in the file twice"),
    "another text, then the first": (
        "0,bad.png,one\n1,bad.png,two\n2,bad.png,one",
        "bad.png",
        "line 4: bad.png is in the file twice",
    ),
    "no text, then one": ("0,bad.png,\n1,bad.png,two", "bad.png", "line 3: bad.png has no caption"),
    "a text, then none": ("0,bad.png,two\n1,bad.png,", "bad.png", "line 4: bad.png has no caption"),
}


@pytest.mark.parametrize("row, key, reason", ROWS.values(), ids=ROWS)
def test_a_row_that_cannot_be_used_is_a_problem_and_the_others_stay(tmp_path, row, key, reason):
    found = read(file(tmp_path, f",name,text\n0,first.png,First\n{row}\n9,last.png,Last\n"))
    assert found.texts == {"first.png": "First", "last.png": "Last"}
    assert list(found.problems) == [key] and reason in found.problems[key]
    assert found.problems[key].startswith("gpt4v.csv, line ") and found.problems[key].isprintable()


@pytest.mark.parametrize("row, key", [("0,bad.png,a\0b", "bad.png"), ("0,b\0ad.png,x", "'b\\x00ad.png'")])
def test_a_nul_character_is_a_problem(tmp_path, row, key):
    found = read(file(tmp_path, f",name,text\n{row}\n1,a.png,A house\n"))
    assert found.texts == {"a.png": "A house"} and list(found.problems) == [key]


def test_a_failing_write_leaves_the_old_captions(tmp_path, monkeypatch):
    write(tmp_path / "x.csv", {"a.png": "old"})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cmcbench.files.store.os.replace", full)
    with pytest.raises(OSError):
        write(tmp_path / "x.csv", {"a.png": "new"})
    assert read(tmp_path / "x.csv").texts == {"a.png": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
