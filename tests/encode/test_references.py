"""The reference maker: what it makes, what it costs, what it goes on from, and what it refuses to touch."""

from __future__ import annotations

import csv
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench import ROOT, SAMPLES, Bench
from PIL import Image

from cmcbench import codecs
from cmcbench.encode import command, references
from cmcbench.encode.references import pixel_reference
from cmcbench.errors import BadInput, RunFailed
from cmcbench.files.images import list_images
from cmcbench.files.references import ReferenceRate, read_rates, write_rates
from cmcbench.files.store import digest, only_writer
from cmcbench.runtime.messages import RunLog

SIZES = {"AIGI_MJ_000": (64, 64), "NSI_pgc_000": (96, 64), "SCI_game_000": (65, 80)}
BUDGET = 0.02  # bits per pixel: out of reach for pictures this small, and so quickly made: no search among the levels
COLUMNS = "name reference bits bpp width height codec budget level scale ground_truth sha256 seconds".split()


HEADER = ",".join(COLUMNS).encode()


# The pixel reference, against a computation of its own


def nearest(value: float, bits: int) -> int:
    """The nearest of the 8-bit values that `bits` bits can name: 0 and 255 are among them."""
    levels = [round(i * 255 / (2**bits - 1)) for i in range(2**bits)]
    exact = [i * 255 / (2**bits - 1) for i in range(2**bits)]
    return levels[min(range(2**bits), key=lambda i: abs(exact[i] - value))]


