"""The metrics themselves: precisions, batches on a device that runs out of memory, and what TOPIQ does not take."""

from __future__ import annotations

import pytest
import torch
from bench import write_truth
from PIL import Image, ImageFilter

from cmcbench.errors import BadInput, ImageProblem
from cmcbench.score.metrics.base import checked, in_batches
from cmcbench.score.metrics.registry import resolve


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Image.Image]:
    folder = write_truth(tmp_path_factory.mktemp("metrics") / "GT", 1)
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

    assert in_batches(function, list(range(11)), 8) == [item * 10 for item in range(11)]
    assert max(sizes) == 8 and sizes[-1] <= room


def test_one_picture_that_does_not_fit():
    def function(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ImageProblem, match="--device cpu"):
        in_batches(function, [1, 2], 2)


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
