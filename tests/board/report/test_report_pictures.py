"""python -m cmcbench report: what is said of the pictures is true, and the last target takes the report with it."""

from __future__ import annotations

import shutil

import pytest
import scored_results as made
from PIL import Image
from written_report import content, data, report

from cmcbench.__main__ import main
from cmcbench.board.page import command, thumbnails
from cmcbench.errors import BadInput
from cmcbench.files.store import digest


def told(capsys) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_a_first_report_that_makes_no_thumbnails_does_not_say_that_it_holds_copies(scored, monkeypatch, capsys):
    monkeypatch.setattr(command, "QUICK", 5)
    command.after_scoring(scored / "Result", scored / "GT")
    folder = scored / "Result" / "report"
    assert "with links to the pictures where they lie" in told(capsys)
    assert data(folder, "board")["pictures"] == "links" and not (folder / "pictures").exists()
    # Some pictures have copies, new ones do not: it cannot be sent as it is either
    report(scored)
    assert "with copies of all pictures" in told(capsys) and data(folder, "board")["pictures"] == "copies"
    digests = {path.stem: digest(path.read_bytes()) for path in (scored / "GT").iterdir()}
    made.target(scored, "new", digests, {"full": 0.02, "text": 0.002})
    command.after_scoring(scored / "Result", scored / "GT")
    assert "with links" in told(capsys) and (folder / "pictures" / "full" / "truth").is_dir()


@pytest.mark.parametrize(
    "flag, how", [("copy", "copies"), ("copies", "copies"), ("link", "links"), ("links", "links"), ("thumbs", "thumbs")]
)
def test_pictures_are_copied_linked_or_small(scored, flag, how):
    folder = report(scored, "--pictures", flag)
    assert data(folder, "board")["pictures"] == how
    assert (folder / "pictures" / "full").is_dir() == (how == "copies")


def test_without_pictures_scores_and_captions_stay(scored, capsys):
    folder = report(scored)
    whole = data(folder, "target-0")
    report(scored, "--pictures", "none")
    assert "without pictures" in told(capsys) and not (folder / "pictures").exists()
    bare, images = data(folder, "target-0"), data(folder, "images")
    assert bare["captions"] == whole["captions"] and images["names"] == [f"{name}.png" for name in made.NAMES[:3]]
    assert bare["modes"]["full"]["scores"] == whole["modes"]["full"]["scores"]
    assert bare["modes"]["full"]["pictures"] == images["truth"] == [0, 0, 0] and images["references"] == {}
    assert data(folder, "board")["featured"] == [] and data(folder, "board")["truth"] == 3


def test_another_word_is_refused(scored, capsys):
    with pytest.raises(SystemExit):
        report(scored, "--pictures", "all")
    assert "'all' is none of auto, copy, link, thumbs, none" in capsys.readouterr().err


def test_the_size_of_the_folder_is_told(scored, capsys, monkeypatch):
    folder = report(scored)
    size = sum(len(each) for each in content(folder).values())
    assert f"({round(size / 1000)} kB)" in told(capsys)
    sizes = (1, 999_499, 1_000_000, 12_345_678, 20_000_000_000)
    assert [command.size_of(n) for n in sizes] == ["1 kB", "999 kB", "1.0 MB", "12.3 MB", "20.0 GB"]


def test_all_cores_make_thumbnails(scored, monkeypatch):
    used = []
    real = thumbnails.ThreadPoolExecutor
    monkeypatch.setattr(
        thumbnails, "ThreadPoolExecutor", lambda max_workers: used.append(max_workers) or real(max_workers)
    )
    monkeypatch.setattr(thumbnails.os, "cpu_count", lambda: 24)
    report(scored)
    assert used == [48]


def test_when_the_last_target_goes_the_old_report_goes(scored):
    folder = report(scored)
    shutil.rmtree(scored / "Result" / "real")
    report(scored)
    shutil.rmtree(scored / "Result" / "vvc@0.02")
    with pytest.raises(BadInput, match="has no scored target. The report of targets that are gone was removed"):
        main(["report", "--results", str(scored / "Result"), "--ground_truth", str(scored / "GT")])
    assert not folder.exists()
    with pytest.raises(BadInput) as error:
        main(["report", "--results", str(scored / "Result"), "--targets", "real"])
    assert "was removed" not in str(error.value)


def test_somebody_elses_files_stay_when_the_report_goes(scored):
    folder = report(scored)
    (folder / "notes.txt").write_text("mine")
    (folder / "pictures" / "mine.png").write_text("mine")
    for name in ("real", "vvc@0.02"):
        shutil.rmtree(scored / "Result" / name)
    with pytest.raises(BadInput, match="was removed"):
        main(["report", "--results", str(scored / "Result")])
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["mine.png", "notes.txt"]
    other = scored / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(BadInput):
        main(["report", "--results", str(scored / "Result"), "--output", str(other)])
    assert (other / "index.html").read_text() == "mine"


def test_a_target_that_cannot_be_read_takes_no_report_away(scored):
    folder = report(scored)
    for name in ("real", "vvc@0.02"):
        (scored / "Result" / name / "summary.json").write_text("{")
    with pytest.raises(BadInput, match="has no scored target"):
        main(["report", "--results", str(scored / "Result")])
    assert (folder / "index.html").is_file()


def test_originals_are_copied_upright_and_without_exif(scored):
    """A photograph as a phone writes it: lying, with the place where it was taken."""
    file = scored / "GT" / "NSI_pgc_000.png"
    with Image.open(file) as image:
        lying = image.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned a quarter clockwise
        exif[0x010F] = "a maker of phones"
        lying.save(file.with_suffix(".jpg"), exif=exif, quality=95)
        expected = image.convert("RGB").resize((6, 4))
    file.unlink()
    folder = report(scored)
    copy = folder / data(folder, "images")["truth"][0][1]
    assert copy.suffix == ".jpg" and b"a maker of phones" not in copy.read_bytes()
    with Image.open(copy) as image:
        assert image.size == (60, 40) and not image.getexif()
        small = image.convert("RGB").resize((6, 4))
    pairs = zip(expected.tobytes(), small.tobytes())
    assert max(abs(one - other) for one, other in pairs) < 40 and data(folder, "images")["sizes"][0] == [60, 40]