def block_grid(pixels: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) of the blocks' mean colours in RGB332."""
    height, width = pixels.shape[:2]
    grid = np.zeros((-(-height // 64), -(-width // 64), 3))
    for row, column, channel in itertools.product(*map(range, grid.shape)):
        block = pixels[64 * row : 64 * row + 64, 64 * column : 64 * column + 64, channel]
        grid[row, column, channel] = nearest(block.astype(float).mean(), (3, 3, 2)[channel])
    return grid


def enlarging(count: int) -> np.ndarray:
    """(64 x count, count) weights of Keys' cubic convolution, a = -1/2, cut and normalized at the ends."""
    weights = np.zeros((64 * count, count))
    for place in range(64 * count):
        distance = np.abs((place + 0.5) / 64 - (np.arange(count) + 0.5))
        near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        weights[place] = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


def enlarged(grid: np.ndarray) -> np.ndarray:
    """The grid 64 times as large, first along the rows, as 8 bits, then along the columns."""
    across = np.clip(np.rint(np.einsum("xc,rck->rxk", enlarging(grid.shape[1]), grid)), 0, 255)
    return np.clip(np.rint(np.einsum("yr,rxk->yxk", enlarging(grid.shape[0]), across)), 0, 255)


@pytest.mark.parametrize(
    "size",
    [(64, 64), (128, 64), (64, 192), (1, 1), (63, 63), (65, 64), (64, 65), (130, 70), (200, 3), (127, 129)],
    ids=str,
)
@pytest.mark.parametrize("kind", ["noise", "photo"])
def test_pixel_reference(kind, size):
    if kind == "noise":
        # Noise about a colour of its own in each block, so that the blocks differ
        chance = np.random.default_rng(size[0] * 1000 + size[1])
        means = chance.integers(0, 256, (4, 4, 3)).repeat(64, axis=0).repeat(64, axis=1)
        pixels = np.clip(means + chance.normal(0, 20, means.shape), 0, 255).astype(np.uint8)[: size[1], : size[0]]
    else:
        with Image.open(SAMPLES / "SCI_game_000.png") as image:
            pixels = np.asarray(image.convert("RGB").crop((30, 40, 30 + size[0], 40 + size[1])))
    found = pixel_reference(Image.fromarray(pixels))
    assert (found.size, found.mode) == (size, "RGB")
    expected = enlarged(block_grid(pixels))[: size[1], : size[0]]
    assert np.abs(np.asarray(found) - expected).max() <= 1  # Pillow counts in whole numbers


def test_a_pixel_reference_of_one_block_is_one_of_256_colours_exactly():
    for value in range(256):
        found = pixel_reference(Image.new("RGB", (64, 64), (value, 255 - value, value)))
        assert found.getcolors() == [(64 * 64, (nearest(value, 3), nearest(255 - value, 3), nearest(value, 2)))]


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (64, 40), (13, 64)], ids=str)
def test_blocks_are_averaged_without_rounding_in_between(size):
    """54.55 is nearest to level 1 (36.4) of 3 bits; rows rounded to 55 would make it level 2 (72.9)."""
    pixels = np.full((size[1], size[0], 3), 54, np.uint8)
    pixels[:, : round(size[0] * 0.55)] = 55
    mean = pixels[..., 0].mean()
    expected = (36 if mean < 54.64 else 73,) * 2 + (nearest(mean, 2),)
    assert pixel_reference(Image.fromarray(pixels)).getpixel((0, 0)) == expected


def test_partial_blocks_count_what_is_there_and_no_padding():
    pixels = np.zeros((65, 65, 3), np.uint8)
    pixels[64, :64], pixels[:64, 64], pixels[64, 64] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert block_grid(pixels).tolist() == [[[0, 0, 0], [0, 255, 0]], [[255, 0, 0], [0, 0, 255]]]
    found = np.asarray(pixel_reference(Image.fromarray(pixels)))
    assert np.abs(found - enlarged(block_grid(pixels))[:65, :65]).max() <= 1


# The maker


@pytest.fixture(scope="session")
def truth(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("truth") / "GT"
    folder.mkdir()
    for (stem, size), sample in zip(SIZES.items(), sorted(SAMPLES.glob("*.png"))[::4]):
        with Image.open(sample) as image:
            image.convert("RGB").resize(size).save(folder / f"{stem}.png")
    return folder


def no_ffmpeg() -> str:
    raise RunFailed("there is no ffmpeg (it is away); pip install 'imageio-ffmpeg>=0.6' brings one")


@pytest.fixture
def avif(monkeypatch) -> None:
    """A machine without ffmpeg: AVIF codes within this process, which is quicker than VVC."""
    monkeypatch.setattr(references, "ffmpeg_program", no_ffmpeg)


def make(ground_truth: Path, ref: Path, budget: float = BUDGET, overwrite: bool = False, only: str = "") -> RunLog:
    images = {stem: path for stem, path in list_images(ground_truth, "GT").items() if stem.startswith(only)}
    report = RunLog()
    references.make(images, ref, budget, overwrite, report)
    return report


@pytest.fixture(scope="session")
def whole(truth, tmp_path_factory) -> Path:
    """References of the whole ground truth, made once with AVIF."""
    folder = tmp_path_factory.mktemp("whole") / "Ref"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "ffmpeg_program", no_ffmpeg)
        assert make(truth, folder).failures == {}
    return folder


@pytest.fixture
def ref(whole, tmp_path, avif) -> Path:
    """A copy of them to work on."""
    return Path(shutil.copytree(whole, tmp_path / "Ref"))


@pytest.fixture
def gt(truth, tmp_path) -> Path:
    return Path(shutil.copytree(truth, tmp_path / "GT"))


@pytest.fixture
def worked(monkeypatch) -> Counter:
    """Counts the references that are made, by kind."""
    counts: Counter = Counter()

    def counting(kind, function):
        def call(*arguments):
            counts[kind] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(references, "pixel_reference", counting("pixel", references.pixel_reference))
    monkeypatch.setattr(references, "to_budget", counting("image", references.to_budget))
    return counts


def files(folder: Path) -> dict[str, bytes]:
    """Everything below, unfinished files too; only the lock, which is empty, may be left or not.

    The seconds in rate.csv, which no two runs share, are left out.
    """
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
    if content.get("rate.csv", b"").startswith(HEADER):
        content["rate.csv"] = re.sub(rb",\d+\.\d*(?=\n)", b",", content["rate.csv"])
    return content


def names(*stems: str, ending: str = "obu") -> list[str]:
    pictures = [f"{kind}/{stem}.png" for kind in ("image", "pixel") for stem in stems]
    return sorted(["rate.csv", *pictures, *(f"stream/{stem}.{ending}" for stem in stems)])


def rows(ref: Path) -> list[dict[str, str]]:
    with open(ref / "rate.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


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
    make(truth, tmp_path / "Ref", budget)
    said, found = capsys.readouterr().err, rows(tmp_path / "Ref")[: len(SIZES)]
    assert {row["scale"] for row in found} <= scales
    for row in found:
        check_bits(codecs.Avif(), budget, truth, tmp_path / "Ref", row)
        note = f"note: {row['name']}: coded at 1/{row['scale']} of its size to stay within {budget:g} bpp."
        assert (note in said) == (row["scale"] != "1")
    assert "cannot go below" not in said


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
    assert len(rows(tmp_path / "Ref")) == 1 and sorted(files(tmp_path / "Ref")) == ["rate.csv"]
    make(truth, tmp_path / "Ref")
    assert files(tmp_path / "Ref") == files(whole)


# The streams that are counted


def test_what_is_counted_is_a_file_that_decodes_to_the_reference(truth, ref):
    for row in rows(ref)[: len(SIZES)]:
        stem = Path(row["name"]).stem
        stream = (ref / "stream" / f"{stem}.obu").read_bytes()
        assert int(row["bits"]) == 8 * len(stream) and float(row["seconds"]) > 0
        with Image.open(ref / "image" / f"{stem}.png") as reference:
            again = codecs.decode_stream("avif", stream, reference.size, int(row["scale"]))
            assert again.tobytes() == reference.tobytes()


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b"cut")], ids=["missing", "of another length"]
)
def test_a_stream_that_is_missing_is_made_again_from_the_ground_truth(truth, ref, worked, spoil):
    before, picture = files(ref), (ref / "image" / "NSI_pgc_000.png").stat()
    spoil(ref / "stream" / "NSI_pgc_000.obu")
    assert make(truth, ref).failures == {}
    assert files(ref) == before and worked == {}  # without another search for the level
    assert (ref / "image" / "NSI_pgc_000.png").stat().st_mtime_ns == picture.st_mtime_ns


