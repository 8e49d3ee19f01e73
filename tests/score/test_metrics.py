"""The metrics themselves: precisions, batches on a device that runs out of memory, and what TOPIQ does not take."""

from __future__ import annotations

import pytest
import torch
from bench import write_truth
from PIL import Image, ImageFilter

from cmcbench.errors import BadInput, ImageProblem
from cmcbench.score.metrics.base import AtOnce, checked
from cmcbench.score.metrics.pairs import Pair, Pairs, Picture
from cmcbench.score.metrics.registry import resolve


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Image.Image]:
    folder = write_truth(tmp_path_factory.mktemp("metrics") / "GT", 1, 8)
    truth = Image.open(next(folder.iterdir())).convert("RGB")
    return [truth, truth.filter(ImageFilter.GaussianBlur(2)), truth.filter(ImageFilter.GaussianBlur(5))]


def loaded(names, weights, *settings):
    metrics = resolve(names, weights, *settings)
    for metric in metrics:
        metric.load("cpu")
    return metrics


@pytest.mark.parametrize("room", [1, 2, 3, 5, 100])
def test_batches_are_halved_until_they_fit(room):
    sizes = []

    def function(batch):
        sizes.append(len(batch))
        if len(batch) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 10 for item in batch]

    at_once = AtOnce()
    assert at_once.each(function, list(range(11)), 8) == [item * 10 for item in range(11)]
    assert max(sizes) == 8 and sizes[-1] <= room
    sizes.clear()
    assert at_once.each(function, list(range(11)), 8) == [item * 10 for item in range(11)]
    assert max(sizes) <= room  # what did not fit is not tried again


def test_one_picture_that_does_not_fit():
    def function(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ImageProblem, match="--device cpu"):
        AtOnce().each(function, [1, 2], 2)


def pairs_of(pictures, at_once):
    """Reconstructions of three ground truths: two, one, and two."""
    turned = [each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in pictures]
    truths = [Picture(pictures[0]), Picture(turned[0]), Picture(pictures[1])]
    made = [(0, pictures[1]), (0, pictures[2]), (1, turned[2]), (2, pictures[2]), (2, pictures[0])]
    return Pairs([Pair(truths[place], Picture(each)) for place, each in made], at_once)


@pytest.fixture(scope="module")
def alone(weights, pictures):
    """metric -> the scores of its pictures one by one."""
    return {
        metric.name: [
            score for pair in pairs_of(pictures, None) for score in metric.score(pair.truth.image, [pair.made.image])
        ]
        for metric in loaded("topiq,ssim,piqe", weights)
    }


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 5, 8])
def test_a_batch_across_ground_truths_gives_the_scores_of_its_pictures(weights, pictures, alone, at_once):
    for metric in loaded("topiq,ssim,piqe", weights):
        expected = alone[metric.name]
        assert len(set(expected)) >= 3
        for _ in range(2):  # the first batch is also what a metric of pyiqa is tried on
            assert metric.score_pairs(pairs_of(pictures, at_once)) == pytest.approx(expected, abs=1e-5), metric.name
        assert metric.score_pairs(pairs_of(pictures, None)) == pytest.approx(expected, abs=1e-5)


def test_a_metric_that_gives_something_else_in_a_batch_is_asked_one_by_one(tmp_path, pictures):
    (metric,) = resolve("psnr", tmp_path)
    metric.device, sizes = "cpu", []

    def network(made, truth):
        sizes.append(len(made))
        crop = torch.randint(0, 20, (len(made),))  # as those that crop at random
        return torch.stack([each[:, place:].mean() for each, place in zip(made, crop)])

    metric.network = network
    expected = [metric.score(pair.truth.image, [pair.made.image])[0] for pair in pairs_of(pictures, None)]
    for _ in range(2):
        sizes.clear()
        assert metric.score_pairs(pairs_of(pictures, 4)) == expected
    assert metric.takes_batches is False and set(sizes) == {1}


