"""rates.csv: what each reconstruction cost, through killed runs and broken tables."""

from __future__ import annotations

import csv
import json
import signal
import time
from dataclasses import fields
from pathlib import Path

import pytest
from bench import write_captions, write_truth
from PIL import Image
from rate_tables import MODES, table_of, untimed

from cmcbench.bitstream.dictionary import deflate_bits
from cmcbench.errors import BadInput
from cmcbench.files import rates
from cmcbench.files.captions import read as read_captions
from cmcbench.files.rates import Cost
from cmcbench.files.store import digest

pytestmark = pytest.mark.usefixtures("avif")


def test_every_part_is_counted(faked, small_truth):
    faked.encode("--model_name", "me", "--references", "--bpp", "0.2")
    faked.decode("--mode", "all", "--input_path", "Text/me.csv")
    with open(faked.folder / "Ref" / "rate.csv", newline="") as file:
        references = {(row["reference"], Path(row["name"]).stem): row for row in csv.DictReader(file)}
    captions = {Path(name).stem: text for name, text in read_captions(faked.folder / "Text" / "me.csv").texts.items()}
    took = {
        Path(name).stem: made["seconds"]
        for name, made in json.loads((faked.folder / "Text/me.json").read_text())["images"].items()
    }
    found = table_of(faked, "real+me")
    assert set(found) == {(path.stem, mode) for path in small_truth.iterdir() for mode in MODES}
    for (stem, mode), row in found.items():
        reference = {"full": "image", "image": "image", "pixel": "pixel"}.get(mode)
        coded = references.get((reference, stem))
        expected = {
            "caption_bits": 8 * len(captions[stem].encode()) if mode != "image" else 0,
            "deflate_bits": deflate_bits(captions[stem], stem) if mode != "image" else 0,
            "pixel_bits": int(coded["bits"]) if reference == "pixel" else 0,
            "image_bits": int(coded["bits"]) if reference == "image" else 0,
        }
        assert {name: getattr(row, name) for name in expected} == expected
        assert (
            row.bits == row.caption_bits + row.pixel_bits + row.image_bits
            and row.kind == "measured"
            and row.packed_bits is None
        )
        assert row.sha256 == digest((faked.folder / "Result/real+me" / mode / row.name).read_bytes())
        encode = (took[stem] if mode != "image" else 0) + (float(coded["seconds"]) if coded else 0)
        assert row.encode_seconds == pytest.approx(encode, abs=1e-5)
        assert 10e6 < row.peak_memory < 100e9


def test_nothing_of_it_is_in_the_manifest(published):
    published.decode("--mode", "all")
    modes = json.loads((published.folder / "Result/real/manifest.json").read_text())["modes"]
    assert {key for mode in modes.values() for made_of in mode["inputs"].values() for key in made_of} == {
        "prompt",
        "guide",
        "size",
    }