def test_references_of_a_version_without_streams_get_them(truth, ref):
    before = files(ref)
    shutil.rmtree(ref / "stream")
    table = (ref / "rate.csv").read_text().splitlines()
    (ref / "rate.csv").write_text("".join(line.rpartition(",")[0] + "\n" for line in table))
    assert make(truth, ref).failures == {}
    assert {name: content for name, content in files(ref).items() if name != "rate.csv"} == {
        name: content for name, content in before.items() if name != "rate.csv"
    }
    assert all((row["seconds"] != "") == (row["reference"] == "image") for row in rows(ref))


@pytest.mark.parametrize(
    "change", [{"level": "3"}, {"level": "101"}, {"level": "high"}, {"bits": 80}, {"scale": 1}], ids=str
)
def test_a_stream_that_would_give_another_picture_is_refused(truth, ref, change):
    (ref / "stream" / "NSI_pgc_000.obu").unlink()
    rates = read_rates(ref / "rate.csv")
    rates["image", "NSI_pgc_000"] = replace(rates["image", "NSI_pgc_000"], **change)
    write_rates(ref / "rate.csv", rates)
    report, before = make(truth, ref), files(ref)
    assert list(report.failures) == ["image/NSI_pgc_000"]
    assert "has no stream, and avif gives another picture today" in report.failures["image/NSI_pgc_000"]
    assert "--overwrite" in report.failures["image/NSI_pgc_000"] and "stream/NSI_pgc_000.obu" not in before
    assert make(truth, ref, overwrite=True).failures == {} and "stream/NSI_pgc_000.obu" in files(ref)


