"""--metrics paper: what is absent is named and left out, CLIPSIM and FID against independent computations."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy import linalg

from cmcbench.errors import RunFailed
from cmcbench.score.metrics.clipsim import Clipsim
from cmcbench.score.metrics.fid import Fid, frechet_distance, prepared
from cmcbench.score.metrics.registry import GROUPS, resolve


@pytest.fixture
def ready(bench, small_truth):
    """GT of four images and Result/real with full: blurred copies; scripts run in this process."""
    bench.inside = True
    blur(small_truth, bench.folder / "Result" / "real" / "full")
    return bench


@pytest.fixture(autouse=True)
def nothing_is_here(monkeypatch):
    """Neither pyiqa's weights nor a network, whatever the machine has."""
    import pyiqa  # noqa: F401  its defaults are read when it is imported
    import pyiqa.utils.download_util as download

    def refuse(url, *_, **__):
        raise OSError("there is no network")

    monkeypatch.setattr(download, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)


def blur(truth, folder, radius=1.5):
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(truth.iterdir()):
        with Image.open(path) as image:
            image.filter(ImageFilter.GaussianBlur(radius)).save(folder / path.name)


def columns(bench) -> list[str]:
    with open(bench.folder / "Result/real/scores.csv", newline="") as file:
        return csv.DictReader(file).fieldnames


def summary(bench) -> dict:
    return json.loads((bench.folder / "Result/real/summary.json").read_text())


def test_the_papers_eight_of_which_one_is_here(ready):
    assert GROUPS["paper"] == ("topiq_fr", "clipsim", "lpips", "ssim", "topiq_nr", "clipiqa", "liqe", "fid")
    done = ready.score("--metrics", "paper", "--no_report", code=1)
    for name, remedy in {
        "topiq_fr": "lcysyzxdxc/CMC-Bench",
        "topiq_nr": "lcysyzxdxc/CMC-Bench",
        "clipsim": "--clip_model",
        "lpips": "download weights",
        "clipiqa": "download weights",
        "liqe": "download weights",
        "fid": "fid needs 100 images",
    }.items():
        lines = [line for line in done.stderr.splitlines() if line.startswith("failed: ") and name in line]
        assert any(remedy in line and "left out" in line for line in lines), (name, done.stderr)
        assert done.stderr.count(f"failed: metric {name}") <= 1
    assert "7 failed:" in done.stderr and "ssim: " in done.stdout
    assert set(columns(ready)) & set(GROUPS["paper"]) == {"ssim"} == set(summary(ready)["metrics"])
    assert "unfinished" not in summary(ready) and "ssim" in (ready.folder / "Result/leaderboard.csv").read_text()
    assert "partial" not in done.stderr  # what is absent has no column, so no image lacks it


def test_no_metric_is_here(ready):
    """The run ends as it always did, and an earlier result stays what it was."""
    ready.score("--metrics", "psnr", "--no_report")
    before = ready.files("Result/real/*")
    assert "metric lpips cannot be made ready" in ready.score("--metrics", "lpips", "--no_report", code=1).stderr
    assert "there are no TOPIQ weights: Weight/topiq-fr.pth is missing" in ready.score("--no_report", code=2).stderr
    assert "fid needs 100 images" in ready.score("--metrics", "fid", "--no_report", code=2).stderr
    ready.score("--metrics", "lpips", "--overwrite", "--no_report", code=1)
    assert ready.files("Result/real/*") == before


def test_absent_weights_leave_the_other_and_older_scores(ready):
    ready.score("--metrics", "psnr", "--no_report")
    done = ready.score("--metrics", "topiq,piqe,lpips", "--overwrite", "--no_report", code=1)
    assert done.stderr.count("it is left out".capitalize()) >= 3 and "Mean over modes: piqe" in done.stdout
    assert {"psnr", "piqe"} <= set(columns(ready)) and "topiq_fr" not in columns(ready)


def test_figures_are_no_target(ready, small_truth):
    """`curves` and `report` write pictures into the results folder."""
    for name in ("curves", "report"):
        blur(small_truth, ready.folder / "Result" / name)
    done = ready.score("--metrics", "psnr", "--target", "all", "--no_report")
    assert done.stdout.count("------Evaluating") == 1 and "Evaluating real" in done.stdout