def test_published_references_are_nominal_and_said_once(published, small_truth):
    done = published.decode("--mode", "all")
    assert done.stderr.count("marked nominal") == 1 and "0.02 bpp for image and 8 bits a block for pixel" in done.stderr
    for (stem, mode), row in table_of(published).items():
        with Image.open(small_truth / f"{stem}.png") as image:
            width, height = image.size
        image_bits = round(0.02 * width * height) if mode in ("full", "image") else 0
        pixel_bits = 8 * -(-width // 64) * -(-height // 64) if mode == "pixel" else 0
        assert (row.image_bits, row.pixel_bits) == (image_bits, pixel_bits)
        assert row.bits == row.caption_bits + image_bits + pixel_bits
        assert row.kind == ("measured" if mode == "text" else "nominal")
        assert row.encode_seconds is None  # nobody knows what making the references took
    assert "nominal" not in published.decode("--mode", "text", "--result_name", "words").stderr


def test_a_reference_that_another_row_tells_of_is_nominal(faked, small_truth):
    """rate.csv tells of another file than the one that is there."""
    faked.encode("--model_name", "none", "--references")
    path = sorted((faked.folder / "Ref" / "image").iterdir())[0]
    with Image.open(path) as image:
        Image.new("RGB", image.size, "white").save(path)
    assert f"rate.csv has no row for 1 reference(s) (first: {path.stem})" in faked.decode("--mode", "image").stderr
    assert {stem for (stem, _), row in table_of(faked).items() if row.kind == "nominal"} == {path.stem}


def test_a_rate_that_becomes_known_replaces_the_nominal_one(faked, small_truth):
    faked.encode("--model_name", "none", "--references")
    file = faked.folder / "Ref" / "rate.csv"
    whole = file.read_bytes()
    file.unlink()
    faked.decode("--mode", "image")
    nominal = table_of(faked)
    file.write_bytes(whole)
    faked.decode("--mode", "image")
    measured = table_of(faked)
    assert {row.kind for row in nominal.values()} == {"nominal"} and {row.kind for row in measured.values()} == {
        "measured"
    }
    for key, row in measured.items():
        kept = ("decode_seconds", "peak_memory", "sha256")
        assert [getattr(row, name) for name in kept] == [getattr(nominal[key], name) for name in kept]


def test_order_batch_and_subset_change_no_bits(published):
    published.decode("--mode", "all")
    published.decode("--mode", "text", "--images", "SCI*", "--result_name", "parts")
    for mode in reversed(MODES):
        published.decode("--mode", mode, "--batch_size", 3, "--result_name", "parts")
    assert untimed(table_of(published)) == untimed(table_of(published, "parts"))


def test_a_picture_without_a_row_gets_one_without_seconds(published):
    published.decode("--mode", "all")
    whole = table_of(published)
    file = published.folder / "Result/real/rates.csv"
    lost = sorted(whole)[1]
    rates.write(file, {key: row for key, row in whole.items() if key != lost})
    published.decode("--mode", "all")
    found = table_of(published)
    assert untimed(found) == untimed(whole) and found[lost].decode_seconds is None and found[lost].peak_memory is None
    file.unlink()
    published.decode("--mode", "text")
    assert untimed(table_of(published)) == {key: row for key, row in untimed(whole).items() if key[1] == "text"}


def test_a_picture_made_anew_loses_the_old_row_first(published):
    """A run killed after the picture and before its row must not leave the row of the picture before."""
    published.decode("--mode", "text")
    before = table_of(published)
    victim = sorted(before)[0]
    (published.folder / "Result/real/text" / f"{victim[0]}.png").unlink()
    process = published.start("script-t2i.py", "--mode", "text", FAKE_HOLD="0")
    published.until(lambda: victim not in table_of(published), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert set(table_of(published)) == set(before) - {victim}


def test_overwrite_with_a_model_that_does_not_load_keeps_the_rows(published):
    published.decode("--mode", "text")
    before = table_of(published)
    published.decode("--mode", "text", "--overwrite", "--model_dir", "broken", code=2)
    assert table_of(published) == before
    published.decode("--mode", "text", "--overwrite")
    assert untimed(table_of(published)) == untimed(before)


def test_an_interrupted_run_keeps_the_rows_of_what_it_made(faked):
    truth = write_truth(faked.folder / "GT", 10)
    write_captions(faked.folder / "Text" / "gpt4v.csv", {path.name: "a caption" for path in truth.iterdir()})
    folder = faked.folder / "Result/real/text"
    began = time.monotonic()
    process = faked.start("script-t2i.py", "--mode", "text", FAKE_SECONDS="0.05", FAKE_HOLD="4")
    faked.until(lambda: len(list(folder.glob("*.png"))) > 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    took = time.monotonic() - began
    assert process.returncode == 130 and "Traceback" not in errors
    found = table_of(faked)
    assert {stem for stem, _ in found} == {path.stem for path in folder.glob("*.png")}
    timed = [row.decode_seconds for row in found.values() if row.decode_seconds is not None]
    assert len(timed) == len(found) - 1 and all(0.05 <= seconds for seconds in timed)  # the first one warmed up
    assert sum(timed) < took


BROKEN = {
    "no CSV": b'"',
    "no UTF-8": b"\xff\xfe",
    "another table": b"a,b\n1,2\n",
    "no count": b"name,mode,bits\nx.png,text,many\n",
    "below 0": b"name,mode,bits\nx.png,text,-8\n",
    "beyond all pictures": b"name,mode,bits\nx.png,text," + b"9" * 400 + b"\n",
    "no time": b"name,mode,decode_seconds\nx.png,text,nan\n",
    "no kind": b"name,mode,kind\nx.png,text,guessed\n",
    "a short row": b"mode,name\ntext\n",
    "a long row": b"name,mode\nx.png,text,3\n",
    "a name that leads elsewhere": b"name,mode\n../x.png,text\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_table_is_refused_and_not_touched(tmp_path, data):
    (tmp_path / "rates.csv").write_bytes(data)
    with pytest.raises(BadInput, match="rates.csv is not a table of rates of this program .*Move it away"):
        rates.read(tmp_path / "rates.csv")


def test_a_broken_table_stops_decoding_and_scoring_before_the_work(published):
    published.decode("--mode", "text")
    file = published.folder / "Result/real/rates.csv"
    file.write_bytes(b"a,b\n1,2\n")
    done = published.decode("--mode", "all", code=2)
    assert "is not a table of rates" in done.stderr and "loaded" not in done.stderr
    assert "is not a table of rates" in published.score("--metrics", "psnr", code=2).stderr
    assert file.read_bytes() == b"a,b\n1,2\n" and not (published.folder / "Result/real/scores.csv").exists()


def test_rows_come_back(tmp_path):
    found = {
        row.key: row
        for row in (
            Cost("b, x.png", "image", 8, "nominal", 0, 0, 0, 8, 96, 0.25, 1e-06, 1 << 40, "37", 2, "0" * 16),
            Cost("日本.png", "text", sha256="1" * 16),
            Cost("日本.png", "full", 0),
        )
    }
    rates.write(tmp_path / "rates.csv", found)
    assert rates.read(tmp_path / "rates.csv") == found and rates.read(tmp_path / "none.csv") == {}
    assert (tmp_path / "rates.csv").read_text().splitlines()[0].split(",") == [each.name for each in fields(Cost)]