def test_a_picture_that_no_stream_gives_is_refused(truth, ref):
    """Its row agrees with the file, as after a conversion of colours that this version no longer does."""
    (ref / "stream" / "NSI_pgc_000.obu").unlink()
    foreign_picture(ref)
    rates = read_rates(ref / "rate.csv")
    sha256 = digest((ref / "image" / "NSI_pgc_000.png").read_bytes())
    rates["image", "NSI_pgc_000"] = replace(rates["image", "NSI_pgc_000"], sha256=sha256)
    write_rates(ref / "rate.csv", rates)
    before = files(ref)
    assert "gives another picture today" in make(truth, ref).failures["image/NSI_pgc_000"]
    assert files(ref) == before


# What is there and not ours


def foreign_picture(ref: Path) -> None:
    (ref / "image").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (96, 64), "red").save(ref / "image" / "NSI_pgc_000.png")


def without_row(ref: Path) -> None:
    rates = read_rates(ref / "rate.csv")
    del rates["pixel", "NSI_pgc_000"]
    write_rates(ref / "rate.csv", rates)


def row_of_another_codec(ref: Path) -> None:
    rates = read_rates(ref / "rate.csv")
    rates["image", "NSI_pgc_000"] = replace(rates["image", "NSI_pgc_000"], codec="vvc")
    write_rates(ref / "rate.csv", rates)


FOREIGN = {
    "another picture": (foreign_picture, "is not of this run"),
    "no rate.csv": (lambda ref: (ref / "rate.csv").unlink(), "5 reference(s)"),
    "no row": (without_row, "pixel/NSI_pgc_000.png, is not of this run"),
    "another codec": (row_of_another_codec, "is made with vvc 0.02 (expected: avif 0.02"),
    "a damaged picture without a row": (
        lambda ref: (without_row(ref), damage(ref / "pixel" / "NSI_pgc_000.png")),
        "is not of",
    ),
}


@pytest.mark.parametrize("change, words", FOREIGN.values(), ids=FOREIGN)
def test_what_this_program_did_not_make_is_refused_and_not_touched(truth, ref, worked, change, words):
    (ref / "image" / "SCI_game_000.png").unlink()  # so that there is work, which may not begin
    change(ref)
    before = files(ref)
    with pytest.raises(BadInput) as refusal:
        make(truth, ref)
    said = str(refusal.value)
    assert words in said and "--ref_dir" in said and "--overwrite" in said
    assert files(ref) == before and worked == {}


def test_published_references_are_refused_and_not_touched(truth, tmp_path, avif, worked):
    """The published Ref/image has no rate.csv."""
    foreign_picture(tmp_path / "Ref")
    before = files(tmp_path / "Ref")
    with pytest.raises(BadInput, match=r"1 reference\(s\) in .* is not of this run"):
        make(truth, tmp_path / "Ref")
    assert files(tmp_path / "Ref") == before and worked == {}


def test_foreign_pictures_of_other_names_are_nobody_s_business(truth, ref):
    Image.new("RGB", (9, 9)).save(ref / "image" / "holiday.png")
    (ref / "notes.txt").write_text("mine")
    before = files(ref)
    make(truth, ref)
    assert files(ref) == before


def test_another_rate_is_refused(truth, ref, worked):
    before = files(ref)
    with pytest.raises(BadInput, match=r"3 reference\(s\) .* is made with avif 0.02 \(expected: avif 0.03"):
        make(truth, ref, budget=0.03)
    assert files(ref) == before and worked == {}


@pytest.mark.parametrize("change", ["pixels", "file", "gone"])
def test_another_ground_truth_is_refused(gt, ref, worked, change):
    path = gt / "NSI_pgc_000.png"
    if change == "pixels":
        Image.new("RGB", (96, 64), "red").save(path)
    elif change == "file":
        path.write_bytes(path.read_bytes()[:-12] + bytes(12))
    else:
        path.unlink()
        path.symlink_to(gt / "moved.png")
    before = files(ref)
    with pytest.raises(BadInput, match=r"2 reference\(s\) .* is not of this run"):
        make(gt, ref)
    assert files(ref) == before and worked == {}


