"""Unpacking zips of pictures: honest ones land flat and whole, hostile ones write nothing."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from cmcbench.data.unzip import Unpacked, total_size, unpack
from cmcbench.errors import RunFailed
from cmcbench.files.zips import END


def make(path: Path, entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED, **attributes: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo("x.png")
            info.filename = name  # the constructor would cut it at a NUL
            info.compress_type = method
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return path


def go(archive: Path, folder: Path, overwrite: bool = False) -> Unpacked:
    folder.mkdir(exist_ok=True)
    return unpack(archive, folder, overwrite)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folders_are_left_out_and_what_is_no_picture_is_skipped(tmp_path):
    entries = [
        ("GT/", b""),
        ("GT/AIGI/AIGI_MJ_001.png", b"a"),
        ("GT/NSI_pgc_000.PNG", b"b"),
        ("./SCI_game_000.jpg", b"c"),
        ("__MACOSX/GT/._NSI_pgc_000.png", b"d"),
        ("GT/.DS_Store", b"e"),
        ("GT/Thumbs.db", b"f"),
        ("GT/read me.txt", b"g"),
    ]
    archive = make(tmp_path / "a.zip", entries)
    done = go(archive, tmp_path / "GT")
    assert names(tmp_path / "GT") == ["AIGI_MJ_001.png", "NSI_pgc_000.PNG", "SCI_game_000.jpg"]
    assert done.skipped == ["'GT/read me.txt'"] and done.written == 3 and total_size(archive) == 3
    assert (tmp_path / "GT" / "NSI_pgc_000.PNG").read_bytes() == b"b"


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "x/../../a.png",
        "/tmp/a.png",
        "C:/a.png",
        "C:a.png",
        "x\\a.png",
        "..\\a.png",
        "a.png\0.txt",
        "x\0/a.png",
    ],
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    archive = make(tmp_path / "a.zip", [("b.png", b"b"), (name, b"a")])
    with pytest.raises(RunFailed, match="would lead out of its folder"):
        go(archive, tmp_path / "GT")
    assert names(tmp_path / "GT") == [] and names(tmp_path) == ["GT", "a.zip"]


def test_an_entry_without_a_name_is_no_picture(tmp_path):
    done = go(make(tmp_path / "a.zip", [("", b"a"), ("b.png", b"b")]), tmp_path / "GT")
    assert done.skipped == ["''"] and names(tmp_path / "GT") == ["b.png"]


@pytest.mark.parametrize("name", ["a*.png", "con.png", "a\x1b[31m.png", "a\u202e.png", f"{'a' * 300}.png"])
def test_names_that_no_file_should_have_are_refused(tmp_path, name):
    with pytest.raises(RunFailed, match="whose name no file here can have") as error:
        go(make(tmp_path / "a.zip", [(name, b"a")]), tmp_path / "GT")
    assert str(error.value).isprintable() and not names(tmp_path / "GT")


@pytest.mark.parametrize("second", ["a.png", "other/a.png", "A.PNG", "a.jpg"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_for_one_image_are_refused(tmp_path, second):
    with pytest.raises(RunFailed, match="would become one image"):
        go(make(tmp_path / "a.zip", [("a.png", b"a"), (second, b"b")]), tmp_path / "GT")
    assert not names(tmp_path / "GT")


@pytest.mark.parametrize(
    "mode, message",
    [(stat.S_IFLNK | 0o777, "is a link"), (stat.S_IFIFO | 0o644, "is no file"), (stat.S_IFCHR | 0o644, "is no file")],
)
def test_links_and_devices_are_refused(tmp_path, mode, message):
    with pytest.raises(RunFailed, match=message):
        go(
            make(tmp_path / "a.zip", [("a.png", b"/etc/passwd")], external_attr=mode << 16, create_system=3),
            tmp_path / "GT",
        )
    assert not names(tmp_path / "GT")


def test_methods_that_are_seldom_and_encryption_are_refused(tmp_path):
    with pytest.raises(RunFailed, match="packed by method"):
        go(make(tmp_path / "a.zip", [("a.png", b"a")], zipfile.ZIP_BZIP2), tmp_path / "GT")
    data = bytearray(make(tmp_path / "b.zip", [("a.png", b"a")]).read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + place] |= 1
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(RunFailed, match="encrypted"):
        go(tmp_path / "b.zip", tmp_path / "GT")


def test_bombs_are_refused(tmp_path):
    with pytest.raises(RunFailed, match="more than 20 times"):
        go(make(tmp_path / "a.zip", [("a.png", bytes(1_000_000))]), tmp_path / "GT")
    data = bytearray(make(tmp_path / "b.zip", [("a.png", b"a")]).read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, 1 << 30)  # the size that the directory tells
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(RunFailed, match="of 1,073,741,824 bytes"):
        go(tmp_path / "b.zip", tmp_path / "GT")
    assert not names(tmp_path / "GT")


def test_a_directory_of_very_many_entries_is_not_read(tmp_path, monkeypatch):
    archive = make(tmp_path / "a.zip", [("a.png", b"a")])
    data = archive.read_bytes()
    end = END.size
    fields = list(END.unpack(data[-end:]))
    fields[3] = fields[4] = 60_000
    archive.write_bytes(data[:-end] + END.pack(*fields))
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the directory was read"))
    with pytest.raises(RunFailed, match="60,000 entries"):
        go(archive, tmp_path / "GT")
    # and the same told in the larger format
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 5_000_000, 5_000_000, 1 << 30, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(data) - end, 1)
    archive.write_bytes(data[:-end] + end64 + locator + data[-end:])
    with pytest.raises(RunFailed, match="5,000,000 entries"):
        go(archive, tmp_path / "GT")


def test_an_honest_zip_in_the_larger_format_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    archive = make(tmp_path / "a.zip", [("a.png", b"a"), ("b.png", b"b")])
    assert b"PK\6\7" in archive.read_bytes()
    go(archive, tmp_path / "GT")
    assert names(tmp_path / "GT") == ["a.png", "b.png"]


def test_what_is_no_zip_or_damaged_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK" + bytes(100))
    with pytest.raises(RunFailed, match="is it one"):
        go(tmp_path / "a.zip", tmp_path / "GT")
    with pytest.raises(RunFailed, match="no pictures"):
        go(make(tmp_path / "b.zip", [("a.txt", b"a")]), tmp_path / "GT")
    data = make(tmp_path / "c.zip", [("a.png", bytes(range(256)))], zipfile.ZIP_STORED).read_bytes()
    (tmp_path / "c.zip").write_bytes(data.replace(bytes(range(100, 110)), bytes(10), 1))
    with pytest.raises(RunFailed, match="c.zip cannot be unpacked.*CRC"):
        go(tmp_path / "c.zip", tmp_path / "GT")
    with pytest.raises(RunFailed, match="c.zip cannot be unpacked"):
        (tmp_path / "c.zip").write_bytes(data.replace(b"PK\1\2", b"PK\1\3"))
        total_size(tmp_path / "c.zip")
    assert not names(tmp_path / "GT")


def test_files_that_are_there_stay(tmp_path):
    folder = tmp_path / "GT"
    folder.mkdir()
    entries = {"same.png": b"1", "other.png": b"2", "folder.png": b"3", "link.png": b"4", "new.png": b"5"}
    archive = make(tmp_path / "a.zip", list(entries.items()))
    (folder / "same.png").write_bytes(b"1")
    (folder / "other.png").write_bytes(b"mine")
    (folder / "folder.png").mkdir()
    outside = tmp_path / "outside"
    outside.write_bytes(b"outside")
    (folder / "link.png").symlink_to(outside)
    before = (folder / "same.png").stat().st_mtime_ns
    done = go(archive, folder)
    assert done.kept == ["other.png", "folder.png", "link.png"] and done.written == 1
    done = go(archive, folder, overwrite=True)
    assert done.kept == ["folder.png"] and done.written == 2
    assert (folder / "other.png").read_bytes() == b"2" and (folder / "same.png").stat().st_mtime_ns == before
    # a link is replaced, and what it pointed to is left as it was
    assert outside.read_bytes() == b"outside" and not (folder / "link.png").is_symlink()


def test_a_zip_made_by_a_stream_is_read(tmp_path):
    """Entries whose sizes stand behind the content, as programs write them that cannot go back."""

    class Stream(io.RawIOBase):
        def __init__(self):
            self.content = b""

        def writable(self):
            return True

        def write(self, data):
            self.content += bytes(data)
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"abc" * 10)
    (tmp_path / "a.zip").write_bytes(stream.content)
    go(tmp_path / "a.zip", tmp_path / "GT")
    assert (tmp_path / "GT" / "a.png").read_bytes() == b"abc" * 10


@pytest.mark.parametrize("place, value", [(12, 5_000_000), (16, 5_000_000), (12, 0xFFFFFFF0), (16, 0)])
def test_offsets_that_contradict_each_other_are_one_line(tmp_path, place, value):
    data = bytearray(make(tmp_path / "a.zip", [("a.png", b"a"), ("b.png", b"b")]).read_bytes())
    struct.pack_into("<L", data, len(data) - END.size + place, value)
    (tmp_path / "a.zip").write_bytes(data)
    for read in (total_size, lambda archive: go(archive, tmp_path / "GT")):
        try:
            read(tmp_path / "a.zip")
        except RunFailed as failure:
            assert str(failure).startswith("a.zip cannot be unpacked: ")
    assert set(names(tmp_path / "GT")) <= {"a.png", "b.png"}


def test_an_entry_that_lies_before_the_file_is_one_line(tmp_path):
    data = bytearray(make(tmp_path / "a.zip", [("a.png", b"a")]).read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 42, 0)  # where the entry lies
    struct.pack_into("<L", data, len(data) - END.size + 16, 1 << 20)  # and where the directory
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(RunFailed, match="a.zip cannot be unpacked"):
        go(tmp_path / "a.zip", tmp_path / "GT")


def test_damaged_zips_of_every_kind_end_in_a_line_and_write_nothing_else(tmp_path):
    chance, ends, turns = random.Random(4), set(), int(os.environ.get("CMCBENCH_FUZZ", 400))
    whole = [
        make(tmp_path / "s.zip", [("GT/a.png", bytes(range(200))), ("b.png", b"b" * 50)], method).read_bytes()
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ]
    folder, archive = tmp_path / "GT", tmp_path / "x.zip"
    for turn in range(turns):
        data = bytearray(whole[turn % 2])
        for _ in range(chance.choice((1, 1, 2, 6))):
            data[chance.randrange(len(data))] = chance.choice((0, 255, 128, chance.randrange(256)))
        if chance.random() < 0.2:
            begin = chance.randrange(len(data))
            del data[begin : begin + chance.choice((1, 8, 100))]
        archive.write_bytes(data)
        try:
            total_size(archive)
            go(archive, folder, overwrite=True)
            ends.add("read")
        except RunFailed as failure:
            assert str(failure).startswith("x.zip cannot be unpacked: ")
            ends.add("refused")
        assert {path.name for path in tmp_path.iterdir()} <= {"GT", "s.zip", "x.zip"}
    assert ends == {"read", "refused"} and not list(folder.glob(".tmp-*"))


def test_what_a_killed_run_left_is_swept_and_nothing_of_others(tmp_path):
    folder = tmp_path / "GT"
    folder.mkdir()
    for name in (".tmp-a.png-x1y2", ".tmp-b-c.png-8zu", ".tmp-other.png-abc", "old.png"):
        (folder / name).write_bytes(b"")
    go(make(tmp_path / "a.zip", [("a.png", b"a"), ("b-c.png", b"b")]), folder)
    assert names(folder) == [".tmp-other.png-abc", "a.png", "b-c.png", "old.png"]
