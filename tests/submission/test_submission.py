"""--submit: what a valid submission needs, what is packed, and that nothing of the machine goes with it."""

from __future__ import annotations

import getpass
import hashlib
import json
import shutil
import socket
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
import submissions
from bench import ROOT, write_captions, write_truth

from cmcbench.errors import BadInput, RunFailed
from cmcbench.files.anonymous import anonymous, leaks
from cmcbench.published import dataset
from cmcbench.submission import archive, rules, verify
from cmcbench.submission import submit as submit_module
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


@pytest.fixture
def made(tmp_path):
    """The folder of a scored result; GT, Text and Weight are where a user has them."""
    return submissions.result(tmp_path)


def packed(folder: Path) -> dict[str, bytes]:
    return archive.read(submit(folder, folder.parent.parent / "Weight"), FILES)


def edit(path: Path, change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def faults(folder: Path, capsys) -> list[str]:
    """What --submit says of a result that cannot be submitted. Nothing may be written then."""
    before = sorted(folder.rglob("*"))
    capsys.readouterr()
    with pytest.raises(BadInput, match="cannot be submitted for the .* reason.*Nothing was written"):
        submit(folder, folder.parent.parent / "Weight")
    assert sorted(folder.rglob("*")) == before
    return [line.removeprefix("fault: ") for line in capsys.readouterr().err.splitlines() if line.startswith("fault: ")]


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


def test_one_mode_is_too_few(tmp_path, capsys):
    folder = submissions.result(tmp_path, modes=("full",))
    (message,) = faults(folder, capsys)
    assert message.startswith(
        "a submission needs at least 2 of the modes full, image, pixel, text, and there is full. Make another with: "
    )


def test_all_that_is_missing_is_listed(made, capsys):
    edit(made / "summary.json", lambda found: found["ground_truth"].update(images=9))
    found = faults(made, capsys)
    assert (
        len(found) == 4
        and "mode text has both scores of 7 of 9 images. Make the others with: python script-t2i.py --mode text"
        in found[3]
    )


def test_scores_of_another_precision(made, capsys):
    def rename(found):
        found["metrics"] = {"topiq_fr@bf16": found["metrics"]["topiq_fr"], "topiq_nr": found["metrics"]["topiq_nr"]}

    edit(made / "summary.json", rename)
    (message,) = faults(made, capsys)
    assert message.startswith(
        "no scores of topiq_fr in fp32 and FR's published order; there are topiq_fr@bf16, which are not comparable."
    )
    assert "Score with: python script-evaluate.py --target real --submit" in message


def test_changed_by_hand(made, capsys):
    (made / "full/odd.png").write_bytes(b"another picture")
    text = (made / "scores.csv").read_text().replace("AIGI_MJ_007.png,AIGI,MJ,full,", "AIGI_MJ_007.png,AIGI,MJ,full,9")
    (made / "scores.csv").write_text(text)
    found = faults(made, capsys)
    assert any("odd.png, mode full: another picture was scored" in each for each in found)
    assert any("is plausible" in each and "score again with --overwrite" in each for each in found)


@pytest.mark.parametrize(
    "break_it, expected",
    [
        (lambda folder: (folder / "manifest.json").unlink(), "there is no finished .*manifest.json.*script-t2i.py"),
        (
            lambda folder: (folder / "summary.json").write_text('{"unfinished": true}'),
            "there is no finished .*summary.json",
        ),
        (lambda folder: (folder / "summary.json").write_text("{"), "is not readable JSON"),
        (lambda folder: (folder / "summary.json").write_text('{"target": 1}'), "summary.json: .* Score again"),
        (lambda folder: (folder / "scores.csv").unlink(), "scores.csv is missing"),
        (lambda folder: (folder / "scores.csv").write_text("a,b\n"), "scores.csv has no column name"),
        (lambda folder: (folder / "scores.csv").write_bytes(b"\xff"), "scores.csv is not UTF-8"),
        (lambda folder: (folder.parent.parent / "Weight/topiq-fr.pth").unlink(), "topiq-fr.pth is missing"),
        (
            lambda folder: (folder.parent.parent / "Weight/topiq-fr.pth").write_bytes(b"other"),
            "topiq_fr was not scored with",
        ),
        (lambda folder: (folder / "submission.zip").mkdir(), "is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_used_is_refused(made, break_it, expected):
    break_it(made)
    with pytest.raises(BadInput, match=expected):
        submit(made, made.parent.parent / "Weight")
    assert not (made / "submission.zip").is_file()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("SG161222/RealVisXL_V4.0", "SG161222/RealVisXL_V4.0"),
        ("hub:stabilityai/sdxl", "hub:stabilityai/sdxl"),
        ("/home/alice/my models/real", "(path)/real"),
        ("~/models/real", "(path)/real"),
        ("../alice/real", "(path)/real"),
        ("C:\\Users\\bob\\real", "(path)/real"),
        ("\\\\server\\share\\real", "(path)/real"),
        (
            "Generate an informative paragraph in 10 words based on the image.",
            "Generate an informative paragraph in 10 words based on the image.",
        ),
    ],
)
def test_paths_keep_their_last_part(text, expected):
    assert anonymous({"model_dir": text}) == {"model_dir": expected}


def test_keys_addresses_and_names_are_taken_out(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(socket, "gethostname", lambda: "gpu-07.lab.example")
    command = (
        "OPENAI_API_KEY=abc python3 /home/alice/run.py --token tok3n --url http://gpu-07:8000/v1 --who"
        " alice@gpu-07.lab.example sk-abcdefghijklmnop1234"
    )
    assert (
        anonymous({"command": command})["command"]
        == "OPENAI_API_KEY=(removed) python3 (path)/run.py --token (removed) --url (address) --who (name)@(name)"
        " (removed)"
    )
    command = "docker run -v /data/bob:/mnt gpu:/export/bob/x cc -I/home/bob/include org/model-1"
    assert (
        anonymous({"command": command})["command"]
        == "docker run -v (path)/mnt gpu:(path)/x cc -I(path)/include org/model-1"
    )
    document = {
        "settings": {"api_key": "abc", "words": 10, "list": ["/root/x/y", None]},
        "images": {"a.png": {"usage": {"output_tokens": 7}}},
    }
    assert anonymous(document) == {
        "settings": {"api_key": "(removed)", "words": 10, "list": ["(path)/y", None]},
        "images": {"a.png": {"usage": {"output_tokens": 7}}},
    }


def test_a_machine_without_users(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert anonymous({"command": "run it"}) == {"command": "run it"}


def test_nothing_of_the_machine_goes_with_it(made, monkeypatch, capsys):
    """Whatever the manifest says; and what no rule takes out stops the submission."""
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/alice"))
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwx")

    def private(found):
        found["model_dir"] = "/home/alice/secret project/real"
        for each in found["modes"].values():
            each["settings"]["command"] = "/home/alice/run.sh --token hf_abcdefghijklmnopqrstuvwx"

    edit(made / "manifest.json", private)
    edit(
        made.parent.parent / "Text/mine.json",
        lambda found: found["settings"].update(command="ssh alice@host /home/alice/x"),
    )
    contents = packed(made)
    everything = b"".join(contents.values())
    assert b"alice" not in everything and b"hf_abcd" not in everything and b"secret project" not in everything
    assert b"(path)/real" in contents["mail.txt"]
    (made / "submission.zip").unlink()
    edit(
        made / "manifest.json",
        lambda found: found["environment"].update(note="x/home/alice and hf_abcdefghijklmnopqrstuvwx"),
    )
    monkeypatch.setattr(submit_module, "anonymous", lambda value: value)
    found = faults(made, capsys)
    assert any("manifest.json would give away the path of the home folder" in each for each in found)
    assert any("manifest.json would give away the value of the environment variable HF_TOKEN" in each for each in found)
    assert not list(leaks(b"nothing"))


def test_too_large_is_refused(made, monkeypatch, capsys):
    monkeypatch.setitem(rules.FILES, "scores.csv", 100)
    assert any("scores.csv has " in each and "and a submission takes 100" in each for each in faults(made, capsys))


def test_flags(faked, small_truth):
    for name in ("real", "other"):
        shutil.copytree(small_truth, faked.folder / "Result" / name / "image")
    for flags, expected in (
        (["--target", "real", "other", "--submit"], "--submit takes one target, and 2 are named: real, other"),
        (["--submit_path", "x.zip"], "give --submit as well"),
        (["--submit", "--submit_path", "x.tar"], "expected the name of a .zip file"),
    ):
        assert expected in faked.score("--metrics", "ms_ssim", *flags, code=2).stderr


def test_from_images_to_accepted(faked, small_truth, weights, tmp_path, capsys):
    """The whole way: decode, score with --submit, verify with the pictures, which scores a sample again."""
    write_truth(faked.folder / "GT", 2)
    for path in sorted((faked.folder / "GT").iterdir())[2:]:
        path.unlink()
    write_captions(
        faked.folder / "Text" / "gpt4v.csv",
        {path.name: f"a red {path.stem}" for path in (faked.folder / "GT").iterdir()},
    )
    faked.encode("--model_name", "none", "--references", "--bpp", "0.3")
    faked.decode("--mode", "text")
    faked.decode("--mode", "pixel")
    done = faked.score("--target", "real", "--model_weight", weights, "--submit", "--submit_path", "mine.zip")
    assert "The submission is mine.zip" in done.stderr
    assert (
        "deviation from the published settings, listed in the submission: captions: no manifest tells what made them"
        in done.stderr
    )
    file, results, truth = faked.folder / "mine.zip", faked.folder / "Result/real", faked.folder / "GT"
    flags = [
        "--results",
        str(results),
        "--ground_truth",
        str(truth),
        "--model_weight",
        str(weights),
        "--sample",
        "2",
        "--seed",
        "1",
    ]
    capsys.readouterr()
    assert verify.main([str(file), *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    again = [
        line
        for line in lines
        if line.startswith("scored again: 2 of 4 pictures, chosen with --seed 1; largest difference ")
    ]
    assert again and float(again[0].split()[-3].rstrip(",")) <= 1e-5 and lines[-1] == "accepted"
    # a forger who changes the scores of one picture, and all that hangs on it, is found out by the network alone
    shutil.move(results / "scores.csv", tmp_path)
    import csv

    with open(tmp_path / "scores.csv", newline="") as old, open(results / "scores.csv", "w", newline="") as new:
        rows = list(csv.DictReader(old))
        writer = csv.DictWriter(new, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            row["topiq_nr"] = str(float(row["topiq_nr"]) + 0.01)
        writer.writerows(rows)
    faked.score("--target", "real", "--model_weight", weights, "--submit", "--submit_path", "mine.zip")
    assert verify.main([str(file), *flags]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        sum(
            line.startswith("fault: scores.csv: ") and "topiq_nr is " in line and "scored again" in line
            for line in lines
        )
        == 2
    ), lines


def test_rescoring_that_fails(made, capsys, monkeypatch):
    """Weights that are none: the script's own words, no traceback. Pictures of the sample that are others: said so."""
    file, place = submit(made, made.parent.parent / "Weight"), made.parent.parent
    command = [
        sys.executable,
        "-m",
        "cmcbench",
        "verify",
        str(file),
        "--results",
        str(made),
        "--ground_truth",
        str(place / "GT"),
        "--model_weight",
        str(place / "Weight"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "error: rescoring failed: " in done.stderr and "Traceback" not in done.stderr
    assert "accepted" not in done.stdout
    shutil.copytree(place / "Weight", place / "Other")
    (place / "Other/topiq-fr.pth").write_bytes(b"other weights")
    with (
        monkeypatch.context() as patched,
        pytest.raises(RunFailed, match="rescoring 1 pictures did not end; take fewer"),
    ):
        patched.setattr("cmcbench.submission.checks.pictures.PATIENCE", 1e-3)
        verify.main([*command[4:-1], str(place / "Other"), "--sample", "1"])
    assert (
        f"fault: topiq_fr: was scored with other weights than {place / 'Other/topiq-fr.pth'}" in capsys.readouterr().out
    )
    for path in (made / "full").iterdir():
        path.write_bytes(b"another")
    (made / "full/odd.png").unlink()
    monkeypatch.setattr("cmcbench.submission.checks.pictures._score", lambda work, sample, pictures: "no reason")
    monkeypatch.setattr("cmcbench.submission.checks.pictures._read", lambda path: {})
    capsys.readouterr()
    assert verify.main([*command[4:], "--sample", "28"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "fault: 7 of the sample cannot be scored again: their pictures are not those of the submission" in lines
    assert sum("cannot be scored again (no reason)" in line for line in lines) == 20
