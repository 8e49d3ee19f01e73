"""Scoring on a GPU: the CPU's scores, whatever the batch, within too little memory, while pictures are copied."""

from __future__ import annotations

import shutil
import threading

import pytest
import torch
from bench import SAMPLES, write_truth
from PIL import Image, ImageFilter
from scoring_runs import blur, scores

from cmcbench.errors import ImageProblem
from cmcbench.score.metrics.pairs import Pair, Pairs, Picture
from cmcbench.score.metrics.registry import resolve


@pytest.fixture(scope="module")
def pairs_of():
    """Three reconstructions of each of four ground truths of 256x256."""
    found = []
    for path in sorted(SAMPLES.glob("*.png"))[:4]:
        with Image.open(path) as image:
            truth = image.convert("RGB").resize((256, 256))
        of = Picture(truth)
        found += [Pair(of, Picture(truth.filter(ImageFilter.GaussianBlur(radius)))) for radius in (1, 2, 4)]
    return lambda at_once: Pairs(found, at_once)


def loaded(names, weights, device, precision="fp32"):
    metrics = resolve(names, weights, "published", precision)
    for metric in metrics:
        metric.load(device)
    return metrics


def test_topiq_on_a_gpu_equals_the_cpu_s(weights, device, pairs_of):
    """In fp32 with TF32 off, whatever the user's own setting of it."""
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        for here, there in zip(loaded("topiq", weights, "cpu"), loaded("topiq", weights, device)):
            assert there.score_pairs(pairs_of(4)) == pytest.approx(here.score_pairs(pairs_of(None)), abs=1e-4)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def test_a_batch_equals_single_pictures(weights, device, pairs_of):
    for metric in loaded("topiq,ssim,piqe", weights, device):
        single = metric.score_pairs(pairs_of(1))
        for size in (2, 5, 12):
            assert metric.score_pairs(pairs_of(size)) == pytest.approx(single, abs=1e-4), (metric.name, size)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_lower_precisions_are_close(weights, device, pairs_of, precision):
    for whole, half in zip(loaded("topiq", weights, device), loaded("topiq", weights, device, precision)):
        found = half.score_pairs(pairs_of(4))
        assert found == pytest.approx(whole.score_pairs(pairs_of(4)), abs=0.05) and half.name.endswith(precision)


def test_the_script_gives_the_cpu_s_scores(faked, weights, device):
    truth = write_truth(faked.folder / "GT", 6)
    for radius, mode in enumerate(("full", "text"), 1):
        blur(truth, faked.folder / "Result" / "real" / mode, radius)
    shutil.copytree(faked.folder / "Result/real", faked.folder / "Result/gpu")
    options = ["--metrics", "topiq", "--model_weight", weights, "--no_report"]
    faked.score(*options, "--device", "cpu")
    faked.score(*options, "--target", "gpu", "--device", device)
    for one, other in zip(scores(faked), scores(faked, "Result/gpu")):
        for metric in ("topiq_fr", "topiq_nr"):
            assert float(other[metric]) == pytest.approx(float(one[metric]), abs=1e-4)


def test_batches_are_halved_by_a_memory_that_is_too_small(weights, cuda, pairs_of):
    fr, _ = loaded("topiq", weights, cuda)
    expected = fr.score_pairs(pairs_of(1))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    fr.score_pairs(pairs_of(2))
    needed = torch.cuda.max_memory_reserved()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.3 * needed / total))
    try:
        assert fr.score_pairs(pairs_of(12)) == pytest.approx(expected, abs=1e-4)
        assert fr.at_once.most < 12
        torch.cuda.set_per_process_memory_fraction(0.5 * needed / total / 4)
        torch.cuda.empty_cache()
        with pytest.raises(ImageProblem, match="--device cpu"):
            fr.score_pairs(pairs_of(1))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_copies_that_nobody_waits_for_arrive_whole(weights, cuda):
    """Pinned and asynchronous, while another stream keeps the device busy."""
    random = torch.Generator().manual_seed(0)
    stream, stop = torch.cuda.Stream(), threading.Event()

    def busy():
        with torch.cuda.stream(stream):
            x = torch.randn(2048, 2048, device=cuda)
            while not stop.is_set():
                x = (x @ x).tanh()
        stream.synchronize()

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(20):
            arrays = [torch.randint(0, 256, (256, 256, 3), dtype=torch.uint8, generator=random) for _ in range(4)]
            pictures = [Picture(Image.fromarray(each.numpy())) for each in arrays]
            there = Pairs([Pair(each, each) for each in pictures], 4).tensor(cuda, truths=False)
            assert torch.equal(there.cpu(), torch.stack(arrays))
    finally:
        stop.set()
        thread.join()
