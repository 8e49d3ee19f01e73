"""pack and unpack: what is packed is what the decoder got, and what is unpacked gives the same pictures; refusals by
name.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench import ROOT, SAMPLES, Bench
from PIL import Image

from cmcbench.bitstream import container, pack, unpack
from cmcbench.bitstream.container import Sent, decode, encode
from cmcbench.bitstream.grid import enlarged
from cmcbench.errors import BadInput
from cmcbench.files import captions

SIZES = {"NSI_pgc_000": (65, 64), "SCI_game_000": (200, 130), "odd 1": (1, 1)}
TEXTS = {
    "NSI_pgc_000.png": 'A "red"\nhouse, שלום 🏠\r\n\x1b[31m\x07é',
    "SCI_game_000.png": "wörd " * 599 + "wörd.",  # 3,000 characters
    "odd 1.png": "x",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """GT, Ref with streams, captions, and a result of all modes."""
    bench = Bench(tmp_path_factory.mktemp("made"))
    bench.fake = True
    (bench.folder / "GT").mkdir()
    for (stem, size), sample in zip(SIZES.items(), sorted(SAMPLES.glob("*.png"))[::5]):
        with Image.open(sample) as image:
            image.convert("RGB").resize(size).save(bench.folder / "GT" / f"{stem}.png")
    bench.encode("--model_name", "none", "--references", "--bpp", "0.3")
    captions.write(bench.folder / "Text" / "odd.csv", TEXTS)
    bench.decode("--mode", "all", "--input_path", "Text/odd.csv")
    return bench.folder


@pytest.fixture
def ready(faked, made, monkeypatch) -> Bench:
    shutil.copytree(made, faked.folder, dirs_exist_ok=True)
    monkeypatch.chdir(faked.folder)
    return faked


def packed(name: str) -> dict[str, bytes]:
    return {
        path.relative_to(Path("Packed") / name).as_posix(): path.read_bytes()
        for path in Path("Packed", name).rglob("*.cmc")
    }


def rows(result: str) -> list[dict[str, str]]:
    with open(Path("Result") / result / "rates.csv", newline="") as file:
        return list(csv.DictReader(file))


def same_pixels(one: Path, two: Path) -> bool:
    with Image.open(one) as first, Image.open(two) as second:
        return (first.size, first.mode, first.tobytes()) == (second.size, second.mode, second.tobytes())


def test_a_result_is_packed_and_its_rates_tell_the_files_lengths(ready):
    assert {row["packed_bits"] for row in rows("real+odd")} == {""}
    assert pack.main(["--result", "real+odd"]) == 0
    files = packed("real+odd")
    assert set(files) == {f"{mode}/{stem}.cmc" for mode in ("full", "image", "pixel", "text") for stem in SIZES}
    for row in rows("real+odd"):
        data = files[f"{row['mode']}/{Path(row['name']).stem}.cmc"]
        assert int(row["packed_bits"]) == 8 * len(data)
        assert 0 < int(row["packed_bits"]) - int(row["bits"]) <= 8 * 10  # the header
        assert row["kind"] == "measured"
    before = files, rows("real+odd")
    ready.decode("--mode", "all", "--input_path", "Text/odd.csv")  # which makes nothing, and keeps the lengths
    assert pack.main(["--result", "real+odd"]) == 0 and (packed("real+odd"), rows("real+odd")) == before


@pytest.mark.parametrize("text", ["raw", "deflate"])
def test_what_is_unpacked_is_what_was_packed(ready, text):
    assert pack.main(["--input_path", "Text/odd.csv", "--text", text, "--name", "mine"]) == 0
    assert unpack.main(["Packed/mine"]) == 0
    assert captions.read(Path("Unpacked/mine/Text/mine.csv")).texts == TEXTS
    for kind in ("image", "pixel"):
        for stem in SIZES:
            assert same_pixels(Path("Ref", kind, f"{stem}.png"), Path("Unpacked/mine/Ref", kind, f"{stem}.png"))
    # with nothing else at hand, the decoder makes the same pictures, at the same bits
    shutil.rmtree("GT"), shutil.rmtree("Ref"), shutil.rmtree("Text")
    inputs = ("--input_path", "Unpacked/mine/Text/mine.csv", "--ref_dir", "Unpacked/mine/Ref")
    ready.decode("--mode", "all", *inputs, "--result_name", "again")
    for mode in ("full", "image", "pixel", "text"):
        assert {
            path.name: path.read_bytes() for path in Path("Result/again", mode).iterdir() if path.suffix == ".png"
        } == {path.name: path.read_bytes() for path in Path("Result/real+odd", mode).iterdir() if path.suffix == ".png"}
    assert [(row["name"], row["mode"], row["bits"], row["kind"]) for row in rows("again")] == [
        (row["name"], row["mode"], row["bits"], row["kind"]) for row in rows("real+odd")
    ]


def test_text_alone_keeps_its_sizes(ready):
    assert pack.main(["--input_path", "Text/odd.csv", "--mode", "text"]) == 0
    assert unpack.main(["Packed/odd", "--output_path", "out"]) == 0
    assert sorted(path.name for path in Path("out/Ref").iterdir()) == ["rate.csv", "sizes.csv"]
    inputs = ("--input_path", "out/Text/odd.csv", "--ref_dir", "out/Ref", "--ground_truth", "none")
    ready.decode("--mode", "text", *inputs, "--result_name", "t")
    for stem, size in SIZES.items():
        with Image.open(f"Result/t/text/{stem}.png") as image:
            assert image.size == size


def test_image_mode_needs_no_captions(ready):
    shutil.rmtree("Text")
    assert pack.main(["--mode", "image", "--name", "pictures"]) == 0
    assert {decode(data).caption for data in packed("pictures").values()} == {None}
    assert pack.main(["--name", "both"]) == 0  # all that can be
    assert {name.split("/")[0] for name in packed("both")} == {"image"}
    assert unpack.main(["Packed/pictures"]) == 0 and not Path("Unpacked/pictures/Text").exists()


def test_published_references_have_no_bitstream_and_pixel_ones_only_where_exact(ready, capsys):
    Path("Ref/rate.csv").unlink()
    with Image.open("Ref/pixel/SCI_game_000.png") as image:
        image.point(lambda value: value ^ 1).save("Ref/pixel/SCI_game_000.png")
    assert pack.main(["--input_path", "Text/odd.csv"]) == 1
    said = capsys.readouterr().err
    assert (
        "its rate nominal" in said
        and "SCI_game_000: no grid of 8-bit blocks gives exactly" in said
        and "(mode pixel)" in said
    )
    assert sorted(packed("odd")) == sorted(
        ["pixel/NSI_pgc_000.cmc", "pixel/odd 1.cmc", *(f"text/{stem}.cmc" for stem in SIZES)]
    )


def test_streams_that_are_gone_or_another_picture_s_are_refused_by_name(ready, capsys):
    streams = sorted(Path("Ref/stream").iterdir())
    assert len(streams) == 3
    streams[0].unlink()
    shutil.copy(streams[2], streams[1])
    assert pack.main(["--input_path", "Text/odd.csv", "--mode", "image"]) == 1
    said = capsys.readouterr().err
    assert f"{streams[0].stem}: its reference's stream Ref/stream/{streams[0].name} is not there" in said
    assert f"failed: {streams[1].stem}: " in said and set(packed("odd")) == {f"image/{streams[2].stem}.cmc"}


def test_a_result_made_from_other_inputs_is_not_packed(ready, capsys):
    captions.write(Path("Text/odd.csv"), {**TEXTS, "odd 1.png": "another"})
    assert pack.main(["--result", "real+odd"]) == 1
    assert "odd 1: the result was made from another caption (mode full)" in capsys.readouterr().err
    assert not any("odd 1" in name for name in packed("real+odd") if not name.startswith("image"))
    assert {
        row["packed_bits"] == "" for row in rows("real+odd") if row["name"] == "odd 1.png" and row["mode"] == "text"
    } == {True}


def test_a_result_s_own_files_are_found_beside_it(ready, monkeypatch, capsys):
    """And a manifest's names lead nowhere else."""
    other = ready.folder / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    arguments = ["--result", "real+odd", "--output_path", "../Result", "--ground_truth", "../GT", "--mode", "pixel"]
    assert pack.main(arguments) == 0
    file = ready.folder / "Result/real+odd/manifest.json"
    file.write_text(file.read_text().replace('"Ref"', '"../../etc"'))
    with pytest.raises(BadInput, match="Ref/pixel holds none"):
        pack.main(arguments)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--result", "nobody"], "has no manifest.json"),
        (["--result", "../real+odd"], "is not a plain name"),
        (["--input_path", "none.csv", "--mode", "text"], "there is no caption file none.csv"),
        (["--input_path", "none.csv", "--ref_dir", "none"], "there is nothing to pack"),
        (["--input_path", "Text/odd.csv", "--name", "a/b"], "is not a plain name"),
        (["--input_path", "Text/odd.csv", "--ref_dir", "none", "--mode", "pixel"], "needs references"),
        (["--result", "codec"], "is a codec's"),
    ],
)
def test_wrong_flags_of_pack(ready, arguments, words):
    Path("Result/codec").mkdir()
    Path("Result/codec/manifest.json").write_text('{"codec": "vvc", "t2i": "vvc"}')
    with pytest.raises(BadInput, match=words):
        pack.main(arguments)
    assert not Path("Packed").exists()


