"""verify --decode: pictures made anew are the submitted ones, and a manifest that lies is found by them."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import warm
from bench import ROOT, SAMPLES, Bench, without_ffmpeg, write_captions, write_truth
from PIL import Image
from submissions import changed, resealed, zip_file

from cmcbench.errors import RunFailed
from cmcbench.files.result_manifest import system_of
from cmcbench.submission import archive, verify
from cmcbench.submission.checks import pictures, redecode
from cmcbench.submission.rules import FILES


@pytest.fixture(scope="module")
def sent(tmp_path_factory, weights):
    """A working folder with mine.zip, whose pictures the fake decoder made in text and image mode."""
    bench = Bench(tmp_path_factory.mktemp("sent"))
    bench.fake = bench.inside = True
    texts = {path.name: f"a red {path.stem}" for path in write_truth(bench.folder / "GT", 4).iterdir()}
    write_captions(bench.folder / "Text" / "gpt4v.csv", texts)
    with without_ffmpeg():
        bench.encode("--model_name", "none", "--references", "--bpp", "0.3")
    for mode in ("text", "image"):
        bench.decode("--mode", mode, "--steps", "2")
    bench.score("--target", "real", "--model_weight", weights, "--submit", "--submit_path", "mine.zip")
    return bench.folder


@pytest.fixture
def submitted(sent, tmp_path):
    return shutil.copytree(sent, tmp_path / "sent")


def step_by(program, work):
    done = warm.Program(program, work, dict(os.environ))
    said = done.communicate()[1]
    return done.returncode, (said.strip().splitlines() or [""])[-1]


@pytest.fixture
def with_fakes(monkeypatch):
    """The decode step runs with the fake decoder, as a program of its own."""

    def run(step, arguments, work, pictures, what):
        assert step == "decode" and all(argument.startswith("--") for argument in arguments)
        return step_by([str(ROOT / "tests/support/fake.py"), "script-t2i.py", *arguments], work)

    monkeypatch.setattr(redecode, "run_step", run)


def flags(folder, *more):
    places = ["--results", str(folder / "Result/real"), "--ground_truth", str(folder / "GT")]
    return [*places, "--ref_dir", str(folder / "Ref"), "--seed", "1", "--device", "cpu", *more]


def test_honest_pictures_are_exact_and_a_forged_manifest_is_found(submitted, with_fakes, tmp_path, capsys):
    file = submitted / "mine.zip"
    assert verify.main([str(file), *flags(submitted, "--decode", "8")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (said,) = [
        line for line in lines if line.startswith("decoded anew: 8 of 8 pictures, chosen with --seed 1, on the ")
    ]
    assert "the same versions and hardware: 8 exact; at least 40 dB" in said
    assert "what that proves: 8 of 8: finds " in "\n".join(lines)

    def lie(manifest):
        for mode in manifest["modes"].values():
            mode["settings"]["steps"] = 40

    contents = changed(archive.read(file, FILES), "manifest.json", lie)
    contents = changed(contents, "submission.json", lambda told: told.update(
        deviations=[each for each in told["deviations"] if "steps" not in each]))  # fmt: skip
    manifest = json.loads(contents["manifest.json"])
    contents = changed(contents, "summary.json", lambda told: told.update(system_of(manifest, told["modes"])))
    forged = zip_file(tmp_path / "forged.zip", resealed(contents))
    assert verify.main([str(forged)]) == 0  # the file alone does not show it
    capsys.readouterr()
    assert verify.main([str(forged), *flags(submitted, "--decode", "3")]) == 1
    out = capsys.readouterr().out
    assert out.count("decoded anew it is another picture") == 3 and "0 exact, the farthest at " in out


def test_other_references_and_what_is_never_run(submitted, with_fakes, tmp_path, capsys, monkeypatch):
    file = submitted / "mine.zip"
    other = tmp_path / "OtherRef"
    shutil.copytree(submitted / "Ref", other)
    for path in (other / "image").glob("*.png"):
        path.write_bytes((submitted / "GT" / path.name).read_bytes())
    use = flags(submitted, "--decode", "8")
    use[use.index("--ref_dir") + 1] = str(other)
    assert verify.main([str(file), *use]) == 1
    out = capsys.readouterr().out
    assert out.count("was decoded from another reference than that in") == 4 and "decoded anew: 4 of 8" in out

    def lying(key, value):
        def change(manifest):
            manifest["model_dir"] = value if key == "model_dir" else manifest.get("model_dir")
            for mode in manifest["modes"].values():
                mode["settings"][key] = value

        contents = changed(archive.read(file, FILES), "manifest.json", change)
        return zip_file(tmp_path / "x.zip", resealed(contents))

    monkeypatch.setattr(redecode, "run_step", lambda *_: pytest.fail("something of a stranger's was run"))
    cases = [
        ("model", "evil.py", "program of the submitter's own"),
        ("model", "../../evil.py", "program of the submitter's own"),
        ("model", "command", "program of the submitter's own"),
        ("model", "nobody-knows-it", "no decoder of this program"),
        ("model_dir", "stranger/weights", "not the decoder's own"),
        ("lora", "hub:stranger/lora", "LoRA"),
        ("steps", "40 --trust_remote_code", "no number"),
    ]
    for key, value, said in cases:
        capsys.readouterr()
        with pytest.raises(RunFailed, match=said):
            verify.main([str(lying(key, value)), *use])
        assert "accepted" not in capsys.readouterr().out.splitlines()


def test_decode_needs_pictures(submitted, capsys):
    from cmcbench.errors import BadInput

    with pytest.raises(BadInput, match="--decode makes pictures anew, which needs --results and --ground_truth"):
        verify.main([str(submitted / "mine.zip"), "--decode", "1"])
    with pytest.raises(BadInput, match="give --decode N as well"):
        verify.main([str(submitted / "mine.zip"), "--model_dir", "x"])


def test_a_tiny_checkpoint_by_the_real_step(bench, checkpoint, weights, tmp_path, capsys, monkeypatch):
    """The whole way with torch and diffusers: exact on the same stack, and steps that were changed are found."""
    bench.inside = True
    folder, model = bench.folder, checkpoint("sdxl")
    (folder / "GT").mkdir()
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:  # long and low, since a decoder works at 1024 pixels' width
        image.crop((0, 100, 256, 132)).save(folder / "GT/NSI_pgc_000.png")
    write_captions(folder / "Text" / "gpt4v.csv", {"NSI_pgc_000.png": "a red house"})
    with without_ffmpeg():
        bench.encode("--model_name", "none", "--references", "--bpp", "1")
    for mode in ("text", "image"):  # at the working size, 1024 pixels: few steps
        bench.decode("--mode", mode, "--model_name", "sdxl", "--model_dir", model, "--steps", "2", "--device", "cpu")
    bench.score("--target", "sdxl", "--model_weight", weights, "--submit", "--submit_path", "mine.zip")
    use = flags(folder, "--decode", "2", "--model_dir", str(model))
    use[1] = str(folder / "Result/sdxl")
    assert verify.main([str(folder / "mine.zip"), *use]) == 0
    assert "2 exact" in capsys.readouterr().out

    # Once more in processes that begin with torch, which is the same and quicker
    for checks in (redecode, pictures):
        monkeypatch.setattr(
            checks, "run_step", lambda step, told, work, *_: step_by(["-m", "cmcbench", step, *told], work)
        )

    def lie(manifest):
        for mode in manifest["modes"].values():
            mode["settings"]["steps"] = 5

    contents = changed(archive.read(folder / "mine.zip", FILES), "manifest.json", lie)
    contents = changed(contents, "submission.json", lambda told: told.update(
        deviations=[each.replace("steps 2,", "steps 5,") for each in told["deviations"]]))  # fmt: skip
    assert verify.main([str(zip_file(tmp_path / "forged.zip", resealed(contents))), *use, "--decode", "1"]) == 1
    assert "decoded anew it is another picture" in capsys.readouterr().out
