"""FID: the textbook's formula, pictures prepared as pyiqa does, whole sets in the summary."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from paper_scores import columns, summary
from PIL import Image, ImageFilter
from scipy import linalg

from cmcbench.score.metrics.fid import CleanInception, Fid, frechet_distance, prepared


def independent(one: np.ndarray, other: np.ndarray) -> float:
    """The textbook's formula with a matrix square root."""
    covariances = [np.cov(each, rowvar=False) for each in (one, other)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return float(((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(sum(covariances) - 2 * root))


@pytest.mark.parametrize("shapes", [((200, 12), (200, 12)), ((40, 12), (300, 12)), ((13, 12), (15, 12))])
def test_frechet_distance_is_the_formulas(shapes):
    random = np.random.default_rng(2)
    one, other = (
        random.normal(place, 1 + place, shape) @ random.normal(0, 1, (12, 12)) for place, shape in enumerate(shapes)
    )
    assert frechet_distance(one, other) == pytest.approx(independent(one, other), rel=1e-9, abs=1e-6)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6 * (one**2).sum())


def test_frechet_distance_of_fewer_images_than_features():
    """Singular covariances: the sum of square roots of the product's eigenvalues, which need no root of the matrix."""
    random = np.random.default_rng(2)
    one, other = random.normal(0, 1, (30, 80)), random.normal(0.5, 2, (30, 80))
    product = np.cov(one, rowvar=False) @ np.cov(other, rowvar=False)
    root = np.sqrt(np.maximum(np.linalg.eigvals(product).real, 0)).sum()
    expected = (
        ((one.mean(0) - other.mean(0)) ** 2).sum() + one.var(0, ddof=1).sum() + other.var(0, ddof=1).sum() - 2 * root
    )
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError):
        frechet_distance(one[:1], other)


def test_pictures_are_prepared_as_pyiqa_prepares_them(small_truth):
    from pyiqa.archs.fid_arch import ResizeDataset

    files = sorted(small_truth.iterdir())
    for number, theirs in enumerate(ResizeDataset(files, "clean")):
        assert np.abs(prepared(Image.open(files[number]).convert("RGB")) - (theirs.numpy() - 128) / 128).max() < 1e-6
        if number == len(files) - 1:
            break


@pytest.fixture
def many(bench, monkeypatch):
    """22 small images blurred, and a stand-in for Inception: 16 random projections of some of the pixels."""
    bench.inside = True
    random = np.random.default_rng(0)
    truth, made = bench.folder / "GT", bench.folder / "Result/real/full"
    for folder in (truth, made):
        folder.mkdir(parents=True)
    for number in range(22):
        image = Image.fromarray(random.integers(0, 256, (12, 10, 3), dtype=np.uint8)).resize((40, 48))
        image.save(truth / f"NSI_pgc_{number:03}.png")
        image.filter(ImageFilter.GaussianBlur(2)).save(made / f"NSI_pgc_{number:03}.png")
    shutil.copytree(made, bench.folder / "Result/real/text")
    calls = []

    def load(self, device):
        calls.append("load")
        self.device = device
        matrix = torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, (3 * 30 * 30, 16)).astype(np.float32))
        self.network = lambda batch: (
            calls.extend(["embed"] * len(batch))
            or (batch[:, :, ::10, ::10].reshape(len(batch), -1) @ matrix)[:, :, None, None]
        )

    monkeypatch.setattr(CleanInception, "load", load)
    monkeypatch.setattr(Fid, "smallest", 20)
    bench.calls = calls
    return bench


def features(folder) -> np.ndarray:
    matrix = np.random.default_rng(1).normal(0, 0.1, (3 * 30 * 30, 16)).astype(np.float32)
    return np.stack(
        [prepared(Image.open(path))[:, ::10, ::10].reshape(-1) @ matrix for path in sorted(folder.iterdir())]
    )


