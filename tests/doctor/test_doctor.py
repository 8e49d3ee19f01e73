"""python -m cmcbench doctor: what it says of folders in every state, and that it stays quick and safe."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile

from bench import ROOT, write_captions, write_truth
from doctored import benchmark, ready, summary, weights


def test_an_empty_folder_lacks_what_the_steps_need_and_each_has_its_command(ask):
    found = ask()
    assert found["told"]["missing"] == ["GT", "Ref/image", "Ref/pixel", "Weight/topiq-fr.pth", "Weight/topiq-nr.pth"]
    assert not found["told"]["ready"]
    remedies = {what: found[what]["remedy"] for what in (*found["told"]["missing"], "Text")}
    assert remedies == {
        "GT": "python -m cmcbench download gt",
        "Ref/image": "python -m cmcbench download references",
        "Ref/pixel": "python -m cmcbench download references",
        "Weight/topiq-fr.pth": "python -m cmcbench download weights",
        "Weight/topiq-nr.pth": "python -m cmcbench download weights",
        "Text": "python -m cmcbench download captions",
    }
    assert found["Ref/rate.csv"]["state"] == found["Result"]["state"] == "note"
    assert [one["command"] for one in found["told"]["now"]] == ["make demo"]


def test_the_three_steps_can_run_and_the_commands_are_theirs(here, ask, lines):
    ready(here)
    found = ask(code=0)
    assert found["told"]["ready"] and found["GT"]["state"] == "note"  # not the benchmark's images
    assert "not the benchmark's 1,000: NSI_pgc" in found["GT"]["text"] and found["GT"]["images"] == 4
    assert found["Ref/image"]["state"] == "ok" and "mode full and image" in found["Ref/image"]["text"]
    commands = [one["command"] for one in found["told"]["now"]]
    assert commands == ["python script-i2t.py --model_name NAME", "python script-t2i.py --mode image"]
    shown = lines(code=0)
    assert shown.endswith("the three steps can run\n") and "  ok       Weight/topiq-fr.pth" in shown
    assert "      make demo\n" not in shown


def test_the_benchmarks_images_are_told_by_their_names(here, ask):
    benchmark(here / "GT")
    found = ask()["GT"]
    assert (found["state"], found["images"], found["whole"]) == ("ok", 1000, True)
    assert found["text"] == "1,000 images (NSI 400, SCI 300, AIGI 300), by name the benchmark's"
    (here / "GT" / "AIGI_SSD_000.png").unlink()
    (here / "GT" / "NSI_pgc_200.png").write_bytes((here / "GT" / "NSI_pgc_000.png").read_bytes())
    shutil.copy(here / "GT" / "NSI_pgc_000.png", here / "GT" / "mine.png")
    found = ask()["GT"]
    assert found["state"] == "note" and found["sources"]["AIGI_SSD"] == 49 and found["sources"]["other"] == 1
    assert "NSI_pgc 201/200, AIGI_SSD 49/50, 1 of other names" in found["text"]


def test_damaged_images_are_named(here, ask):
    ready(here)
    first, second = sorted((here / "GT").iterdir())[:2]
    first.write_bytes(first.read_bytes()[:-20])
    second.rename(second.with_suffix(".jpg")).write_bytes(b"")
    found = ask()["GT"]
    assert found["state"] == "missing" and found["damaged"] == [first.name, second.with_suffix(".jpg").name]
    assert found["remedy"].endswith("download gt --overwrite")


def test_two_images_of_one_name_are_told(here, ask):
    ready(here)
    first = sorted((here / "GT").iterdir())[0]
    shutil.copy(first, first.with_suffix(".bmp"))
    shutil.copy(first, here / "Ref" / "image" / first.with_suffix(".bmp").name)
    found = ask()
    assert "differ only in their ending" in found["GT"]["text"] and found["GT"]["images"] == 0
    assert "differ only in their ending" in found["Ref/image"]["text"] and found["Ref/image"]["state"] == "missing"


def test_references_are_paired_with_the_ground_truth(here, ask):
    ready(here)
    gone = sorted((here / "Ref" / "pixel").iterdir())[0]
    gone.rename(gone.with_name("alien.png"))
    shutil.copy(gone.with_name("alien.png"), here / "Ref" / "image" / "alien.png")
    found = ask(code=0)
    assert found["Ref/pixel"]["state"] == "note" and found["Ref/pixel"]["paired"] == 3
    assert f"3 of GT's 4 images have one (without: {gone.stem})" in found["Ref/pixel"]["text"]
    assert found["Ref/image"]["state"] == "ok" and "1 for images that are not in GT" in found["Ref/image"]["text"]
    for path in (here / "Ref" / "pixel").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    found = ask()
    assert found["Ref/pixel"]["state"] == "missing" and found["Ref/pixel"]["paired"] == 0
    shutil.rmtree(here / "Ref" / "pixel")
    make = "python script-i2t.py --model_name none --references"
    assert ask()["Ref/pixel"]["remedy"] == make  # the published ones are of other images
    shutil.rmtree(here / "GT")
    assert ask()["Ref/image"]["text"].startswith("5 references")
    benchmark(here / "GT")
    found = ask()["Ref/pixel"]
    assert found["remedy"] == "python -m cmcbench download references" and make in found["text"]


def test_rates_are_measured_or_nominal(here, ask):
    assert "nominal" in ask()["Ref/rate.csv"]["text"]
    (here / "Ref").mkdir()
    head = "name,reference,bits,bpp,width,height,codec,budget,level,scale,ground_truth,sha256\n"
    rows = "a.png,image,100,0.02,64,64,vvc,0.02,3,1,x,y\na.png,pixel,8,0.002,64,64,grid,,,1,x,y\n"
    (here / "Ref" / "rate.csv").write_text(head + rows)
    found = ask()["Ref/rate.csv"]
    assert found["state"] == "ok" and found["text"] == "measured bits of 1 (image vvc at 0.02 bpp), 1 (pixel grid)"
    (here / "Ref" / "rate.csv").write_text("a,b\n1,2\n")
    found = ask()["Ref/rate.csv"]
    assert found["state"] == "note" and "not a rate file" in found["text"] and found["measured"] == 0


def test_weights_are_judged_without_running_what_is_in_them(here, ask):
    weights(here / "Weight", 40)
    found = ask()["Weight/topiq-fr.pth"]
    assert found["state"] == "note" and "40.0 MB, the published file has 145" in found["text"]
    fr, nr = (here / "Weight" / name for name in ("topiq-fr.pth", "topiq-nr.pth"))
    with zipfile.ZipFile(fr, "w") as archive:  # as torch writes it, and a program in its pickle
        archive.writestr("archive/data.pkl", b"cposix\nsystem\n(S'touch pwned'\ntR.")
        archive.writestr("archive/data/0", bytes(145_000_000))
    nr.write_text("<html>")
    found = ask()
    assert found["Weight/topiq-fr.pth"]["state"] == "ok" and not (here / "pwned").exists()
    assert (
        found["Weight/topiq-nr.pth"]["state"] == "missing"
        and "is no PyTorch file" in found["Weight/topiq-nr.pth"]["text"]
    )
    assert found["Weight/topiq-nr.pth"]["remedy"] == "python -m cmcbench download weights --overwrite"
    with open(fr, "r+b") as file:
        file.truncate(100_000_000)
    with zipfile.ZipFile(nr, "w") as archive:
        archive.writestr("data.pkl/x", b"")
    found = ask()
    assert (
        "damaged or not whole" in found["Weight/topiq-fr.pth"]["text"]
        and found["Weight/topiq-fr.pth"]["state"] == "missing"
    )
    assert "no PyTorch file" in found["Weight/topiq-nr.pth"]["text"]


def test_captions_are_counted_and_paired(here, ask):
    ready(here)
    names = [path.name for path in sorted((here / "GT").iterdir())]
    write_captions(here / "Text" / "whole file.csv", dict.fromkeys(names, "a street"))
    write_captions(here / "Text" / "part.csv", {names[0]: "a street", names[1]: "", "alien.png": "x"})
    (here / "Text" / "broken.csv").write_text("a,b\n1,2\n")
    (here / "Text" / "folder.csv").mkdir()
    with open(here / "Text" / "large.csv", "wb") as file:
        file.truncate(65 << 20)
    (here / "Text" / ".part.part-0.jsonl").write_text("{}")
    found = ask(code=0)
    assert found["Text/whole file.csv"]["state"] == "ok" and not found["Text/whole file.csv"]["published"]
    part = found["Text/part.csv"]
    assert (part["state"], part["captions"], part["paired"]) == ("note", 2, 1) and "1 rows cannot be used" in part[
        "text"
    ]
    assert (
        "has no column name" in found["Text/broken.csv"]["text"]
        and "cannot be read" in found["Text/folder.csv"]["text"]
    )
    assert "too much for captions" in found["Text/large.csv"]["text"] and ".part.part-0.jsonl" in found["Text"]["text"]
    commands = [one["command"] for one in found["told"]["now"]]
    assert "python script-t2i.py --mode all --input_path 'Text/whole file.csv'" in commands


def test_published_captions_are_known_by_their_hash(here, ask, monkeypatch):
    import dataclasses
    import hashlib

    from cmcbench.doctor import data

    file = write_captions(here / "Text" / "gpt4v.csv", {"a.png": "a street"})
    known = hashlib.sha256(file.read_bytes()).hexdigest()
    files = tuple(dataclasses.replace(each, sha256=known) if each.file == "gpt4v.csv" else each for each in data.FILES)
    monkeypatch.setattr(data, "FILES", files)
    assert "(the published file)" in ask()["Text/gpt4v.csv"]["text"]


def test_results_tell_what_is_scored_and_what_a_kill_left(here, ask):
    ready(here)
    for name in ("done", "half", "new", "odd"):
        for mode in ("full", "text"):
            write_truth(here / "Result" / name / mode, 4)
    summary(here / "Result" / "done", full=4, text=4)
    summary(here / "Result" / "half", full=4, text=1)
    (here / "Result" / "odd" / "summary.json").write_text('{"modes": {"full": 3}}')
    (here / "Result" / "new" / "full" / ".tmp-x.png-1").touch()
    write_truth(here / "Result" / "plain", 2)
    (here / "Result" / "report" / "thumbs").mkdir(parents=True)
    found = ask(code=0)
    assert found["Result/done"]["state"] == "ok"
    assert found["Result/done"]["text"] == "full 4, text 4; scored by topiq_fr, topiq_nr"
    assert "scored in part (full 4, text 1)" in found["Result/half"]["text"] and found["Result/half"]["unscored"] == [
        "text"
    ]
    assert found["Result/new"]["leftovers"] == 1 and "not scored" in found["Result/new"]["text"]
    assert found["Result/new"]["remedy"] == "python script-evaluate.py --target new"
    assert "summary.json is not readable" in found["Result/odd"]["text"]
    assert found["Result/plain"]["text"].startswith("images 2 of 4 images") and "Result/report" not in found
    last = {"what": "step 3: TOPIQ scores of 4 result(s)", "command": "python script-evaluate.py --target all"}
    assert found["told"]["now"][-1] == last
    with open(here / "Result" / "odd" / "summary.json", "wb") as file:
        file.truncate(17 << 20)
    (here / "Weight" / "topiq-fr.pth").unlink()
    found = ask()
    assert "too large" in found["Result/odd"]["text"]
    assert "python script-evaluate.py --target all --metrics ms_ssim,piqe" in [
        one["command"] for one in found["told"]["now"]
    ]


def test_a_further_metric_of_some_images_makes_nothing_unfinished(here, ask):
    """And the advice scores what was scored: without TOPIQ's weights the default would mend nothing."""
    ready(here)
    for name in ("extra", "other"):
        write_truth(here / "Result" / name / "full", 4)
    for name, counts in (
        ("extra", {"topiq_fr": 4, "topiq_nr": 4, "ssim": 2}),
        ("other", {"ms_ssim": 3, "piqe": 1}),
    ):
        metrics = {metric: {"mean": 1.0, "n": n} for metric, n in counts.items()}
        (here / "Result" / name / "summary.json").write_text(json.dumps({"modes": {"full": {"metrics": metrics}}}))
    found = ask(code=0)
    assert found["Result/extra"]["state"] == "ok" and found["Result/extra"]["remedy"] == ""
    assert "scored in part (full 3)" in found["Result/other"]["text"]
    assert found["Result/other"]["remedy"] == "python script-evaluate.py --target other --metrics ms_ssim,piqe"