def test_another_codec_than_before_is_refused(truth, ref, monkeypatch):
    """An ffmpeg that was not there the first time."""
    monkeypatch.setattr(references, "ffmpeg_program", lambda: "ffmpeg")
    with pytest.raises(BadInput, match=r"is made with avif 0.02 \(expected: vvc 0.02"):
        make(truth, ref)


def test_overwrite_makes_everything_anew(truth, ref, worked):
    before = files(ref)
    foreign_picture(ref)
    make(truth, ref, overwrite=True)
    assert files(ref) == before and worked == {"pixel": 3, "image": 3}
    make(truth, ref, budget=0.4, overwrite=True)
    assert {row["budget"] for row in rows(ref)} == {"", "0.4"} and files(ref) != before
    make(truth, ref, overwrite=True)
    assert files(ref) == before


def test_overwrite_leaves_the_pictures_that_are_not_chosen(gt, ref):
    """And another rate for some of them is refused: references of two rates in one folder would pass for one."""
    before = files(ref)
    for overwrite in (False, True):
        with pytest.raises(BadInput, match="is made with avif 0.02 .expected: avif 0.4"):
            make(gt, ref, budget=0.4, overwrite=overwrite, only="SCI")
    assert files(ref) == before
    Image.new("RGB", (33, 44), "red").save(gt / "SCI_game_000.png")
    make(gt, ref, overwrite=True, only="SCI")
    after = files(ref)
    changed = {"rate.csv", "image/SCI_game_000.png", "pixel/SCI_game_000.png", "stream/SCI_game_000.obu"}
    assert {name for name in before if before[name] != after[name]} == changed


NO_TABLE = "rate.csv is not a rate file of this program .* Move it away, or use --overwrite"
BROKEN_TABLES = {
    "empty": (b"", NO_TABLE),
    "one word": (b"hello", NO_TABLE),
    "no rows": (HEADER + b"\n", "6 reference.* not of this run"),  # so that the pictures are nobody's
    "other columns": (b"a,b\n1,2\n", NO_TABLE),
    "no UTF-8": (b"\xff\xfe\0", NO_TABLE),
    "no number": (HEADER + b"\nx.png,image,many,1,1,1,avif,0.5,1,1,x,y\n", NO_TABLE),
    "a short row": (HEADER + b"\nx.png,image\n", NO_TABLE),
    "a long row": (HEADER + b"\nx.png,image,1,1,1,1,avif,0.5,1,1,x,y,z,z\n", NO_TABLE),
    "a huge cell": (HEADER + b"\n" + b"x" * (1 << 21) + b"\n", NO_TABLE),
}


@pytest.mark.parametrize("table, words", BROKEN_TABLES.values(), ids=BROKEN_TABLES)
def test_a_broken_rate_csv_is_refused_and_made_anew_where_asked(truth, ref, table, words):
    whole = files(ref)
    (ref / "rate.csv").write_bytes(table)
    before = files(ref)
    with pytest.raises(BadInput, match=words):
        make(truth, ref)
    assert files(ref) == before
    make(truth, ref, overwrite=True)
    assert files(ref) == whole


def test_rates_come_back(tmp_path):
    rates = {
        rate.key: rate
        for rate in (
            ReferenceRate("b, x.png", "image", 320, "0.02", 128, 125, "vvc", "0.02", "7", 2, "0" * 16, "f" * 16),
            ReferenceRate("日本.jpg", "pixel", 8, "0.001953", 64, 64, "rgb332", "", "", 64, "0" * 16, "1" * 16),
        )
    }
    write_rates(tmp_path / "rate.csv", rates)
    assert read_rates(tmp_path / "rate.csv") == rates and set(rates) == {("image", "b, x"), ("pixel", "日本")}
    assert read_rates(tmp_path / "missing.csv") == {}


