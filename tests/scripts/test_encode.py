"""script-i2t.py: what becomes of captions when all goes well, when images or models fail, and when the run is
killed.
"""

from __future__ import annotations

import csv
import io
import json
import signal
import unicodedata
from contextlib import suppress

import fake
import pandas
import pytest
from bench import write_captions, write_truth
from PIL import Image

from cmcbench.encode import journal


def captions(bench, name="me") -> dict[str, str]:
    text = (bench.folder / "Text" / f"{name}.csv").read_text(encoding="utf-8")
    return {row["name"]: row["text"] for row in csv.DictReader(io.StringIO(text))}


def digest(path) -> str:
    """What the fake encoder calls a picture."""
    import hashlib

    with Image.open(path) as image:
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()[:8]


def test_captions_in_the_published_format(faked, small_truth):
    faked.encode("--model_name", "me")
    table = pandas.read_csv(faked.folder / "Text" / "me.csv")
    assert list(table.columns) == ["Unnamed: 0", "name", "text"]
    assert list(table["name"]) == sorted(path.name for path in small_truth.iterdir())
    assert list(table["Unnamed: 0"]) == list(range(4))
    # line ends and runs of spaces become single spaces, quotes survive
    first = small_truth / table["name"][0]
    with Image.open(first) as image:
        assert table["text"][0] == f'A "{image.width}x{image.height}" picture, like {digest(first)}'


def test_manifest_tells_what_made_the_captions(faked, small_truth):
    faked.encode("--model_name", "me", "--explen", 20, "--seed", 7)
    record = json.loads((faked.folder / "Text" / "me.json").read_text())
    assert record["settings"]["prompt"].endswith("in 20 words based on the image.Considering Light and Color, Clarity")
    assert (record["settings"]["words"], record["settings"]["seed"], record["settings"]["dtype"]) == (20, 7, "fp32")
    assert set(record["images"]) == {path.name for path in small_truth.iterdir()}
    assert all(each["usage"] == {"output_tokens": 7} for each in record["images"].values())
    assert record["environment"]["torch"]


def test_rerun_makes_nothing_and_batches_change_nothing(faked, small_truth):
    faked.encode("--model_name", "one")
    faked.encode("--model_name", "many", "--batch_size", 3)
    assert captions(faked, "one") == captions(faked, "many")
    before = faked.files("Text/one.*")
    assert "0 captions made" in faked.encode("--model_name", "one").stderr
    assert faked.files("Text/one.*") == before


def test_subset_is_widened_and_rows_keep_the_order(faked, small_truth):
    faked.encode("--model_name", "me", "--images", "SCI_*")
    assert all(name.startswith("SCI_") for name in captions(faked))
    done = faked.encode("--model_name", "me")
    assert list(captions(faked)) == sorted(path.name for path in small_truth.iterdir())
    assert f"{4 - len(list(small_truth.glob('SCI_*')))} captions made" in done.stderr
    faked.encode("--model_name", "two", "--subset", 2)
    assert {name[:3] for name in captions(faked, "two")} == {"NSI", "SCI"}