def test_a_batch_that_does_not_fit_is_halved_and_one_that_is_no_number_named(weights, pictures, monkeypatch):
    fr, nr = loaded("topiq", weights)
    expected = nr.score_pairs(pairs_of(pictures, 1))
    whole, sizes = nr.network.score, []

    def small(images):
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(images)

    monkeypatch.setattr(nr.network, "score", small)
    assert nr.score_pairs(pairs_of(pictures, 4)) == pytest.approx(expected, abs=1e-5)
    assert sizes == [4, 2, 2, 1]
    monkeypatch.setattr(fr.network, "score", lambda *_, **__: [float("nan")] * 5)
    assert len(fr.score_pairs(pairs_of(pictures, 8))) == 5  # `checked` refuses it by name


def test_pictures_are_put_on_a_device_once_for_all_metrics(pictures):
    pairs = pairs_of(pictures, 4)
    made = pairs.tensor("cpu", truths=False)
    assert pairs.tensor("cpu", truths=False) is made and tuple(made.shape[:1]) == (5,)
    assert tuple(pairs.tensor("cpu", truths=True).shape) == (3, *made.shape[1:]) and pairs.places == [0, 0, 1, 2, 2]


def test_lower_precisions_are_close_and_have_columns_of_their_own(weights, pictures):
    exact = loaded("topiq", weights)
    reduced = loaded("topiq", weights, "published", "bf16")
    assert [metric.name for metric in reduced] == ["topiq_fr@bf16", "topiq_nr@bf16"]
    for full, half in zip(exact, reduced):
        differences = [abs(x - y) for x, y in zip(full.score(pictures[0], pictures), half.score(pictures[0], pictures))]
        assert 0 < max(differences) < 0.05


def test_the_orders_of_fr(weights, pictures):
    published, other = loaded("topiq_fr", weights), loaded("topiq_fr", weights, "pyiqa")
    assert other[0].name == "topiq_fr@pyiqa-order" and published[0].identity == other[0].identity
    one, two = (metric[0].score(pictures[0], pictures[1:]) for metric in (published, other))
    assert one[0] != two[0]
    assert one[0] == pytest.approx(other[0].score(pictures[1], pictures[:1])[0], abs=1e-5)  # the roles exchanged


def test_a_picture_below_32_pixels(weights, pictures):
    small = pictures[0].resize((31, 64))
    for metric in loaded("topiq", weights):
        with pytest.raises(ImageProblem, match="31x64 is too small for TOPIQ, which needs 32 pixels a side"):
            metric.score(small, [small])
        assert len(metric.score(small.resize((32, 32)), [small.resize((32, 32))])) == 1


def test_a_picture_that_memory_does_not_hold(weights, monkeypatch):
    """It is refused by name before the system would end the whole run."""
    import psutil

    metric = loaded("topiq_nr", weights)[0]
    large = Image.new("RGB", (4096, 1025))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 2 << 30}))
    with pytest.raises(ImageProblem, match="4096x1025 takes 3 GiB of memory to score and 2 GiB are free"):
        metric.score(None, [large])


def test_a_score_that_is_no_number(weights, pictures, tmp_path):
    """Weights with one NaN in them: every image is a failure by name, and no NaN gets into a table."""
    state = torch.load(weights / "topiq-nr.pth", weights_only=True)
    state["params"]["score_linear.6.bias"][0] = float("nan")
    torch.save(state, tmp_path / "topiq-nr.pth")
    metric = loaded("topiq_nr", tmp_path)[0]
    with pytest.raises(ImageProblem, match="TOPIQ NR is nan"):
        metric.score(None, pictures[:1])
    with pytest.raises(ImageProblem, match="is no score"):
        checked(float("inf"), metric)


def test_names(tmp_path):
    assert [metric.name for metric in resolve("psnr, piqe,PSNR", tmp_path)] == ["psnr", "piqe"]
    assert [metric.name for metric in resolve("fid,clipsim", tmp_path)] == ["fid", "clipsim"]
    for wrong in ("", "topiq", "topiq_nr", "nonsense", "sfid", "inception_score"):
        with pytest.raises(BadInput):
            resolve(wrong, tmp_path)