# Ground truth that cannot be used, and rates that cannot be reached


def spoiled(gt: Path) -> None:
    """One picture cut, one replaced by an empty file, and one by an animation."""
    damage(gt / "AIGI_MJ_000.png")
    (gt / "AIGI_MJ_000.png").write_bytes((gt / "AIGI_MJ_000.png").read_bytes()[:500])
    (gt / "empty.png").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(gt / "moving.png", save_all=True, append_images=[Image.new("RGB", (9, 9), "red")])


def test_a_broken_ground_truth_is_listed_and_the_others_go_on(gt, truth, tmp_path, whole, avif, worked, capsys):
    spoiled(gt)
    report = make(gt, tmp_path / "Ref")
    broken = ("AIGI_MJ_000", "empty", "moving")
    assert set(report.failures) == {f"{kind}/{stem}" for kind in ("image", "pixel") for stem in broken}
    assert all(reason.startswith(f"{name.split('/')[1]}.png: ") for name, reason in report.failures.items())
    assert "image reference: AIGI_MJ_000.png: is damaged or truncated" in report.failures["image/AIGI_MJ_000"]
    assert sorted(files(tmp_path / "Ref")) == names("NSI_pgc_000", "SCI_game_000")
    assert report.close("done") == 1 and "6 failed:" in capsys.readouterr().err
    # Mended, they are made, and nothing else
    shutil.copy(truth / "AIGI_MJ_000.png", gt)
    for name in ("empty.png", "moving.png"):
        (gt / name).unlink()
    worked.clear()
    assert make(gt, tmp_path / "Ref").failures == {} and worked == {"pixel": 1, "image": 1}
    assert files(tmp_path / "Ref") == files(whole)


def test_a_conversion_is_said_once(gt, tmp_path, avif, capsys):
    for stem in SIZES:
        with Image.open(gt / f"{stem}.png") as image:
            image.convert("RGBA").save(gt / f"{stem}.png")
    make(gt, tmp_path / "Ref")
    assert capsys.readouterr().err.count("had an alpha channel (mode RGBA), dropped") == 1


def test_a_codec_that_fails_for_one_picture_is_listed_and_the_others_go_on(truth, tmp_path, avif, monkeypatch):
    original = references.to_budget

    def failing(codec, image, budget):
        if image.size == SIZES["NSI_pgc_000"]:
            raise RunFailed("ffmpeg failed: out of memory")
        return original(codec, image, budget)

    monkeypatch.setattr(references, "to_budget", failing)
    report = make(truth, tmp_path / "Ref")
    assert report.failures == {"image/NSI_pgc_000": "NSI_pgc_000.png: image reference: ffmpeg failed: out of memory"}
    assert set(names(*SIZES)) - set(files(tmp_path / "Ref")) == {"image/NSI_pgc_000.png", "stream/NSI_pgc_000.obu"}


def test_without_ffmpeg_avif_is_used_and_said_aloud(truth, tmp_path, avif, capsys):
    make(truth, tmp_path / "Ref", only="SCI")
    said = capsys.readouterr().err
    assert "note: there is no ffmpeg (it is away); pip install 'imageio-ffmpeg>=0.6' brings one. " in said
    assert said.count("Image references are made with AVIF instead") == 1
    assert rows(tmp_path / "Ref")[0]["codec"] == "avif"


def test_a_rate_that_cannot_be_reached_is_said_aloud(truth, tmp_path, avif, capsys):
    make(truth, tmp_path / "Ref", budget=0.002)
    said = capsys.readouterr().err
    for row in rows(tmp_path / "Ref")[: len(SIZES)]:
        assert f"{row['name']}: avif cannot go below {row['bpp']} bpp here; its reference is over 0.002." in said
        assert float(row["bpp"]) > 0.002


