"""Models on a GPU: tiny checkpoints of an SDXL and of a LLaVA in half precision, offloaded, and what they take."""

from __future__ import annotations

import csv

import pytest
import tiny_i2t
import tiny_t2i
import torch
from bench import write_captions, write_truth
from PIL import Image, ImageChops

DECODE = ["--mode", "image", "--input_path", "Text/x.csv", "--model_name", "sdxl", "--steps", 4]


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory):
    return tiny_t2i.sdxl(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    return tiny_i2t.llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture
def ready(bench):
    bench.inside = True
    truth = write_truth(bench.folder / "GT", 4)
    write_captions(bench.folder / "Text" / "x.csv", {path.name: "a picture" for path in truth.iterdir()})
    bench.encode("--model_name", "none", "--references")
    return bench


def decoded(bench, name, *options):
    bench.decode(*DECODE, "--result_name", name, *options)
    return {path.name: Image.open(path) for path in sorted((bench.folder / "Result" / name / "image").iterdir())}


def largest(one, other) -> int:
    assert one.keys() == other.keys() and one
    return max(
        high
        for name in one
        for _, high in ImageChops.difference(one[name].convert("RGB"), other[name].convert("RGB")).getextrema()
    )


def test_an_sdxl_makes_the_cpu_s_pictures(ready, sdxl, device):
    cpu = decoded(ready, "cpu", "--model_dir", sdxl, "--device", "cpu", "--dtype", "fp32")
    gpu = decoded(ready, "gpu", "--model_dir", sdxl, "--device", device, "--dtype", "fp32")
    assert largest(cpu, gpu) <= 2


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_an_sdxl_in_half_precision(ready, sdxl, device, dtype):
    whole = decoded(ready, "whole", "--model_dir", sdxl, "--device", device, "--dtype", "fp32")
    half = decoded(ready, "half", "--model_dir", sdxl, "--device", device, "--dtype", dtype)
    batch = decoded(ready, "batch", "--model_dir", sdxl, "--device", device, "--dtype", dtype, "--batch_size", 4)
    assert largest(whole, half) <= 40 and largest(half, batch) <= 8


@pytest.mark.parametrize("kind", ["model", "sequential"])
def test_offloaded_pictures_are_the_same(ready, sdxl, cuda, kind):
    whole = decoded(ready, "whole", "--model_dir", sdxl, "--device", cuda, "--dtype", "fp32")
    less = decoded(ready, "less", "--model_dir", sdxl, "--device", cuda, "--dtype", "fp32", "--offload", kind)
    assert largest(whole, less) <= 1


def test_the_peak_memory_is_the_device_s(ready, sdxl, cuda):
    decoded(ready, "gpu", "--model_dir", sdxl, "--device", cuda)
    with open(ready.folder / "Result/gpu/rates.csv", newline="") as file:
        peaks = [int(row["peak_memory"]) for row in csv.DictReader(file)]
    assert len(peaks) == 4 and all(1 << 20 < peak < torch.cuda.get_device_properties(0).total_memory for peak in peaks)
    assert max(peaks) < 1 << 30  # a tiny model's, not this process's


def captions(bench, name, *options):
    bench.encode("--result_name", name, "--model_name", "llava", *options)
    with open(bench.folder / "Text" / f"{name}.csv", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_a_llava_captions_alone_and_in_batches(ready, llava, device, dtype):
    options = ["--model_dir", llava, "--device", device, "--dtype", dtype]
    single, batch = captions(ready, "one", *options), captions(ready, "four", *options, "--batch_size", 4)
    assert len(single) == len(batch) == 4 and all(single)
    if dtype == "fp32":
        assert single == batch == captions(ready, "cpu", "--model_dir", llava, "--device", "cpu", "--dtype", dtype)