# unpack


@pytest.fixture
def folder(ready) -> Path:
    """A packed folder of all modes."""
    pack.main(["--input_path", "Text/odd.csv", "--name", "f"])
    return Path("Packed/f")


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


def test_as_a_user_runs_them(ready):
    """Exit codes, no traceback, and a picture of 4096 pixels a side, whose reference is one colour."""
    grid = bytes(64 * 64)
    Image.new("RGB", (4096, 4096)).save("GT/AIGI_MJ_000.png")
    enlarged(grid, (4096, 4096)).save("Ref/pixel/AIGI_MJ_000.png")
    captions.write(Path("Text/odd.csv"), {**TEXTS, "AIGI_MJ_000.png": "Black."})

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "cmcbench", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})

    done = run("pack", "--input_path", "Text/odd.csv", "--mode", "pixel")
    assert done.returncode == 0 and "4 of 4 files are in Packed/odd" in done.stderr
    assert len(packed("odd")["pixel/AIGI_MJ_000.cmc"]) == 4096 + 6 + 7
    done = run("unpack", "Packed/odd")
    assert done.returncode == 0 and same_pixels(
        Path("Ref/pixel/AIGI_MJ_000.png"), Path("Unpacked/odd/Ref/pixel/AIGI_MJ_000.png")
    )
    done = run("unpack", "none")
    assert (
        done.returncode == 2 and "Expected a folder that pack wrote" in done.stderr and "Traceback" not in done.stderr
    )
    assert container.ENDING == ".cmc"