def test_what_a_killed_download_left_is_told(here, ask):
    hidden = here / "Ref" / "pixel" / ".download"
    hidden.mkdir(parents=True)
    (hidden / "reference-pix.zip.0123456789abcdef.part").write_bytes(bytes(2_000_000))
    (hidden / ".lock").touch()
    found = ask()["Ref/pixel/.download"]
    assert (
        found["text"].startswith("2.0 MB of a download") and found["remedy"] == "python -m cmcbench download references"
    )


def test_data_elsewhere_are_named_in_every_command(here, ask):
    root = here / "my data"
    root.mkdir()
    ready(root)
    write_captions(root / "Text" / "a.csv", {"x.png": "x"})
    write_truth(root / "Result" / "a b" / "text", 4)
    found = ask("--root", "my data", code=0)
    commands = [shlex.split(one["command"]) for one in found["told"]["now"]]
    assert ["--ground_truth", "my data/GT"] == commands[0][4:6] and "my data/Text/a.csv" in commands[1]
    assert commands[2][2:6] == ["--target", "a b", "--gt_path", "my data/GT"]
    assert commands[2][6:] == ["--results", "my data/Result", "--model_weight", "my data/Weight"]
    assert found["GT"]["remedy"] == "python -m cmcbench download gt --root 'my data'"


