"""cdc: its stream is the same symbols in another process, its file is accounted for, and other files are refused.

The authors' weights are not at hand: these are seeded random ones under their names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
from bench import SAMPLES
from PIL import Image
from tiny_cdc import cdc_file, cdc_tensors

import models
from cmcbench.anchors import codec
from cmcbench.files import rates
from models.base import ModelError

SIZE = (70, 45)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return cdc_file(tmp_path_factory.mktemp("cdc") / "cdc_2048.pt")


def loaded(file: Path):
    model = models.create("codec", "cdc")
    model.inspect(str(file), "", [], None)
    model.load(str(file), "cpu", torch.float32, None, 42)
    return model


@pytest.fixture(scope="module")
def model(file):
    return loaded(file)


def picture(size=SIZE) -> Image.Image:
    with Image.open(SAMPLES / "NSI_pgc_000.png") as image:
        return image.convert("RGB").crop((40, 40, 40 + size[0], 40 + size[1]))


OTHER = """
import sys
from pathlib import Path
import torch
import models
torch.set_num_threads(1)
model = models.create("codec", "cdc")
model.inspect(sys.argv[1], "", [], None)
model.load(sys.argv[1], "cpu", torch.float32, None, 42)
model.decode(Path(sys.argv[2]).read_bytes(), (70, 45)).save(sys.argv[3])
"""


def test_another_process_decodes_the_stream_to_the_same_picture(file, model, tmp_path):
    stream = model.encode(picture())
    made = model.decode(stream, SIZE)
    assert made.size == SIZE and len(stream) > 40
    (tmp_path / "stream").write_bytes(stream)
    paths = [str(file), str(tmp_path / "stream"), str(tmp_path / "other.png")]
    assert warm.Program(["-c", OTHER, *paths], tmp_path, dict(os.environ)).wait() == 0
    with Image.open(tmp_path / "other.png") as other:
        # The symbols are the same, or the stream would not have ended; the pictures but for fp32 on other threads
        assert np.abs(np.asarray(other).astype(int) - np.asarray(made)).max() <= 1


def test_the_stream_is_as_long_as_the_probabilities_say(model):
    """Beside the estimate of the authors' formulas on the same latents, in double precision."""
    with torch.no_grad():
        latent, hyper = (each.double() for each in model._nets.context_fn.latents(model._pixels(picture((128, 128)))))
        prior = model._coding.prior
        coarse = (hyper - prior.medians).round()
        mean, scale = model._coding.distribution(coarse + prior.medians)
        apart, scale = (latent - mean).round(), scale.clamp(min=0.1)
        cdf = torch.special.ndtr
        share = cdf((apart + 0.5) / scale) - cdf((apart - 0.5) / scale)
        edges = (coarse + prior.medians)[0].flatten(1)
        hyper_share = prior.logits(edges + 0.5).sigmoid() - prior.logits(edges - 0.5).sigmoid()
        estimate = -share.clamp(min=1e-9).log2().sum() - hyper_share.clamp(min=1e-9).log2().sum()
    assert apart.abs().max() > 1 and coarse.abs().max() > 1 and scale.max() > 4 * scale.min()
    bits = 8 * len(model.encode(picture((128, 128))))
    assert float(estimate) * 0.98 < bits < float(estimate) * 1.02 + 64


def test_it_is_a_target_whose_checkpoint_is_its_rate(file, tmp_path):
    (tmp_path / "GT").mkdir()
    picture().save(tmp_path / "GT" / "a.png")
    arguments = ["cdc", "--model_dir", str(file), "--name", "cdc@2048", "--device", "cpu"]
    places = ["--ground_truth", str(tmp_path / "GT"), "--output_path", str(tmp_path / "Result")]
    assert codec.main([*arguments, *places]) == 0
    (row,) = rates.read(tmp_path / "Result" / "cdc@2048" / "rates.csv").values()
    assert row.bits == 8 * (tmp_path / "Result" / "cdc@2048" / "stream" / "a.bin").stat().st_size
    assert row.kind == "measured"


def test_damaged_streams_and_streams_of_other_weights_are_told(model):
    stream = model.encode(picture())
    for damaged in (b"", stream[:5], stream[:-2], stream + b"\0\0", stream[:8] + b"\1\2\3\4" + stream[12:]):
        with pytest.raises(ModelError, match="stream of cdc's"):
            model.decode(damaged, SIZE)


def without(tensors, name):
    return {key: each for key, each in tensors.items() if key != name}


REFUSED = {
    "lacks one": (
        lambda path, ours: cdc_file(path, without(ours, "context_fn.prior._medians")),
        r"lacks 1 \(context_fn.prior._medians\)",
    ),
    "has another": (
        lambda path, ours: cdc_file(path, {**ours, "context_fn.vbr.weight": torch.rand(1)}),
        r"has, beyond this model's, 1 \(ema_model.context_fn.vbr.weight\)",
    ),
    "another size": (
        lambda path, ours: cdc_file(path, {**ours, "denoise_fn.time_mlp.0.weight": torch.rand(3, 1)}),
        "is of size",
    ),
    "epsilonparam": (lambda path, ours: torch.save({"model": ours, "step": 1}, path), "predicts the noise"),
    "another model": (lambda path, ours: torch.save({"model": {"a": torch.rand(1)}}, path), "is no CDC"),
    "code": (lambda path, ours: torch.save({"ema": {"x": os.system}}, path), "would run code"),
    "no file": (lambda path, ours: None, "there is no such file"),
    "half of it": (
        lambda path, ours: path.write_bytes((whole := cdc_file(path).read_bytes())[: len(whole) // 2]),
        "truncated or damaged",
    ),
    "text": (lambda path, ours: path.write_text("hello"), "truncated or damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_files_are_refused_by_name(tmp_path, case):
    make, words = REFUSED[case]
    make(tmp_path / "file.pt", cdc_tensors())
    with pytest.raises(ModelError, match=words) as error:
        loaded(tmp_path / "file.pt")
    assert "file.pt" in str(error.value)


def test_what_it_does_not_take_is_refused(file):
    model = models.create("codec", "cdc")
    with pytest.raises(ModelError, match="needs --model_dir"):
        model.inspect(None, "", [], None)
    with pytest.raises(ModelError, match="no part"):
        model.inspect(str(file), "x", [], None)
    model.inspect(str(file), "", [], None)
    with pytest.raises(ModelError, match="fp32"):
        model.load(str(file), "cpu", torch.float16, None, 42)
    with pytest.raises(Exception, match="cdc takes no --quality"):
        codec.main(["cdc", "--model_dir", str(file), "--quality", "1"])
    assert re.fullmatch("cdc, x-prediction, 65 steps", model.setup)