def test_a_reference_of_a_codec_that_there_is_none_of(ready, capsys):
    file = Path("Ref/rate.csv")
    file.write_text(file.read_text().replace(",vvc,", ",mine,"))
    assert pack.main(["--mode", "image", "--name", "f"]) == 1
    assert "NSI_pgc_000: there is no codec 'mine'" in capsys.readouterr().err and not packed("f")


def test_a_picture_in_the_place_of_a_reference_is_not_what_its_stream_holds(ready, capsys):
    """rate.csv tells of the new picture too, so that only decoding the stream shows it."""
    from cmcbench.files.references import read_rates, write_rates
    from cmcbench.files.store import digest

    path = Path("Ref/image/NSI_pgc_000.png")
    Image.new("RGB", SIZES["NSI_pgc_000"], "white").save(path)
    rates = read_rates(Path("Ref/rate.csv"))
    key = "image", "NSI_pgc_000"
    write_rates(Path("Ref/rate.csv"), {**rates, key: replace(rates[key], sha256=digest(path.read_bytes()))})
    assert pack.main(["--mode", "image", "--name", "f"]) == 1
    assert "NSI_pgc_000: its reference's stream does not decode to Ref/image/NSI_pgc_000.png" in capsys.readouterr().err


def test_lengths_are_entered_only_where_there_is_a_row(ready, capsys):
    file = Path("Result/real+odd/rates.csv")
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "odd 1" not in line))
    captions.write(Path("Text/odd.csv"), {**TEXTS, "SCI_game_999.png": "no picture of the result"})
    assert pack.main(["--result", "real+odd", "--mode", "text"]) == 0
    assert "has no row of 1 picture(s) that were packed" in capsys.readouterr().err
    assert {row["name"] for row in rows("real+odd") if row["packed_bits"]} == {"NSI_pgc_000.png", "SCI_game_000.png"}


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
