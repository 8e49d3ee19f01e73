"""A program of one's own, cdc, and where it is installed an untrained codec of CompressAI: on curves beside VVC."""

from __future__ import annotations

import csv

import pytest
import torch
from bench import SAMPLES
from codec_programs import codec_program
from PIL import Image
from scoring_runs import board
from tiny_cdc import cdc_file, cdc_tensors

from cmcbench.anchors import codec
from cmcbench.board.curves import command as curves

try:
    import compressai.zoo as zoo
except ImportError:  # it is not in requirements-test.txt, since its own list asks for another NumPy
    zoo = None
NAMES = ["mine", "cdc", *(["mbt2018-mean"] if zoo else [])]


def made(bench, *arguments: object) -> None:
    places = ["--ground_truth", str(bench.folder / "GT"), "--output_path", str(bench.folder / "Result")]
    assert codec.main([*map(str, arguments), *places]) == 0


def untrained(folder, quality: int):
    """Weights of CompressAI's mbt2018-mean, drawn so that its latents are not all zero."""
    torch.manual_seed(0)
    net = zoo.image_models["mbt2018-mean"](quality=quality, pretrained=False)
    net.g_a[-1].weight.data *= 20 * quality
    net.update(force=True)
    torch.save({"state_dict": net.state_dict()}, folder / f"{quality}.pth")
    return folder / f"{quality}.pth"


@pytest.fixture
def coded(bench, one_thread):
    bench.inside = True
    (bench.folder / "GT").mkdir()
    for stem in ("NSI_pgc_000", "NSI_ugc_000", "SCI_game_000"):
        with Image.open(SAMPLES / f"{stem}.png") as image:
            image.convert("RGB").crop((40, 40, 104, 104)).save(bench.folder / "GT" / f"{stem}.png")
    made(bench, "vvc", "--quality", 34, 26, 18, 10)
    made(bench, "--command", codec_program(bench.folder), "--name", "mine", "--quality", 10, 30, 60, 90)
    for rate, factor in ((2048, 1), (1024, 3)):
        tensors = {
            name: each * factor if name.startswith("context_fn.enc.3.1.conv") else each
            for name, each in cdc_tensors().items()
        }
        file = cdc_file(bench.folder / f"{rate}.pt", tensors)
        made(bench, "cdc", "--model_dir", file, "--name", f"cdc@{rate}", "--device", "cpu")
    for quality in (1, 2) if zoo else ():
        flags = ["--quality", quality, "--model_dir", untrained(bench.folder, quality), "--device", "cpu"]
        made(bench, "compressai:mbt2018-mean", *flags)
    return bench


def test_they_appear_together_with_their_deltas_against_vvc(coded):
    coded.score("--target", "all", "--metrics", "psnr,ssim")
    folder = coded.folder / "Result/curves"
    assert curves.main(["--anchor", "vvc", "--results", str(coded.folder / "Result"), "--resamples", "200"]) == 0
    with open(folder / "points.csv", newline="") as file:
        points = list(csv.DictReader(file))
    assert {row["curve"] for row in points} == {"vvc", *NAMES}
    assert {row["kind"] for row in points} == {"measured"} and {row["n"] for row in points} == {"3"}
    with open(folder / "bd.csv", newline="") as file:
        deltas = {(row["curve"], row["metric"]): row for row in csv.DictReader(file)}
    assert deltas.keys() == {(name, metric) for name in NAMES for metric in ("psnr", "ssim")}
    # JPEG needs far more bits than VVC; of random weights the quality does not reach that of any codec, which is said
    assert float(deltas["mine", "psnr"]["bd_rate"]) > 50 and float(deltas["mine", "psnr"]["bd_metric"]) < -1
    for name in NAMES[1:]:
        assert deltas[name, "psnr"]["bd_rate"] or deltas[name, "psnr"]["bd_rate_note"]
    svg = (folder / "rate-log.svg").read_text()
    assert all(f"<!-- {name} -->" in svg for name in ("vvc", *NAMES))
    assert {row["target"].partition("@")[0] for row in board(coded) if row["mode"] == "image"} >= {"vvc", *NAMES}
