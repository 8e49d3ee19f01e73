"""The published commands on tiny checkpoints of the real architectures, one of each step in an interpreter of its own,
as a user runs it.

What this cannot show: that real weights load and give good pictures, and anything that only a GPU does (fp16, its
memory).
"""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import published
import pytest
from bench import write_captions, write_truth
from PIL import Image

from cmcbench import protocol

MODES = ["full", "image", "pixel", "text"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """GT, Ref and Text of three small pictures, made by script-i2t.py once for all tests of this file."""
    from bench import Bench

    bench = Bench(tmp_path_factory.mktemp("inputs"))
    bench.inside = True
    truth = write_truth(bench.folder / "GT", 3)
    bench.encode("--model_name", "none", "--references", "--bpp", "0.3")
    write_captions(bench.folder / "Text" / "gpt4v.csv", {path.name: f"a red {path.stem}" for path in truth.iterdir()})
    return bench.folder


@pytest.fixture
def ready(bench, inputs):
    shutil.copytree(inputs, bench.folder, dirs_exist_ok=True)
    bench.inside = True
    return bench


def pixels(folder) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            found[path.relative_to(folder).as_posix()] = np.asarray(image).astype(int)
    return found


@pytest.mark.parametrize("architecture", ["llava", "qwen2_5_vl", "instructblip"])
def test_step_1_captions(ready, checkpoint, architecture):
    ready.inside = architecture != "llava"
    ready.encode("--model_name", "mine", "--model_dir", checkpoint(architecture))
    ready.inside = True
    with open(ready.folder / "Text" / "mine.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == sorted(path.name for path in (ready.folder / "GT").iterdir())
    assert all(len(row["text"].split()) > 3 and "informative paragraph" not in row["text"] for row in rows)
    # batches, and the adapter called by name, give the same captions
    name = {"qwen2_5_vl": "Qwen"}.get(architecture, architecture)
    ready.encode("--model_name", name, "--model_dir", checkpoint(architecture), "--batch_size", 3)
    files = ready.files("Text/*.csv")
    assert files[f"Text/{name}.csv"] == files["Text/mine.csv"]


@pytest.mark.parametrize("architecture, modes", [("sdxl", MODES), ("sd15", MODES), ("instructpix", ["full", "image"])])
def test_step_2_reconstructions(ready, checkpoint, monkeypatch, architecture, modes):
    """--mode all is one load; a mode by itself, in batches, gives the same pictures within 1/255."""
    folder = checkpoint(architecture)
    ready.inside = architecture != "sd15"
    steps = []
    if ready.inside:  # fewer and smaller than published
        steps = ["--steps", 4]
        monkeypatch.setattr(protocol, "WORKING_LONG_SIDE", 256)
    whole = ["--mode", "all", "--input_path", "./Text/gpt4v.csv", "--model_name", architecture, "--model_dir", folder]
    ready.decode(*whole, *steps)
    ready.inside = True
    whole = pixels(ready.folder / "Result" / architecture)
    assert sorted({name.split("/")[0] for name in whole}) == modes and len(whole) == 3 * len(modes)
    for name, picture in whole.items():
        with Image.open(ready.folder / "GT" / name.split("/")[1]) as truth:
            assert picture.shape == (truth.height, truth.width, 3) and picture.std() > 1
    one = ["--mode", modes[-1], "--model_name", "again", "--model_dir", folder, "--batch_size", 2]
    ready.decode(*one, *steps)
    for name, picture in pixels(ready.folder / "Result" / "again").items():
        assert np.abs(picture - whole[name]).max() <= 1


def test_modes_that_an_edit_model_lacks_are_refused(ready, checkpoint):
    for name in ("instructpix", "mine"):
        done = ready.decode("--mode", "text", "--model_name", name, "--model_dir", checkpoint("instructpix"), code=2)
        assert f"{name} has no mode text. It has: full, image" in done.stderr
    assert not (ready.folder / "Result").exists()


def test_checkpoints_of_the_wrong_kind(ready, checkpoint):
    done = ready.decode("--model_name", "mine", "--model_dir", checkpoint("llava"), code=2)
    assert "model_index.json" in done.stderr
    done = ready.encode("--model_name", "mine", "--model_dir", checkpoint("sd15"), code=2)
    assert "is a diffusers pipeline, a text-to-image model: give it to script-t2i.py instead" in done.stderr
    done = ready.decode("--model_name", "mine", "--model_dir", "no/such-checkpoint", code=2)
    assert "no/such-checkpoint" in done.stderr


def test_another_checkpoint_is_refused(ready, checkpoint, tmp_path):
    ready.decode("--mode", "text", "--steps", 2, "--model_name", "mine", "--model_dir", checkpoint("sd15"))
    copy = shutil.copytree(checkpoint("sd15"), tmp_path / "elsewhere")
    assert (
        "0 images made"
        in ready.decode("--mode", "text", "--steps", 2, "--model_name", "mine", "--model_dir", copy).stderr
    )
    config = copy / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.00085", "0.00095"))
    done = ready.decode("--mode", "text", "--steps", 2, "--model_name", "mine", "--model_dir", copy, code=2)
    assert "checkpoint was folder:" in done.stderr


def test_step_3_scores(ready, weights):
    """TOPIQ from Weight/ alone, in the published order, against pyiqa's own network called as the published script
    calls it.
    """
    import pyiqa

    for mode in MODES:
        kind = "pixel" if mode == "pixel" else "image"
        shutil.copytree(ready.folder / "Ref" / kind, ready.folder / "Result" / "real" / mode)
    ready.inside = False
    done = ready.score("--target", "real", "--model_weight", weights)
    ready.inside = True
    lines = done.stdout.splitlines()
    assert lines[0] == "------Evaluating real------" and lines[1::2][:4] == [
        f"-------------------{mode}-------------------" for mode in MODES
    ]
    options = {"device": "cpu", "backbone_pretrain": False}
    fr = pyiqa.create_metric("topiq_fr", pretrained_model_path=str(weights / "topiq-fr.pth"), **options)
    nr = pyiqa.create_metric("topiq_nr", pretrained_model_path=str(weights / "topiq-nr.pth"), **options)
    with open(ready.folder / "Result/real/scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    # pyiqa is nearer to its own network in float64, by up to 0.6e-6 where ours is up to 1.2e-6 away. The cause are 1x1
    # convolutions over 1,024 channels and more: oneDNN's, bit-equal with and without what is fused to them and whatever
    # the weights' layout, sum in one go and round 1.6 times as much as MKL's product, which torch takes when it has one
    # thread, as here. With two threads pyiqa takes oneDNN's as well, and differs from itself by 1e-6. MKL's is half as
    # fast on AMD.
    bound = 3e-6
    for row in rows:
        truth, made = (str(ready.folder / folder / row["name"]) for folder in ("GT", f"Result/real/{row['mode']}"))
        assert float(row["topiq_fr"]) == pytest.approx(float(fr(truth, made)), abs=bound)
        assert float(row["topiq_nr"]) == pytest.approx(float(nr(made)), abs=bound)
    mean = {
        metric: {mode: np.mean([float(row[metric]) for row in rows if row["mode"] == mode]) for mode in MODES}
        for metric in ("topiq_fr", "topiq_nr")
    }
    for place, mode in enumerate(MODES):
        assert lines[2 + 2 * place] == f"FR: {mean['topiq_fr'][mode]:.4f}\tNR: {mean['topiq_nr'][mode]:.4f}"
    overall = np.mean(list(mean["topiq_fr"].values())) * 2 / 3 + np.mean(list(mean["topiq_nr"].values())) / 3
    assert lines[-1] == f"Overall: {overall:.4f}"
    # the other order is another column, and no Overall is made of it
    done = ready.score("--target", "real", "--model_weight", weights, "--fr_order", "pyiqa", "--subset", 1)
    assert "topiq_fr@pyiqa-order" in done.stdout and "Overall" not in done.stdout


def test_broken_weights(ready, weights, tmp_path):
    shutil.copytree(ready.folder / "Ref/image", ready.folder / "Result/real/image")
    for content, message in ((b"", "topiq-fr.pth"), ((weights / "topiq-nr.pth").read_bytes(), "topiq-fr.pth")):
        folder = tmp_path / "Broken"
        folder.mkdir(exist_ok=True)
        (folder / "topiq-fr.pth").write_bytes(content)
        shutil.copy(weights / "topiq-nr.pth", folder)
        done = ready.score("--model_weight", folder, code=2)
        assert message in done.stderr and "lcysyzxdxc/CMC-Bench" in done.stderr


def cached_target(bench, identities, name, fr, nr):
    """A target whose cached scores are the published columns: script-evaluate.py then does what is after the
    networks. identities: fr and nr -> of the weights.
    """
    from cmcbench.files.store import digest

    folder = bench.folder / "Result" / name
    truth = bench.folder / "GT" / "NSI_pgc_000.png"
    rows = []
    for mode in fr:
        (folder / mode).mkdir(parents=True)
        shutil.copy(truth, folder / mode)
        seen = digest(truth.read_bytes())
        rows.append(f"{truth.name},NSI,pgc,{mode},{fr[mode]},{nr[mode]},,,{seen},{seen}")
    head = "name,type,source,mode,topiq_fr,topiq_nr,kind,bpp,ground_truth,reconstruction"
    (folder / "scores.csv").write_text("\n".join([head, *rows]) + "\n")
    metrics = {
        f"topiq_{kind}": {
            "kind": kind.upper(),
            "lower_is_better": False,
            "identity": identity,
        }
        for kind, identity in identities.items()
    }
    (folder / "summary.json").write_text(json.dumps({"metrics": metrics}))


def test_the_published_tables(faked, weights):
    """script-evaluate.py on the published columns prints every published Overall, and ranks as the published table
    does.
    """
    from cmcbench.files.store import digest

    write_truth(faked.folder / "GT", 1)
    files = {kind: (weights / f"topiq-{kind}.pth").read_bytes() for kind in ("fr", "nr")}
    identities = {kind: f"weights {digest(file)}" for kind, file in files.items()}
    for name, fr, nr, expected in published.T2I:
        cached_target(faked, identities, name, fr, nr)
        lines = faked.score("--target", name, "--model_weight", weights, "--no_report").stdout.splitlines()
        assert float(lines[-1].removeprefix("Overall: ")) == pytest.approx(expected, abs=1.01e-4)
    with open(faked.folder / "Result/leaderboard.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["mode"] == "overall" and row["status"] != "published"]
    assert [row["target"] for row in rows] == [row[0] for row in published.T2I]
    assert [row["overall_rank"] for row in rows] == [str(place) for place in range(1, 13)]
    for name, fr, nr, expected in published.I2T:
        cached_target(faked, identities, f"real+{name}", fr, nr)
        done = faked.score("--target", f"real+{name}", "--model_weight", weights, "--i2t_table", "--no_report")
        assert float(done.stdout.splitlines()[-1].removeprefix("Overall (I2T table): ")) == pytest.approx(
            expected, abs=1.01e-4
        )
    with open(faked.folder / "Result/leaderboard.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["mode"] == "overall-i2t" and row["status"] != "published"]
    ranks = {row["target"]: row["overall_rank"] for row in rows}
    assert ranks == {f"real+{row[0]}": str(place) for place, row in enumerate(published.I2T, 1)}