def test_a_second_run_at_once_is_refused(truth, ref):
    with only_writer(ref / ".lock", "x"), pytest.raises(RunFailed, match="another run is writing references in"):
        make(truth, ref)


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(truth, tmp_path, whole, avif, monkeypatch):
    original, written = references.write_bytes, []

    def filling(path, data):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        original(path, data)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(references, "write_bytes", filling)
        make(truth, tmp_path / "Ref")
    assert len(files(tmp_path / "Ref")) == 3  # two files and the table
    make(truth, tmp_path / "Ref")
    assert files(tmp_path / "Ref") == files(whole)


# As a user runs it


def main(ground_truth: Path, ref: Path, *more: str) -> int:
    return command.main(
        ["--model_name", "none", "--references", "--ground_truth", str(ground_truth), "--ref_dir", str(ref), *more]
    )


def test_the_command_makes_references_without_a_model(truth, tmp_path, whole, avif, capsys):
    assert main(truth, tmp_path / "Ref") == 0
    assert files(tmp_path / "Ref") == files(whole)
    assert f"References of 3 images are in {tmp_path / 'Ref'}." in capsys.readouterr().err


def test_the_command_ends_with_1_where_a_picture_failed(gt, tmp_path, avif):
    (gt / "empty.png").write_bytes(b"")
    assert main(gt, tmp_path / "Ref") == 1
    assert sorted(files(tmp_path / "Ref")) == names(*SIZES)


def test_the_command_s_choice_of_pictures(truth, tmp_path, avif):
    assert main(truth, tmp_path / "Ref", "--images", "SCI_*") == 0
    assert sorted(files(tmp_path / "Ref")) == names("SCI_game_000")


def test_a_file_in_the_place_of_ref_ends_with_2(bench, truth):
    (bench.folder / "Ref").write_bytes(b"mine")
    done = bench.encode("--ground_truth", truth, "--references", "--model_name", "none", code=2)
    assert "a file stands where a folder is needed" in done.stderr and (bench.folder / "Ref").read_bytes() == b"mine"


FLAGS = ("--model_name", "none", "--references", "--ground_truth", "GT")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    """A user's folder with ground truth and the references of one run with VVC."""
    bench = Bench(tmp_path_factory.mktemp("vvc"))
    (bench.folder / "GT").mkdir()
    for i, sample in enumerate(sorted(SAMPLES.glob("*.png"))[:5]):
        with Image.open(sample) as image:
            image.convert("RGB").resize((64 + i, 64)).save(bench.folder / "GT" / sample.name)
    bench.encode(*FLAGS)
    assert {row["codec"] for row in rows(bench.folder / "Ref")} == {"vvc", "rgb332"}
    return bench.folder


@pytest.mark.parametrize(
    "number, code", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)], ids=["kill -9", "SIGTERM"]
)
def test_a_run_that_is_killed_and_run_again_equals_one_that_was_not(bench, uninterrupted, number, code):
    shutil.copytree(uninterrupted / "GT", bench.folder / "GT")
    run = bench.command("script-i2t.py", *FLAGS)
    process = subprocess.Popen(run, cwd=bench.folder, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(6000):
            if list((bench.folder / "Ref" / "image").glob("*.png")):
                break
            time.sleep(0.01)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == code and "Traceback" not in said
    assert 0 < len(list((bench.folder / "Ref" / "image").glob("*.png"))) < 5
    assert len(list((bench.folder / "Ref" / "pixel").glob("*.png"))) < 5
    bench.encode(*FLAGS)
    assert files(bench.folder / "Ref") == files(uninterrupted / "Ref")


def test_the_ground_truth_is_never_touched(uninterrupted):
    assert sorted(os.listdir(uninterrupted)) == ["GT", "Ref"] and len(os.listdir(uninterrupted / "GT")) == 5
    assert not (ROOT / "Ref" / "rate.csv").exists()