def test_names_from_a_stranger_cannot_write_on_the_terminal(here, lines):
    ready(here)
    (here / "Text").mkdir()
    (here / "Text" / "\x1b[31mred.csv").write_text("a,b\n")
    write_truth(here / "Result" / "\x1b]0;title\x07", 1)
    shown = lines(code=0)
    assert "\x1b" not in shown and "\x07" not in shown and "\\x1b[31mred.csv" in shown


def test_keys_are_never_shown(here, ask, lines, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    monkeypatch.setenv("HF_ENDPOINT", "https://user:secret@mirror.example")
    found = ask()
    assert found["OPENAI_API_KEY"]["set"] and found["HF_TOKEN"]["set"] and found["HF_HUB_OFFLINE"]["set"]
    assert found["HF_ENDPOINT"]["address"] == "https://mirror.example"
    assert "secret" not in json.dumps(found) + lines()
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    assert ask()["OPENAI_API_KEY"]["remedy"] == "export OPENAI_API_KEY=..."


def test_the_command_is_quick_and_imports_no_torch(here):
    """As a user runs it, with the benchmark's 1,000 images."""
    benchmark(here / "GT")
    code = (
        "import sys; sys.argv = ['x', 'doctor']; from cmcbench.__main__ import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'transformers', 'diffusers', 'pyiqa', 'scipy', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "1,000 images (NSI 400" in done.stdout and not done.stderr, done.stderr
