"""--submit: what is packed, and which deviations are named."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import types
from dataclasses import replace

import pytest
import submissions
from submitted import edit, packed

from cmcbench.files.store import digest
from cmcbench.protocol import IMAGE_PROMPT
from cmcbench.published import dataset
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


def test_what_is_packed(made, capsys):
    contents = packed(made)
    assert set(contents) == set(FILES)
    assert (
        contents["scores.csv"] == (made / "scores.csv").read_bytes()
        and contents["rates.csv"] == (made / "rates.csv").read_bytes()
    )
    assert contents["captions.csv"] == (made.parent.parent / "Text/mine.csv").read_bytes()
    for name in ("summary", "manifest"):
        assert json.loads(contents[f"{name}.json"]) == json.loads((made / f"{name}.json").read_text())
    # sha256sum -c takes both lists as they are
    unpacked = made.parent / "unpacked"
    unpacked.mkdir()
    for name, data in contents.items():
        (unpacked / name).write_bytes(data)
    for place, listed in ((unpacked, "SHA256SUMS"), (made, unpacked / "reconstructions.sha256")):
        done = subprocess.run(["sha256sum", "--strict", "-c", str(listed)], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.count(": OK") == (9 if place == unpacked else 28)
    text = contents["mail.txt"].decode()
    assert hashlib.sha256(contents["SHA256SUMS"]).hexdigest() in text and "real (SG161222/RealVisXL_V4.0)" in text
    assert "mine, captions mine.csv" not in text and "captions mine.csv (SHA-256 begins " in text
    assert "Overall 2.1549" in text and "- ground truth of 7 images, which is not the benchmark's of 1,000" in text
    environment = json.loads(contents["environment.json"])
    assert environment["versions"]["cmcbench"] and set(environment["platform"]) == {
        "system",
        "machine",
        "python",
        "libc",
    }
    said = capsys.readouterr().err
    assert "note: deviation from the published settings, listed in the submission: ground truth of 7 images" in said


def test_the_same_result_gives_the_same_file(made):
    path = submit(made, made.parent.parent / "Weight")
    first = path.read_bytes()
    path.unlink()
    assert (
        submit(made, made.parent.parent / "Weight", made.parent / "other.zip").read_bytes() == first
        and not path.exists()
    )


def test_gpus_are_named(made, monkeypatch):
    cuda = types.SimpleNamespace(device_count=lambda: 2, get_device_name=lambda number: f"GPU {number}")
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert json.loads(packed(made)["environment.json"])["gpus"] == ["GPU 0", "GPU 1"]
    monkeypatch.setitem(sys.modules, "torch", None)
    assert json.loads(packed(made)["environment.json"])["gpus"] == []


def test_the_published_result_deviates_in_nothing(tmp_path, monkeypatch):
    """1,000 images as the benchmark has them, published captions, weights of the published size."""
    names = [
        f"{kind}_{source}_{number:03}.png"
        for kind, sources in (
            ("NSI", {"pgc": 200, "ugc": 200}),
            ("SCI", dict.fromkeys(("game", "movie", "screen"), 100)),
            ("AIGI", dict.fromkeys(("DALLE3", "MJ", "PG", "Pixart", "SDXL", "SSD"), 50)),
        )
        for source, count in sources.items()
        for number in range(count)
    ]
    folder = submissions.result(tmp_path, names, ("full", "text"))
    known = {metric: {"file": each["file"], "sha256": []} for metric, each in dataset.published_weights().items()}
    monkeypatch.setattr(dataset, "published_weights", lambda: known)
    sized = [replace(each, megabytes=0) if each.part == "weights" else each for each in dataset.FILES]
    monkeypatch.setattr(dataset, "FILES", sized)
    contents = packed(folder)
    assert json.loads(contents["submission.json"])["deviations"] == []
    assert b"Deviations from the published settings: none" in contents["mail.txt"]
    assert (folder / "submission.zip").stat().st_size < 1 << 20
    # once the hashes are known, other weights are a deviation, and the right ones none
    known["topiq_fr"]["sha256"] = ["0" * 64]
    known["topiq_nr"]["sha256"] = [json.loads(contents["submission.json"])["weights"]["topiq_nr"]["sha256"]]
    assert json.loads(packed(folder)["submission.json"])["deviations"] == [
        "topiq-fr.pth: its SHA-256 is not that of the published file"
    ]


def test_published_captions_need_no_manifest(made, monkeypatch):
    (made.parent.parent / "Text/mine.json").unlink()
    contents = packed(made)
    found = json.loads(contents["submission.json"])
    assert "captions: no manifest tells what made them" in found["deviations"]
    assert found["absent"] == {"captions.json": "mine.csv has no manifest beside it"}
    seen = hashlib.sha256((made.parent.parent / "Text/mine.csv").read_bytes()).hexdigest()
    monkeypatch.setattr(
        dataset,
        "FILES",
        (*dataset.FILES, dataset.Published("captions", "mine.csv", "Text", 0, seen)),
    )
    assert not [
        each for each in json.loads(packed(made)["submission.json"])["deviations"] if each.startswith("captions")
    ]


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda text: text.unlink(), "no Text/mine.csv here is the file that the reconstructions were made from"),
        (
            lambda text: text.write_bytes(b",name,text\n0,odd.png,other\n"),
            "no Text/mine.csv here is the file that the reconstructions were made from",
        ),
    ],
)
def test_captions_that_are_not_at_hand_are_said_to_be_absent(made, change, why):
    change(made.parent.parent / "Text/mine.csv")
    contents = packed(made)
    assert "captions.csv" not in contents and "captions.json" not in contents
    assert json.loads(contents["submission.json"])["absent"] == {"captions.csv": why, "captions.json": why}
    assert f"- captions.csv: {why}" in contents["mail.txt"].decode()


def test_captions_that_the_manifest_does_not_name(made):
    for name in ("../../etc/passwd", "", None):
        for file in ("manifest.json", "summary.json"):
            edit(made / file, lambda found, name=name: (found.get("made_by") or found)["captions"].update(file=name))
        assert (
            json.loads(packed(made)["submission.json"])["absent"]["captions.csv"]
            == "the manifest does not name the captions"
        )


def test_a_decoder_of_two_modes(tmp_path):
    folder = submissions.result(tmp_path, modes=("full", "image"))
    contents = packed(folder)
    assert json.loads(contents["submission.json"])["modes"] == ["full", "image"] and "captions.csv" in contents
    assert b"(table of T2I models), - (table of I2T models)" in contents["mail.txt"]


def test_unknown_rates_are_a_deviation(made):
    (made / "rates.csv").unlink()
    submissions.score(made.parent.parent)
    found = json.loads(packed(made)["submission.json"])
    assert found["absent"] == {"rates.csv": "nothing tells what the reconstructions cost"}
    assert "mode text: the bits of 7 images are not known" in found["deviations"]


DEVIATIONS = {
    "steps": (lambda found: found["modes"]["full"]["settings"].update(steps=20), "mode full: steps 20, published 40"),
    "an edit model": (lambda found: found["modes"]["full"]["settings"].update(strength=None), None),
    "guidance": (
        lambda found: found["modes"]["text"]["settings"].update(guidance=7.5),
        "mode text: guidance 7.5, which the published runs did not use",
    ),
    "a baseline": (lambda found: found.update(baseline=True), "the decoder is a baseline, no generative model"),
    "settings of another program": (
        lambda found: found["modes"]["text"].update(settings={}),
        "mode text: seed is not told, published 42",
    ),
}


@pytest.mark.parametrize("change, expected", DEVIATIONS.values(), ids=DEVIATIONS)
def test_deviations_are_named(made, change, expected):
    before = json.loads(packed(made)["submission.json"])["deviations"]
    edit(made / "manifest.json", change)
    summary = json.loads((made / "summary.json").read_text())
    summary["made_by"]["baseline"] = json.loads((made / "manifest.json").read_text())["baseline"]
    (made / "summary.json").write_text(json.dumps(summary))
    new = [each for each in json.loads(packed(made)["submission.json"])["deviations"] if each not in before]
    assert expected in new if expected else new == []


RESTORERS = {"pasd": 20, "diffbir": 50, "stablesr": 200}


def restored(name, steps, prompt="", **settings):
    """A change to a manifest: what a restoration decoder leaves, which takes no strength."""

    def change(found):
        for mode, each in found["modes"].items():
            each["settings"].update(model=name, steps=steps, strength=None, **settings)
            for inputs in each["inputs"].values() if mode == "image" else ():
                inputs["prompt"] = digest(prompt.encode())

    return change


@pytest.mark.parametrize("name, steps", RESTORERS.items())
def test_restoration_decoders_have_their_authors_steps_and_prompt(tmp_path, name, steps):
    folder = submissions.result(tmp_path, modes=("full", "image"))

    def deviations(*change, **settings):
        edit(folder / "manifest.json", restored(name, *change, **settings))
        found = json.loads(packed(folder)["submission.json"])["deviations"]
        return [each for each in found if each.startswith("mode")]

    assert deviations(steps) == []
    assert deviations(40) == [f"mode {mode}: steps 40, published {steps}" for mode in ("full", "image")]
    assert deviations(steps, IMAGE_PROMPT) == ["mode image: 7 images were not made with the fixed prompt"]
    # A user's own file of that name is not theirs
    assert f"mode full: steps {steps}, published 40" in deviations(steps, adapter="folder:0123456789abcdef")


@pytest.mark.parametrize("name", ["../pasd", "pasd.py", None, ["pasd"], {}])
def test_a_name_in_a_manifest_is_only_looked_up(made, name):
    edit(made / "manifest.json", lambda found: found["modes"]["full"]["settings"].update(model=name, steps=20))
    assert "mode full: steps 20, published 40" in json.loads(packed(made)["submission.json"])["deviations"]


def test_references_of_another_rate_are_a_deviation(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "IMAGE_BITS", 400)
    found = json.loads(packed(submissions.result(tmp_path))["submission.json"])["deviations"]
    assert "mode image: references of 0.0440 bpp, published about 0.020" in found and not any(
        "mode pixel" in each for each in found
    )


def test_pictures_of_another_program(made):
    """What python -m cmcbench import wrote: no prompts, no steps, no captions; all of it is named."""

    def imported(found):
        found.update(t2i="cdc", codec="cdc", captions=None, imported=True)
        found["modes"] = {
            mode: {"settings": {"codec": "cdc", "unit": "bits"}, "inputs": {"odd": {"bits": 1}}}
            for mode in found["modes"]
        }

    edit(made / "manifest.json", imported)
    edit(made / "summary.json", lambda found: found["made_by"].update(t2i="cdc", captions=None))
    contents = packed(made)
    found = json.loads(contents["submission.json"])
    assert {
        "the pictures come from 'cdc', not from a decoder of the benchmark",
        "mode full: steps is not told, published 40",
        "captions: no manifest tells what made them",
    } <= set(found["deviations"]) and not any("fixed prompt" in each for each in found["deviations"])
    assert b"Encoder:  none" in contents["mail.txt"] and set(found["absent"]) == {"captions.csv", "captions.json"}


def test_baselines_of_captions(made):
    for file in ("manifest.json", "summary.json"):
        edit(made / file, lambda found: (found.get("made_by") or found)["captions"].update(baseline=True))
    assert (
        "captions: the encoder is a baseline, no language model"
        in json.loads(packed(made)["submission.json"])["deviations"]
    )
