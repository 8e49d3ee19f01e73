"""A file that changes after a run has begun: what it was then is in the manifest, and nothing of what it is now."""

from __future__ import annotations

from pathlib import Path

import pytest
from codec_programs import codec_program
from made_targets import SIZE, STEMS, run
from PIL import Image

from cmcbench.anchors import imports
from cmcbench.anchors.output import Output
from cmcbench.files import rates

VICTIM = STEMS[1]


@pytest.fixture
def changing(monkeypatch):
    """Has a file replaced by another picture once the run has begun."""

    def of(path: Path) -> None:
        begin = Output.begin

        def begun(self, overwrite):
            found = begin(self, overwrite)
            Image.new("RGB", SIZE, "red").save(path)
            return found

        monkeypatch.setattr(Output, "begin", begun)

    return of


def check(folder: Path, said: str) -> None:
    assert f"{VICTIM}.png has changed since this run began. Run the same command again" in said and "1 failed" in said
    assert {stem for stem, _ in rates.read(folder / "rates.csv")} == {*STEMS} - {VICTIM}
    assert sorted(path.stem for path in (folder / "image").glob("*.png")) == sorted({*STEMS} - {VICTIM})


@pytest.mark.parametrize("codec", ["a codec of pictures", "a learned one"])
def test_a_ground_truth_that_changes_is_not_coded(gt, tmp_path, codec, changing, capsys):
    asked = ["jpeg", "--bpp", 0.5]
    if codec == "a learned one":
        asked = ["--command", codec_program(tmp_path), "--name", "mine", "--device", "cpu"]
    changing(gt / f"{VICTIM}.png")
    assert run(gt, tmp_path / "Result", *asked) == 1
    (folder,) = (tmp_path / "Result").iterdir()
    check(folder, capsys.readouterr().err)


def test_a_reconstruction_that_changes_is_not_taken(gt, tmp_path, changing, capsys):
    (tmp_path / "theirs").mkdir()
    for stem in STEMS:
        Image.new("RGB", SIZE, "blue").save(tmp_path / "theirs" / f"{stem}.png")
    (tmp_path / "bits.csv").write_text("name,bits\n" + "".join(f"{stem}.png,400\n" for stem in STEMS))
    changing(tmp_path / "theirs" / f"{VICTIM}.png")
    flags = ["--bits", tmp_path / "bits.csv", "--name", "x", "--ground_truth", gt, "--output_path", tmp_path / "Result"]
    assert imports.main(list(map(str, [tmp_path / "theirs", *flags]))) == 1
    check(tmp_path / "Result/x", capsys.readouterr().err)
