"""unpack: what is damaged, misplaced or hostile is named, and the others give their pictures."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from bench import ROOT
from packed_results import TEXTS
from PIL import Image

from cmcbench.bitstream import container, unpack
from cmcbench.bitstream.container import Sent, decode, encode
from cmcbench.errors import BadInput


def test_damaged_and_misplaced_files_are_named_and_the_others_unpacked(folder, capsys):
    stream = decode((folder / "full/SCI_game_000.cmc").read_bytes())
    bad = {
        "full/SCI_game_000.cmc": encode(Sent(**{**stream.__dict__, "stream": stream.stream[:-9]}), "x"),
        "image/odd 1.cmc": b"",
        "pixel/NSI_pgc_000.cmc": (folder / "pixel/NSI_pgc_000.cmc").read_bytes()[:-1],
        "pixel/SCI_game_000.cmc": (folder / "pixel/SCI_game_000.cmc").read_bytes() + b"x",
        "text/odd 1.cmc": (folder / "pixel/odd 1.cmc").read_bytes(),
        "text/NSI_pgc_000.cmc": encode(Sent("text", (65, 64), "another caption"), "x"),
        "text/SCI_game_000.cmc": encode(Sent("text", (64, 64), TEXTS["SCI_game_000.png"]), "x"),
        "text/con.cmc": encode(Sent("text", (64, 64), "a"), "x"),
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    assert unpack.main([str(folder)]) == 1
    said = capsys.readouterr().err
    why = (
        "",
        "is an empty file",
        "truncated",
        "after its end",
        "of mode pixel",
        "another caption",
        "another size",
        "its name",
    )
    for name, words in zip(bad, why):
        assert f"failed: {name}: " in said and words in said
    assert Path("Unpacked/f/Ref/pixel/odd 1.png").exists() and not Path("Unpacked/f/Ref/pixel/NSI_pgc_000.png").exists()
    assert Path("Unpacked/f/Ref/image/NSI_pgc_000.png").exists() and "Traceback" not in said


def test_another_reference_in_another_mode_is_refused(folder, capsys):
    other = decode((folder / "image/NSI_pgc_000.cmc").read_bytes())
    (folder / "image/NSI_pgc_000.cmc").write_bytes(
        encode(Sent(**{**other.__dict__, "stream": other.stream + b"\0"}), "x")
    )
    assert unpack.main([str(folder)]) == 1
    assert (
        "image/NSI_pgc_000.cmc: has another reference than the same picture in another mode" in capsys.readouterr().err
    )


def test_unpacking_again_decodes_no_stream_twice(folder, monkeypatch):
    assert unpack.main([str(folder)]) == 0
    before = {path: path.read_bytes() for path in Path("Unpacked").rglob("*") if path.is_file()}
    calls = []
    original = unpack.codecs.decode_stream
    monkeypatch.setattr(
        unpack.codecs, "decode_stream", lambda *arguments: calls.append(arguments) or original(*arguments)
    )
    assert unpack.main([str(folder)]) == 0 and not calls
    with open("Unpacked/f/Ref/image/NSI_pgc_000.png", "ab") as file:
        file.write(b"x")
    assert unpack.main([str(folder), "--overwrite"]) == 0 and len(calls) == 1
    assert {path: path.read_bytes() for path in Path("Unpacked").rglob("*") if path.is_file()} == before


def test_a_folder_with_other_pictures_is_not_mixed_into(folder):
    Path("Unpacked/f/Ref/image").mkdir(parents=True)
    Path("Unpacked/f/Ref/image/holiday.png").write_bytes(b"mine")
    with pytest.raises(BadInput, match="holds 1 picture.* not of Packed/f .*holiday.png.*--output_path"):
        unpack.main([str(folder)])


@pytest.mark.parametrize("arguments", [["none"], ["Packed/f/text"], ["GT"]])
def test_what_is_no_packed_folder(folder, arguments):
    with pytest.raises(BadInput, match="holds no files full/.*Expected a folder that pack wrote"):
        unpack.main(arguments)


def test_no_name_of_a_file_leads_out_of_the_folder(folder):
    for name in ("..", "...", "a\\b", "a:b", ".hidden"):
        (folder / "text" / f"{name}.cmc").write_bytes(encode(Sent("text", (64, 64), "a"), "x"))
    unpack.main([str(folder), "--output_path", "deep/out"])
    assert {path.name for path in Path("deep").iterdir()} == {"out"} and not Path("deep/.csv").exists()


def test_a_file_too_large_is_not_read(folder, monkeypatch, capsys):
    monkeypatch.setattr(unpack, "LARGEST_FILE", 20)
    assert unpack.main([str(folder)]) == 1
    assert "full/SCI_game_000.cmc: cannot be read: it has more than 20 bytes" in capsys.readouterr().err


def test_flipped_bits_end_without_a_traceback(ready):
    """Whole runs on files with a bit flipped anywhere; small AVIF streams, which decode in this process."""
    from cmcbench.codecs import Avif

    codec, chance = Avif(), random.Random(3)
    with Image.open("GT/NSI_pgc_000.png") as image:
        stream = codec.encode(image.convert("RGB"), 5)
    grid = bytes(range(2))
    whole = {
        "full": Sent("full", (65, 64), "A house.", None, "avif", 1, stream),
        "image": Sent("image", (65, 64), None, None, "avif", 1, stream),
        "pixel": Sent("pixel", (65, 64), "A house.", grid),
        "text": Sent("text", (65, 64), "A house."),
    }
    for mode, sent in whole.items():
        Path("Packed/f", mode).mkdir(parents=True)
        for number in range(40):
            data = bytearray(encode(sent, "x", deflated=bool(number % 2)))
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            Path("Packed/f", mode, f"{mode}{number}.cmc").write_bytes(data)
    assert unpack.main(["Packed/f"]) in (0, 1)
    assert len(list(Path("Unpacked/f/Ref/pixel").iterdir())) > 10


def test_twenty_bytes_that_claim_the_largest_picture_take_little_memory(ready):
    """Of every codec, with a stream of noise and with none; ffmpeg's memory counts too."""
    chance, folder = random.Random(1), Path("Packed/x/image")
    folder.mkdir(parents=True)
    for codec in range(len(container.CODECS)):
        for scale in (0, 2):
            stream = chance.randbytes(13) if scale else b""
            data = b"\xcb" + bytes((0x10 | scale,)) + b"\xb8\x49" * 2 + bytes((codec,)) + stream
            (folder / f"c{codec}s{scale}.cmc").write_bytes(data)
    program = (
        "import resource; from cmcbench.bitstream import unpack; from cmcbench.decode.clock import own_peak\n"
        "code = unpack.main(['Packed/x'])\n"
        "print(code, own_peak() >> 20, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    code, own, children = map(int, done.stdout.split())
    assert code == 1 and f"{2 * len(container.CODECS)} failed:" in done.stderr and "Traceback" not in done.stderr
    assert own < 200 and children < 200  # MiB; the picture would take 265


@pytest.mark.parametrize(
    "table", ["name,width\nx.png,3\n", "name,width,height\nx.png,0,5\n", "name,width,height\nx.png,65000,65000\n"]
)
def test_sizes_that_no_picture_has_are_refused(ready, table):
    Path("Ref/sizes.csv").write_text(table)
    done = ready.decode("--mode", "text", "--input_path", "Text/odd.csv", "--result_name", "t", code=2)
    assert "Ref/sizes.csv is not a table of sizes" in done.stderr


def test_a_broken_table_is_refused_and_replaced_where_asked(folder):
    assert unpack.main([str(folder)]) == 0
    whole = Path("Unpacked/f/Ref/rate.csv").read_bytes()
    Path("Unpacked/f/Ref/rate.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="rate.csv is not a rate file of this program .* or use --overwrite"):
        unpack.main([str(folder)])
    assert Path("Unpacked/f/Ref/rate.csv").read_text() == "a,b\n1,2\n"
    assert unpack.main([str(folder), "--overwrite"]) == 0 and Path("Unpacked/f/Ref/rate.csv").read_bytes() == whole
