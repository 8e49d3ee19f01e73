"""The reference maker: what it makes, what it costs and what it goes on from."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from made_references import COLUMNS, SIZES, damage, files, make, names, rows
from PIL import Image

from cmcbench import codecs
from cmcbench.encode import references
from cmcbench.encode.references import pixel_reference
from cmcbench.files.store import digest


def test_a_whole_run_makes_both_references_of_every_picture_at_its_size(truth, ref):
    assert sorted(files(ref)) == names(*SIZES)
    for kind, stem in itertools.product(("image", "pixel"), SIZES):
        with Image.open(ref / kind / f"{stem}.png") as image:
            assert (image.size, image.mode, image.format) == (SIZES[stem], "RGB", "PNG")
    with Image.open(truth / "SCI_game_000.png") as image, Image.open(ref / "pixel" / "SCI_game_000.png") as reference:
        assert reference.tobytes() == pixel_reference(image).tobytes()


def test_rate_csv_tells_what_each_costs_and_what_made_it(truth, ref):
    found = rows(ref)
    assert list(found[0]) == COLUMNS
    assert [(row["reference"], row["name"]) for row in found] == [
        (kind, f"{stem}.png") for kind in ("image", "pixel") for stem in SIZES
    ]
    for row in found:
        stem, (width, height) = Path(row["name"]).stem, SIZES[Path(row["name"]).stem]
        assert (int(row["width"]), int(row["height"])) == (width, height)
        assert row["bpp"] == f"{int(row['bits']) / (width * height):.6f}"
        assert row["sha256"] == digest((ref / row["reference"] / f"{stem}.png").read_bytes())
        assert row["ground_truth"] == digest((truth / row["name"]).read_bytes())
        if row["reference"] == "pixel":
            blocks = -(-width // 64) * -(-height // 64)
            assert (row["codec"], row["budget"], row["level"], row["scale"]) == ("rgb332", "", "", "64")
            assert int(row["bits"]) == 8 * blocks
        else:
            assert (row["codec"], row["budget"]) == ("avif", "0.02")


def check_bits(codec: codecs.Codec, budget: float, truth: Path, ref: Path, row: dict[str, str]) -> None:
    """Coded again as rate.csv says, a picture has those bits, within the budget, and gives that file's pixels."""
    with Image.open(truth / row["name"]) as image:
        scale, size = int(row["scale"]), image.size
        small = image.copy() if scale == 1 else image.resize(codecs.scaled(size, scale), Image.Resampling.LANCZOS)
    stream = codec.encode(small, int(row["level"]))
    assert row["codec"] == codec.name and int(row["bits"]) == 8 * len(stream)
    assert 0.7 * budget * size[0] * size[1] <= 8 * len(stream) <= budget * size[0] * size[1]
    stored = ref / "stream" / f"{Path(row['name']).stem}.{codec.extension}"
    assert stored.read_bytes() == stream
    with Image.open(ref / "image" / row["name"]) as reference:
        assert reference.tobytes() == codecs.decode_stream(codec.name, stored.read_bytes(), size, scale).tobytes()


@pytest.mark.parametrize("budget, scales", [(0.4, {"1"}), (0.13, {"2", "4"})])
def test_the_bits_of_an_image_reference_are_those_of_its_payload(truth, tmp_path, avif, capsys, budget, scales):
    make(truth, tmp_path / "Ref", budget).close("done")
    said, found = capsys.readouterr().err, rows(tmp_path / "Ref")[: len(SIZES)]
    assert {row["scale"] for row in found} <= scales
    for row in found:
        check_bits(codecs.Avif(), budget, truth, tmp_path / "Ref", row)
    for scale in scales:
        count = [row["scale"] for row in found].count(scale)
        note = f"note: coded at 1/{scale} of its size to stay within {budget:g} bpp: on {count} of {len(SIZES)} images"
        assert (note in said) == (scale != "1" and count > 0)
    assert "cannot reach" not in said


def test_vvc_references_have_the_bits_that_rate_csv_says(truth, tmp_path):
    assert make(truth, tmp_path / "Ref", budget=0.25, only="SCI").failures == {}
    check_bits(codecs.Vvc(), 0.25, truth, tmp_path / "Ref", rows(tmp_path / "Ref")[0])


def test_a_second_run_makes_nothing(truth, ref, worked):
    before, times = files(ref), {path: path.stat().st_mtime_ns for path in ref.rglob("*.*") if path.name != ".lock"}
    assert make(truth, ref).failures == {}
    assert files(ref) == before and worked == {}
    assert all(path.stat().st_mtime_ns == when for path, when in times.items())


def test_going_on_makes_what_is_missing_and_nothing_else(truth, ref, worked):
    before = files(ref)
    (ref / "pixel" / "AIGI_MJ_000.png").unlink()
    (ref / "image" / "SCI_game_000.png").unlink()
    (ref / "pixel" / "SCI_game_000.png").unlink()
    make(truth, ref)
    assert files(ref) == before and worked == {"pixel": 2, "image": 1}


def test_a_choice_of_pictures_can_be_widened(truth, tmp_path, whole, avif):
    make(truth, tmp_path / "Ref", only="SCI")
    assert sorted(files(tmp_path / "Ref")) == names("SCI_game_000")
    make(truth, tmp_path / "Ref", only="NSI")
    make(truth, tmp_path / "Ref")
    assert files(tmp_path / "Ref") == files(whole)


@pytest.mark.parametrize("kind", ["image", "pixel"])
@pytest.mark.parametrize(
    "spoil",
    [damage, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"\0" * 500)],
    ids=["cut", "empty", "zeros"],
)
def test_a_damaged_reference_of_ours_is_made_again(truth, ref, worked, kind, spoil):
    before = files(ref)
    spoil(ref / kind / "NSI_pgc_000.png")
    make(truth, ref)
    assert files(ref) == before and worked == {kind: 1}


def test_what_a_killed_run_left_is_swept(truth, ref):
    before = files(ref)
    for name in (".tmp-rate.csv-x1", "image/.tmp-NSI_pgc_000.png-x2", "pixel/.tmp-y"):
        (ref / name).write_bytes(b"half")
    make(truth, ref)
    assert files(ref) == before


def test_a_row_whose_picture_was_never_written_is_work_to_do(truth, tmp_path, whole, avif, monkeypatch):
    """The row is written first, so that a run that ends in between does not find a picture that nobody tells of."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def stop(path, data):
            raise KeyboardInterrupt

        patch.setattr(references, "write_bytes", stop)
        make(truth, tmp_path / "Ref")
    assert len(rows(tmp_path / "Ref")) >= 1 and sorted(files(tmp_path / "Ref")) == ["rate.csv"]
    make(truth, tmp_path / "Ref")
    assert files(tmp_path / "Ref") == files(whole)