def test_killed_at_any_moment_and_resumed(faked, tmp_path):
    truth = write_truth(faked.folder / "GT", 12)
    faked.encode("--model_name", "whole")
    file = faked.folder / "Text" / "me.csv"

    def kept() -> dict[str, str]:
        """In the CSV, or in the journal that the next run takes over."""
        texts = captions(faked) if file.exists() else {}
        for path in journal.found(file):
            with suppress(FileNotFoundError):  # taken over since
                texts |= journal.read(path).texts
        return texts

    for _ in range(5):
        before = len(kept())
        process = faked.start("script-i2t.py", "--model_name", "me", "--images", "*", FAKE_HOLD="2")
        faked.until(lambda before=before: len(kept()) > before, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert before < len(kept()) and kept().items() <= captions(faked, "whole").items()
    faked.encode("--model_name", "me")
    assert faked.files("Text/me.csv")["Text/me.csv"] == faked.files("Text/whole.csv")["Text/whole.csv"]
    assert not [path for path in (faked.folder / "Text").iterdir() if path.name.startswith(".tmp-")]
    assert len(list(truth.iterdir())) == 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_once_keeps_what_is_done(faked, number):
    write_truth(faked.folder / "GT", 12)
    process = faked.start("script-i2t.py", "--model_name", "me", FAKE_HOLD="3")
    faked.until(lambda: (faked.folder / "Text/me.csv").exists(), process)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == 130 and "interrupted. What is finished is kept" in errors and "Traceback" not in errors
    assert captions(faked)


def test_failures_are_listed_and_the_others_go_on(faked, small_truth):
    paths = sorted(small_truth.iterdir())
    fails = f"{digest(paths[0])},empty-{digest(paths[1])}"
    for batch in (1, 4):
        done = faked.encode("--model_name", f"b{batch}", "--batch_size", batch, code=1, FAKE_FAIL=fails)
        assert f"{paths[0].name}: cannot see" in done.stderr and "this picture" not in done.stderr
        assert f"{paths[1].name}: the model gave no caption (finish reason: content_filter)" in done.stderr
        assert "2 failed" in done.stderr
        assert list(captions(faked, f"b{batch}")) == [path.name for path in paths[2:]]
    faked.encode("--model_name", "b1")
    assert len(captions(faked, "b1")) == 4


def test_broken_pictures_among_good_ones(faked, small_truth):
    (small_truth / "NSI_ugc_100.png").write_bytes(b"")
    (small_truth / "NSI_ugc_101.png").write_bytes(sorted(small_truth.glob("NSI*"))[0].read_bytes()[:2000])
    Image.new("L", (20, 10), 7).save(small_truth / "NSI_ugc_102.png")
    done = faked.encode("--model_name", "me", code=1)
    assert "NSI_ugc_100.png: is an empty file" in done.stderr
    assert "NSI_ugc_101.png: is damaged or truncated" in done.stderr
    assert "NSI_ugc_102.png was in mode L, converted to RGB" in done.stderr
    assert len(captions(faked)) == 5 and '"20x10"' in captions(faked)["NSI_ugc_102.png"]


def test_other_settings_are_refused_and_nothing_is_lost(faked, small_truth):
    faked.encode("--model_name", "me")
    before = faked.files("Text/*")
    for flags, difference in (
        (["--explen", 20], "words was 10 and is 20 now"),
        (["--seed", 1], "seed was 42 and is 1 now"),
        (["--dtype", "bf16"], "dtype was fp32 and is bf16 now"),
        (["--model_dir", "elsewhere/else"], "checkpoint was"),
    ):
        done = faked.encode("--model_name", "me", *flags, code=0 if difference.startswith("checkpoint") else 2)
        if done.returncode:
            assert difference in done.stderr and "--overwrite" in done.stderr
        assert faked.files("Text/*") == before
    refused = faked.encode("--model_name", "me", "--explen", 20, "--overwrite", "--subset", 2, code=2)
    assert "2 of its captions are not among the images chosen now" in refused.stderr
    faked.encode("--model_name", "me", "--explen", 20, "--overwrite")
    assert json.loads(faked.files("Text/me.json")["Text/me.json"])["settings"]["words"] == 20


def test_overwrite_of_some_images(faked, small_truth):
    faked.encode("--model_name", "me")
    done = faked.encode("--model_name", "me", "--overwrite", "--subset", 1)
    assert "1 captions made" in done.stderr and len(captions(faked)) == 4


def test_a_changed_picture_gets_a_new_caption(faked, small_truth):
    faked.encode("--model_name", "me")
    Image.new("RGB", (31, 17), "red").save(sorted(small_truth.iterdir())[0])
    assert "1 captions made" in faked.encode("--model_name", "me").stderr
    assert '"31x17"' in next(iter(captions(faked).values()))


def test_captions_of_somebody_else_are_not_touched(faked, small_truth):
    file = write_captions(faked.folder / "Text" / "me.csv", {"other.png": "a caption"})
    before = file.read_bytes()
    done = faked.encode("--model_name", "me", code=2)
    assert "was not made by this program" in done.stderr and file.read_bytes() == before


def test_rows_without_ground_truth_stay_at_the_end(faked, small_truth):
    faked.encode("--model_name", "me")
    gone = sorted(small_truth.iterdir())[0]
    gone.unlink()
    Image.new("RGB", (20, 20)).save(small_truth / "SCI_screen_999.png")
    faked.encode("--model_name", "me")
    assert list(captions(faked))[-2:] == ["SCI_screen_999.png", gone.name]


def test_a_damaged_manifest_is_said_and_can_be_overwritten(faked, small_truth):
    faked.encode("--model_name", "me")
    manifest = faked.folder / "Text" / "me.json"
    for content in ("{", "[]"):
        manifest.write_text(content)
        assert "me.json" in faked.encode("--model_name", "me", code=2).stderr
    faked.encode("--model_name", "me", "--overwrite")
    assert len(captions(faked)) == 4


def test_two_runs_on_the_same_captions(faked):
    write_truth(faked.folder / "GT", 12)
    process = faked.start("script-i2t.py", "--model_name", "me", FAKE_HOLD="3")
    faked.until(lambda: (faked.folder / "Text/me.csv").exists(), process)
    done = faked.encode("--model_name", "me", code=1)
    assert "another run is writing" in done.stderr
    faked.encode("--model_name", "somebody-else")  # another file in the same folder is nobody's business
    (faked.folder / "go").touch()
    assert process.wait() == 0 and len(captions(faked)) == 12


def test_a_model_that_does_not_load(faked, small_truth):
    done = faked.encode("--model_name", "me", "--model_dir", "broken", code=2)
    assert "error: the checkpoint 'broken' is broken; download it again" in done.stderr
    assert not (faked.folder / "Text" / "me.csv").exists()


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--model_name", "none"], "add --references"),
        (["--ground_truth", "nowhere"], "nowhere does not exist"),
        (["--images", "*.gif"], "matches none of the 4 images"),
        (["--model_name", "../me"], "is not a plain name"),
        (["--model_name", ".hidden"], "is not a plain name"),
        (["--explen", "0"], "not a whole number above 0"),
        (["--subset", "-3"], "not a whole number above 0"),
        (["--bpp", "nan"], "not a rate in bits per pixel"),
        (["--dtype", "int8"], "invalid choice"),
        (["--device", "cuda:7", "--model_name", "me"], "this machine has no such device"),
        (["--modle_name", "me"], "Did you mean --model_name"),
    ],
)
def test_wrong_flags(faked, small_truth, flags, message):
    done = faked.encode(*flags, code=2)
    assert message in done.stderr
    assert not list(faked.folder.rglob("*.csv"))


