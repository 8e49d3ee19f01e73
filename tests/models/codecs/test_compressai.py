"""compressai:NAME with untrained weights: real entropy coding, any size, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import ROOT
from PIL import Image

import models
from cmcbench.anchors import codec
from cmcbench.files import rates
from models.base import ModelError

try:
    import compressai.zoo as zoo
except ImportError as problem:
    zoo = None
    WHY = f"compressai is not installed here, or does not import ({problem})"
else:
    WHY = ""
needed = pytest.mark.skipif(zoo is None, reason=WHY)
NAMES = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean")


def checkpoint(folder: Path, name: str) -> Path:
    """Untrained weights of a codec, drawn so that its latents are not all zero."""
    import torch

    torch.manual_seed(0)
    net = zoo.image_models[name](quality=1, pretrained=False)
    net.g_a[-1].weight.data *= 40
    net.update(force=True)
    torch.save({"state_dict": net.state_dict()}, folder / "weights.pth")
    return folder / "weights.pth"


def loaded(file: Path, name: str):
    model = models.create("codec", "compressai")
    model.inspect(str(file), name, [1], None)
    model.load(str(file), "cpu", "torch.float32", 1, 42)
    return model


def picture(size=(70, 45)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8))


@needed
@pytest.mark.parametrize("name", NAMES)
def test_a_stream_decodes_in_another_process_to_the_picture_of_the_model_itself(tmp_path, name):
    import torch
    from torch.nn.functional import pad

    file, image = checkpoint(tmp_path, name), picture()
    model = loaded(file, name)
    stream = model.encode(image)
    made = model.decode(stream, image.size)
    assert made.size == image.size and len(stream) > 30
    pixels = torch.tensor(np.asarray(image).transpose(2, 0, 1) / 255, dtype=torch.float32)[None]
    with torch.no_grad():
        expected = model._net(pad(pixels, (29, 29, 9, 10)))["x_hat"][0, :, 9:54, 29:99].clamp(0, 1) * 255
    # The forward pass quantizes as the stream does, but in floating point
    assert np.abs(np.asarray(made).transpose(2, 0, 1) - expected.numpy()).max() <= 1.01
    (tmp_path / "stream").write_bytes(stream)
    script = (
        "import sys; from pathlib import Path; import models\n"
        "file, name, stream, output = sys.argv[1:]\n"
        "model = models.create('codec', 'compressai'); model.inspect(file, name, [1], None)\n"
        "model.load(file, 'cpu', 'torch.float32', 1, 42)\n"
        "model.decode(Path(stream).read_bytes(), (70, 45)).save(output)\n"
    )
    paths = [str(file), name, str(tmp_path / "stream"), str(tmp_path / "other.png")]
    environment = {**__import__("os").environ, "PYTHONPATH": ":".join([str(ROOT), *filter(None, sys.path)])}
    subprocess.run([sys.executable, "-c", script, *paths], check=True, env=environment)
    with Image.open(tmp_path / "other.png") as other:
        assert other.tobytes() == made.tobytes()


@needed
def test_it_is_a_target_with_real_bits(tmp_path):
    (tmp_path / "GT").mkdir()
    picture().save(tmp_path / "GT" / "a.png")
    file = checkpoint(tmp_path, "mbt2018-mean")
    arguments = ["--quality", "1", "--model_dir", str(file), "--device", "cpu"]
    places = ["--ground_truth", str(tmp_path / "GT"), "--output_path", str(tmp_path / "Result")]
    assert codec.main(["compressai:mbt2018-mean", *arguments, *places]) == 0
    (row,) = rates.read(tmp_path / "Result" / "mbt2018-mean@q1" / "rates.csv").values()
    stream = (tmp_path / "Result" / "mbt2018-mean@q1" / "stream" / "a.bin").read_bytes()
    assert (row.bits, row.kind, row.level) == (8 * len(stream), "measured", "1")


@needed
@pytest.mark.parametrize(
    "name, qualities, words",
    [
        ("", [1], "there is no codec 'compressai:'. There are: .*compressai:mbt2018-mean"),
        ("mbt2018-vbr", [1], "there is no codec"),
        ("mbt2018-mean", [9], "has no quality 9"),
        ("mbt2018-mean", [1.5], "has no quality 1.5"),
    ],
)
def test_what_it_lacks_is_refused_before_anything_is_fetched(name, qualities, words):
    with pytest.raises(ModelError, match=words):
        models.create("codec", "compressai").inspect(None, name, qualities, None)


@needed
def test_other_weights_and_damaged_streams_are_told(tmp_path):
    file = checkpoint(tmp_path, "bmshj2018-factorized")
    with pytest.raises(ModelError, match="of another codec or quality"):
        loaded(file, "mbt2018-mean")
    file = checkpoint(tmp_path, "mbt2018-mean")
    with pytest.raises(ModelError, match="this is no stream"):
        loaded(file, "mbt2018-mean").decode(b"\xff" * 9, (70, 45))


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "compressai.zoo", None)
    with pytest.raises(ModelError, match="compressai cannot be used .*pip install --no-deps compressai pytorch-msssim"):
        models.create("codec", "compressai").inspect(None, "mbt2018", [1], None)
