"""The streams that are counted beside the references."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from made_references import SIZES, files, foreign_picture, make, rows
from PIL import Image

from cmcbench import codecs
from cmcbench.files.references import read_rates, write_rates
from cmcbench.files.store import digest


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
