"""pack: what is packed is what the decoder got; refusals by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench import ROOT
from packed_results import SIZES, TEXTS, packed, rows, same_pixels
from PIL import Image

from cmcbench.bitstream import container, pack, unpack
from cmcbench.bitstream.container import decode
from cmcbench.bitstream.grid import enlarged
from cmcbench.errors import BadInput
from cmcbench.files import captions


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
