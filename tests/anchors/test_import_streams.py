"""python -m cmcbench import --streams, which counts bytes by itself, and --estimated, which no stream backs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from cmcbench.anchors import imports
from cmcbench.errors import BadInput
from cmcbench.files import rates

STEMS = {"NSI_pgc_000": 5, "NSI_ugc_001": 70, "x": 1}  # -> bytes of its stream


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    for folder in ("GT", "theirs", "bin"):
        (tmp_path / folder).mkdir()
    for number, (stem, length) in enumerate(STEMS.items()):
        for folder in ("GT", "theirs"):
            Image.new("RGB", (16, 8), (number, 2, 3)).save(tmp_path / folder / f"{stem}.png")
        (tmp_path / "bin" / f"{stem}.cod").write_bytes(bytes([number]) * length)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bring(*more: str, rate: tuple[str, ...] = ("--streams", "bin")) -> int:
    return imports.main(["theirs", *rate, "--name", "cod@0.0039", *more])


def rows() -> dict[tuple[str, str], rates.Cost]:
    return rates.read(Path("Result/cod@0.0039/rates.csv"))


def test_the_streams_bytes_are_counted_and_kept(place):
    assert bring() == 0
    found = rows()
    assert {stem: (row.bits, row.image_bits, row.kind) for (stem, _), row in found.items()} == {
        stem: (8 * length, 8 * length, "measured") for stem, length in STEMS.items()
    }
    kept = Path("Result/cod@0.0039/stream")
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        path.name: path.read_bytes() for path in Path("bin").iterdir()
    }
    before = Path("Result/cod@0.0039/rates.csv").stat().st_mtime_ns
    assert bring() == 0 and Path("Result/cod@0.0039/rates.csv").stat().st_mtime_ns == before
    (kept / "x.cod").unlink()
    assert bring() == 0 and (kept / "x.cod").is_file() and rows() == found


def test_endings_in_capitals_are_endings(place):
    for path in list(Path("bin").iterdir()):
        path.rename(path.with_suffix(".PNG.BIN"))
    for path in list(Path("theirs").iterdir()):
        path.rename(path.with_suffix(".PNG"))
    assert bring() == 0 and {stem for stem, _ in rows()} == set(STEMS)


def test_streams_that_changed_are_not_mixed_in(place):
    assert bring() == 0
    Path("bin/x.cod").write_bytes(b"other")
    with pytest.raises(BadInput, match="1 came from another file .first: x."):
        bring()
    assert bring("--overwrite") == 0 and rows()["x", "image"].bits == 40


def test_endings_that_differ_are_kept_as_bin(place):
    Path("bin/x.cod").rename("bin/x.strm")
    assert bring() == 0
    assert {path.suffix for path in Path("Result/cod@0.0039/stream").iterdir()} == {".bin"}


PROBLEMS = {
    "no bytes": (lambda: Path("bin/x.cod").write_bytes(b""), "x.cod: is a stream of 0 bytes"),
    "two of a name": (lambda: Path("bin/x.dat").write_bytes(b"2"), "several files of that name"),
    "a folder": (lambda: (Path("bin/x.cod").unlink(), Path("bin/x").mkdir()), "x: is no plain file"),
    "a pipe": (lambda: (Path("bin/x.cod").unlink(), os.mkfifo("bin/x.cod")), "x: is no plain file"),
    "a link that leads nowhere": (
        lambda: (Path("bin/x.cod").unlink(), Path("bin/x.cod").symlink_to("gone")),
        "x: is no plain file",
    ),
    "a name in capitals": (
        lambda: Path("bin/x.cod").rename("bin/X.cod"),
        "X: there is no such ground truth in ./GT/; x is there, and capitals count",
    ),
    "none": (lambda: Path("bin/x.cod").unlink(), "x: is in theirs and has no stream in bin"),
    "too long": (lambda: Path("bin/x.cod").write_bytes(bytes(1_100_000)), "more than a picture of 16x8 can take"),
    "no picture": (lambda: Path("theirs/x.png").unlink(), "x: is in bin and not in theirs"),
    "no ground truth": (lambda: shutil.copy("bin/x.cod", "bin/other.cod"), "other: there is no such ground truth"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_lacks_a_stream_is_named_and_the_others_are_imported(place, capsys, case):
    change, words = PROBLEMS[case]
    change()
    assert bring() == 1
    assert words in capsys.readouterr().err
    assert {stem for stem, _ in rows()} >= {"NSI_pgc_000", "NSI_ugc_001"}
    assert ("x", "image") in rows() or case != "no ground truth"


REFUSED = {
    "no folder": (("--streams", "nowhere"), "--streams: nowhere is not a folder"),
    "an empty one": (("--streams", "empty"), "--streams: empty holds no streams"),
    "an estimate of streams": (("--streams", "bin", "--estimated"), "rates that no stream backs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_folders_are_refused_before_anything_is_done(place, case):
    Path("empty").mkdir()
    arguments, words = REFUSED[case]
    with pytest.raises(BadInput, match=words):
        bring(rate=arguments)
    assert not Path("Result").exists()


@pytest.mark.parametrize("rate", [(), ("--streams", "bin", "--bits", "bits.csv")])
def test_one_of_the_two_says_the_rate(place, rate):
    with pytest.raises(SystemExit) as end:
        bring(rate=rate)
    assert end.value.code == 2


def test_estimated_rates_say_so_and_do_not_mix_with_counted_ones(place):
    Path("bits.csv").write_text("name,bpp\n" + "".join(f"{stem}.png,0.5\n" for stem in STEMS))
    assert bring("--estimated", rate=("--bits", "bits.csv")) == 0
    assert {row.kind for row in rows().values()} == {"estimated"}
    with pytest.raises(BadInput, match="made otherwise"):
        bring(rate=("--bits", "bits.csv"))
