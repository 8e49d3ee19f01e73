"""unpack into a folder that holds something already: nothing is replaced without --overwrite, no link is followed, and
one bad file costs the others nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from cmcbench.bitstream import unpack
from cmcbench.bitstream.container import Sent, encode
from cmcbench.codecs import Avif
from cmcbench.errors import BadInput
from cmcbench.files import captions
from cmcbench.files.references import read_rates, read_sizes

SIZE = (65, 64)
TEXTS = {"a": "A red barn, two horses", "scene.v1": "one", "scene.v2": "two"}


@pytest.fixture(scope="module")
def stream() -> bytes:
    return Avif().encode(Image.new("RGB", SIZE, "navy"), 5)


@pytest.fixture
def packed(tmp_path, monkeypatch, stream) -> Path:
    """Packed/f with three images in all modes; the working folder is the one that holds it."""
    monkeypatch.chdir(tmp_path)
    for stem, text in TEXTS.items():
        for sent in (
            Sent("full", SIZE, text, None, "avif", 1, stream),
            Sent("image", SIZE, None, None, "avif", 1, stream),
            Sent("pixel", SIZE, text, b"ab"),
            Sent("text", SIZE, text),
        ):
            put(Path("Packed/f"), f"{sent.mode}/{stem}.cmc", encode(sent, stem))
    return Path("Packed/f")


def put(folder: Path, name: str, data: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_the_same_files_again_change_nothing(packed):
    assert unpack.main(["Packed/f"]) == 0
    before = files(Path("Unpacked/f"))
    assert unpack.main(["Packed/f"]) == 0 and files(Path("Unpacked/f")) == before
    assert captions.read(Path("Unpacked/f/Text/f.csv")).texts == {f"{stem}.png": text for stem, text in TEXTS.items()}


def test_more_files_join_what_is_there(packed):
    later = packed / "text/b.cmc"
    assert unpack.main(["Packed/f"]) == 0
    put(packed, "text/b.cmc", encode(Sent("text", SIZE, "later"), "b"))
    assert later.exists() and unpack.main(["Packed/f"]) == 0
    assert captions.read(Path("Unpacked/f/Text/f.csv")).texts["b.png"] == "later"


STRANGERS = {
    "Text/f.csv": b"name,text\na.png,my own words\n",
    "Ref/rate.csv": b"mine",
    "Ref/sizes.csv": b"name,width,height\na.png,5,5\n",
    "Ref/image/a.png": b"my own picture",
    "Ref/pixel/a.png": b"my own picture",
    "Ref/stream/a.obu": b"my own stream",
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_is_there_is_not_replaced_without_overwrite(packed, name, capsys):
    put(Path("out"), name, STRANGERS[name])
    arguments = ["Packed/f", "--output_path", "out"]
    if name.endswith(".csv"):
        with pytest.raises(BadInput, match=f"{name} .*--overwrite"):
            unpack.main(arguments)
        assert files(Path("out")) == {name: STRANGERS[name]}
    else:
        assert unpack.main(arguments) == 1
        said = capsys.readouterr().err
        assert f"out/{name} is there with other content" in said and "--overwrite" in said
        assert Path("out", name).read_bytes() == STRANGERS[name]
        assert ("image", "scene.v2") in read_rates(Path("out/Ref/rate.csv"))
    assert unpack.main([*arguments, "--overwrite"]) == 0
    assert unpack.main(["Packed/f"]) == 0 and files(Path("out")) == files(Path("Unpacked/f"))


@pytest.mark.parametrize("name", ["Text/f.csv", "Ref/rate.csv", "Ref/sizes.csv", "Ref/image/a.png", "Ref/stream/a.obu"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_in_the_place_of_a_file_is_never_followed(packed, name, dangling):
    assert unpack.main(["Packed/f"]) == 0
    theirs = Path("theirs.txt").resolve()
    if not dangling:
        theirs.write_bytes(b"theirs")
    link = Path("out", name)
    link.parent.mkdir(parents=True)
    link.symlink_to(theirs)
    try:
        unpack.main(["Packed/f", "--output_path", "out"])
    except BadInput:
        assert link.is_symlink()
    assert unpack.main(["Packed/f", "--output_path", "out", "--overwrite"]) == 0
    assert not link.is_symlink() and files(Path("out")) == files(Path("Unpacked/f"))
    assert not theirs.exists() if dangling else theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["Text", "Ref", "Ref/image", "Ref/pixel", "Ref/stream"])
def test_a_folder_that_is_a_link_is_refused(packed, name):
    Path("theirs").mkdir()
    Path("out", name).parent.mkdir(parents=True, exist_ok=True)
    Path("out", name).symlink_to(Path("theirs").resolve())
    for more in ([], ["--overwrite"]):
        with pytest.raises(BadInput, match=f"out/{name} is a link"):
            unpack.main(["Packed/f", "--output_path", "out", *more])
    assert not list(Path("theirs").iterdir())


def test_the_output_folder_itself_may_be_a_link(packed):
    Path("disk").mkdir()
    Path("out").symlink_to("disk")
    assert unpack.main(["Packed/f", "--output_path", "out"]) == 0 and Path("disk/Ref/rate.csv").is_file()


def unreadable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = unpack.read_bytes

    def read(each, largest):
        if each.name == path.name and each.parent.name == path.parent.name:
            raise PermissionError(13, "Permission denied", str(each))
        return original(each, largest)

    monkeypatch.setattr(unpack, "read_bytes", read)


BAD = {
    "empty": lambda path, _: path.write_bytes(b""),
    "dangling": lambda path, _: (path.unlink(), path.symlink_to("nowhere")),
    "a pipe": lambda path, _: (path.unlink(), os.mkfifo(path)),
    "unreadable": unreadable,
    "a stream of noise": lambda path, _: path.write_bytes(encode(Sent("full", SIZE, "x", None, "avif", 1, b"no"), "a")),
    "a decoder that runs out of memory": lambda _, patch: patch.setattr(unpack, "enlarged", exhausted),
}


def exhausted(*_):
    raise MemoryError


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_one_bad_file_does_not_cost_the_others_their_tables(packed, spoil, monkeypatch, capsys):
    spoil(packed / "full/a.cmc", monkeypatch)
    assert unpack.main(["Packed/f"]) == 1
    said = capsys.readouterr().err
    assert "failed: " in said and "Traceback" not in said
    root = Path("Unpacked/f")
    assert set(captions.read(root / "Text/f.csv").texts) == {f"{stem}.png" for stem in TEXTS}
    assert {("image", "scene.v1"), ("image", "a")} <= read_rates(root / "Ref/rate.csv").keys()
    assert read_sizes(root / "Ref") == dict.fromkeys(TEXTS, SIZE)


def test_unfinished_files_of_a_killed_run_are_removed(packed):
    left = ["Ref/.tmp-rate.csv-x", "Ref/image/.tmp-a.png-x", "Ref/stream/.tmp-a.obu-x", "Text/.tmp-f.csv-x"]
    for name in left:
        put(Path("Unpacked/f"), name, b"half")
    assert unpack.main(["Packed/f"]) == 0
    assert not list(Path("Unpacked").rglob(".tmp-*"))