def test_weights_that_are_in_the_cache_are_used(ready, tmp_path, monkeypatch):
    """A stand-in for the file that pyiqa would download: the scores are the network's with these weights."""
    import pyiqa.utils.download_util as download
    from pyiqa.archs.cnniqa_arch import CNNIQA

    torch.manual_seed(1)
    network = CNNIQA(pretrained=None).eval()
    monkeypatch.setattr(download, "DEFAULT_CACHE_DIR", str(tmp_path / "hub"))
    (tmp_path / "hub").mkdir()
    torch.save({"params": network.state_dict()}, tmp_path / "hub" / "CNNIQA_koniq10k-e6f14c91.pth")
    ready.score("--metrics", "cnniqa", "--no_report")
    with open(ready.folder / "Result/real/scores.csv", newline="") as file:
        for row in csv.DictReader(file):
            pixels = np.asarray(Image.open(ready.folder / "Result/real/full" / row["name"]))
            with torch.no_grad():
                expected = network(torch.from_numpy(pixels.transpose(2, 0, 1) / 255).float()[None]).item()
            assert float(row["cnniqa"]) == pytest.approx(expected, abs=1e-6)


def test_directions_are_pyiqas_and_those_of_the_paper(tmp_path):
    """Lower is better for distances and for the naturalness indices; higher for similarities and predicted opinions."""
    lower = "lpips dists piqe niqe brisque ilniqe gmsd nlpd mad pieapp fid"
    higher = "psnr ssim ms_ssim vif fsim vsi cw_ssim ahiq clipiqa liqe musiq maniqa hyperiqa dbcnn clipsim"
    found = {
        metric.name: metric.lower_is_better for metric in resolve(",".join((lower + " " + higher).split()), tmp_path)
    }
    assert found == {**dict.fromkeys(lower.split(), True), **dict.fromkeys(higher.split(), False)}


# CLIPSIM


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A tiny random CLIP checkpoint, as the hub's are."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(3)
    part = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**part, "vocab_size": 50, "max_position_embeddings": 8},
        vision_config={**part, "image_size": 48, "patch_size": 16},
        projection_dim=24,
    )
    folder = tmp_path_factory.mktemp("clip")
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 48}, crop_size={"height": 48, "width": 48}).save_pretrained(folder)
    return folder


def test_clipsim_is_the_cosine_of_image_embeddings(clip, small_truth):
    from torchvision.transforms.v2 import functional as change
    from transformers import CLIPModel

    whole = CLIPModel.from_pretrained(clip).eval()

    def embedding(image):
        pixels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())
        pixels = change.center_crop(
            change.resize(pixels, [48], interpolation=change.InterpolationMode.BICUBIC, antialias=True), [48, 48]
        )
        mean, spread = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
        with torch.no_grad():
            tokens = {"input_ids": torch.ones(1, 2, dtype=torch.long)}
            return whole(
                pixel_values=change.normalize(pixels.float() / 255, mean, spread)[None], **tokens
            ).image_embeds[0]

    metric = Clipsim(str(clip))
    metric.load("cpu")
    truth = Image.open(sorted(small_truth.iterdir())[1]).convert("RGB")
    pictures = [truth.filter(ImageFilter.GaussianBlur(2)), Image.new("RGB", truth.size, "red"), truth]
    found = metric.score(truth, pictures)
    expected = [float(torch.cosine_similarity(embedding(truth), embedding(each), dim=0)) for each in pictures]
    assert found == pytest.approx(expected, abs=1e-5) and found[2] == pytest.approx(1, abs=1e-6)
    assert found[0] > found[1] and metric.needs_truth and not metric.lower_is_better
    assert metric.identity.startswith("CLIP folder:") and Clipsim().identity == "CLIP hub:openai/clip-vit-base-patch32"


def test_what_is_no_clip_checkpoint(clip, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(clip, tmp_path / "broken")
    state = load_file(broken / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, broken / "model.safetensors", {"format": "pt"})
    pickled = shutil.copytree(clip, tmp_path / "pickled")
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    (tmp_path / "empty").mkdir()
    for folder, reason in (
        (broken, "lacks 1 tensors, visual_projection.weight"),
        (pickled, "cannot be made ready"),
        (tmp_path / "empty", "--clip_model"),
    ):
        with pytest.raises(RunFailed, match=reason):
            Clipsim(str(folder)).load("cpu")


def test_clipsim_by_the_script(ready, clip):
    ready.score("--metrics", "clipsim,psnr", "--clip_model", clip, "--no_report")
    assert summary(ready)["modes"]["full"]["metrics"]["clipsim"]["n"] == 4
    assert summary(ready)["metrics"]["clipsim"]["kind"] == "FR"


# FID


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
            calls.append("embed") or (batch[:, :, ::10, ::10].reshape(1, -1) @ matrix)[:, :, None, None]
        )

    monkeypatch.setattr(Fid, "load", load)
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
    assert (entry["n"], entry["set"]) == (22, True) and "low" not in entry and "fid" not in columns(many)
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
    done = many.score("--metrics", "fid,psnr", "--subset", 21, "--no_report", code=1)
    assert "so it is not made with --images, --subset" in done.stderr and "fid" not in summary(many)["metrics"]
    for path in sorted((many.folder / "Result/real/text").iterdir())[:3]:
        path.unlink()
    done = many.score("--metrics", "fid,psnr", "--no_report", code=1)
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