def test_fid_of_whole_sets(many):
    """In the summary and not in scores.csv, equal to the formula, and made once for the same pictures."""
    done = many.score("--metrics", "fid,psnr", "--no_report")
    entry = summary(many)["modes"]["full"]["metrics"]["fid"]
    assert entry["mean"] == pytest.approx(
        independent(features(many.folder / "GT"), features(many.folder / "Result/real/full")), rel=1e-5
    )
    assert (entry["n"], entry["set"]) == (22, True) and "fid" not in columns(many)
    assert entry["low"] < entry["mean"] < entry["high"]
    assert summary(many)["metrics"]["fid"]["lower_is_better"] and summary(many)["over_modes"]["fid"] == pytest.approx(
        entry["mean"]
    )
    assert f"fid (lower is better): {entry['mean']:.4f}" in done.stdout and "biased upwards" in done.stderr
    assert (
        many.calls.count("embed") == 3 * 22 and many.calls.count("load") == 1
    )  # the ground truth's features are made once
    before = many.files("Result/real/*")
    many.calls.clear()
    many.score("--metrics", "fid,psnr", "--no_report")
    many.score("--metrics", "psnr", "--no_report")
    assert many.calls == [] and many.files("Result/real/*") == before


def test_fid_follows_what_changes(many):
    many.score("--metrics", "fid", "--no_report")
    first = summary(many)["modes"]
    shutil.copy(many.folder / "GT/NSI_pgc_007.png", many.folder / "Result/real/text/NSI_pgc_007.png")
    with Image.open(many.folder / "Result/real/text/NSI_pgc_008.png") as image:
        image.resize((9, 9)).save(many.folder / "Result/real/text/NSI_pgc_008.png")
    many.calls.clear()
    done = many.score("--metrics", "fid", "--no_report", code=1)
    assert "real/text/NSI_pgc_008.png: is 9x9 and its ground truth 40x48" in done.stderr
    second = summary(many)["modes"]
    assert second["full"]["metrics"] == first["full"]["metrics"] and many.calls.count("embed") == 2 * 22 - 1
    assert (
        second["text"]["metrics"]["fid"]["n"] == 21
        and second["text"]["metrics"]["fid"]["mean"] != first["text"]["metrics"]["fid"]["mean"]
    )
    many.score("--metrics", "psnr", "--no_report", code=1)  # another metric leaves it alone
    assert summary(many)["modes"]["full"]["metrics"]["fid"] == first["full"]["metrics"]["fid"]


def test_fid_is_refused_where_it_makes_no_sense(many):
    done = many.score("--metrics", "fid,psnr", "--subset", 21, "--no_report")  # its property, no failure
    assert "so it is not made with --images, --subset" in done.stderr and "fid" not in summary(many)["metrics"]
    for path in sorted((many.folder / "Result/real/text").iterdir())[:3]:
        path.unlink()
    many.score("--metrics", "fid,psnr", "--no_report", "--strict", code=1)
    done = many.score("--metrics", "fid,psnr", "--no_report")
    assert "fid needs 20 images or more to tell anything, and real/text has 19" in done.stderr
    assert "fid" in summary(many)["modes"]["full"]["metrics"] and "fid" not in summary(many)["modes"]["text"]["metrics"]


def test_a_broken_set_in_a_summary_is_made_anew(many):
    many.score("--metrics", "fid,psnr", "--no_report")
    whole = summary(many)
    for broken in (
        {"set": True},
        {"set": True, "mean": "x", "n": 3, "digest": ""},
        {"set": True, "mean": 1.0, "n": 22, "digest": "0"},
    ):
        file = many.folder / "Result/real/summary.json"
        file.write_text(
            json.dumps(
                {**whole, "modes": {**whole["modes"], "full": {**whole["modes"]["full"], "metrics": {"fid": broken}}}}
            )
        )
        many.score("--metrics", "fid,psnr", "--no_report")
        assert summary(many) == whole