def test_an_empty_ground_truth(faked):
    (faked.folder / "GT").mkdir()
    assert "holds no images" in faked.encode(code=2).stderr


def test_unknown_model(bench, small_truth):
    done = bench.encode("--model_name", "nobody", code=2)
    assert "unknown i2t model 'nobody'" in done.stderr and "tags" in done.stderr and "--model_dir" in done.stderr


def test_references_beside_captions(faked):
    write_truth(faked.folder / "GT", 2)
    done = faked.encode("--model_name", "me", "--references", "--bpp", "0.1")
    assert "References of 2 images" in done.stderr and "2 captions made" in done.stderr
    assert len(faked.files("Ref/*/*.png")) == 4
    assert "2 captions" not in faked.encode("--model_name", "none", "--references", "--bpp", "0.1").stderr


def test_a_batch_is_asked_again_one_by_one_only_when_it_failed(faked, small_truth, monkeypatch):
    from cmcbench.encode import command

    monkeypatch.chdir(faked.folder)
    monkeypatch.setattr(command, "create", lambda *_: fake.Encoder())
    monkeypatch.setattr(fake.Encoder, "calls", 0)
    assert command.main(["--model_name", "me", "--batch_size", "3", "--device", "cpu"]) == 0
    assert fake.Encoder.calls == 2


def test_the_published_default_is_the_published_encoder(bench, small_truth):
    """Without arguments. There is no network here, so that it ends where the weights would be fetched."""
    bench.inside = True
    done = bench.encode(code=2)
    assert "error: --model_dir 'Qwen/Qwen-VL-Chat' is no folder here" in done.stderr
    assert not list((bench.folder / "Text").glob("*.csv"))


@pytest.mark.parametrize("flag", [["--sampling", "published"], ["--convert"]])
def test_an_option_that_the_model_would_not_heed_is_refused(bench, small_truth, flag):
    bench.inside = True
    done = bench.encode("--model_name", "llava", "--model_dir", bench.folder, *flag, code=2)
    assert f"error: {flag[0]}" in done.stderr and "llava" in done.stderr and "leave it out" in done.stderr


def test_a_name_in_another_unicode_form_is_not_captioned_twice(faked):
    """As when a folder comes from a Mac, which decomposes letters."""
    names = [unicodedata.normalize(form, f"{word}.png") for form in ("NFC", "NFD") for word in ("café", "naïve")]
    place = faked.folder / "GT"
    for name in names[:2]:
        place.mkdir(exist_ok=True)
        Image.new("RGB", (30, 20), (len(name), 9, 9)).save(place / name)
    faked.encode("--model_name", "me")
    for old, new in zip(names[:2], names[2:]):
        (place / old).rename(place / new)
    done = faked.encode("--model_name", "me")
    assert "0 captions made" in done.stderr and list(captions(faked)) == names[:2]
    Image.new("RGB", (30, 20)).save(place / "z.png")
    faked.encode("--model_name", "me")
    assert list(captions(faked)) == [*names[2:], "z.png"]  # as the ground truth spells them now
