"""cmcbench/score/metrics/topiq_network.py against pyiqa with the same random weights, and what it refuses."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cmcbench.score.metrics import allocator, topiq_network, topiq_weights
from cmcbench.score.metrics.topiq_network import ScoreError, TopiqFR, TopiqNR
from cmcbench.score.metrics.topiq_weights import WeightError, read_weights

BOUND = 1e-5  # of a score's difference; float32 rounding gives up to 2e-6, in pyiqa itself nearly 1e-6
SIZES = [(224, 224), (225, 301), (341, 512), (512, 768), (1024, 1024), (225, 2047)]  # (height, width) in pixels
EDGES = [(1, 1), (40, 1), (33, 64), (65, 31)]  # where some or all feature maps are not pooled
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch takes other kernels for more than one thread, the suite's default."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def ours(weights: Path) -> SimpleNamespace:
    return SimpleNamespace(
        fr=TopiqFR.from_file(weights / "topiq-fr.pth"), nr=TopiqNR.from_file(str(weights / "topiq-nr.pth"))
    )


@pytest.fixture(scope="module")
def theirs(weights: Path) -> SimpleNamespace:
    import pyiqa

    def metric(kind: str) -> Any:
        path = str(weights / f"topiq-{kind}.pth")
        network = pyiqa.create_metric(
            f"topiq_{kind}", pretrained_model_path=path, backbone_pretrain=False, device=torch.device("cpu")
        )
        return torch.inference_mode()(lambda *paths: network(*map(str, paths)).item())

    return SimpleNamespace(fr=metric("fr"), nr=metric("nr"))


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """A uint8 RGB picture with smooth areas, edges and noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    blocks = np.asarray(coarse.rotate(180).resize((width, height), Image.Resampling.NEAREST), dtype=np.float32)
    mixed = np.where(smooth[..., :1] > 128, smooth, blocks) + rng.normal(0, 4 * seed, (height, width, 3))
    return mixed.clip(0, 255).astype(np.uint8)


def degraded(image: np.ndarray) -> np.ndarray:
    """The picture without its detail: a stand-in for a reconstruction."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((-(-width // 8), -(-height // 8)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", SIZES + EDGES, ids=lambda size: f"{size[1]}x{size[0]}")
def test_scores_are_pyiqas(size: tuple[int, int], ours: Any, theirs: Any, tmp_path: Path) -> None:
    truth = picture(*size, seed=1)
    made = degraded(truth)
    Image.fromarray(truth).save(tmp_path / "truth.png")
    Image.fromarray(made).save(tmp_path / "made.png")
    features = ours.fr.encode(truth)
    assert ours.fr.score(features, made) == pytest.approx(
        theirs.fr(tmp_path / "truth.png", tmp_path / "made.png"), abs=BOUND
    )
    if min(size) < 1024:  # the roles change what they are at any size, and this one takes long
        assert ours.fr.score(features, made, order="pyiqa") == pytest.approx(
            theirs.fr(tmp_path / "made.png", tmp_path / "truth.png"), abs=BOUND
        )
    assert ours.nr.score(made) == pytest.approx(theirs.nr(tmp_path / "made.png"), abs=BOUND)


@pytest.mark.parametrize("size", [(224, 224), (341, 512)], ids=lambda size: f"{size[1]}x{size[0]}")
def test_scores_are_pyiqas_with_two_threads(
    size: Any, ours: Any, theirs: Any, tmp_path: Path, two_threads: None
) -> None:
    test_scores_are_pyiqas(size, ours, theirs, tmp_path)


def test_different_pictures_have_different_scores(ours: Any) -> None:
    pictures = [picture(96, 128, seed) for seed in range(4)]
    truth = ours.fr.encode(pictures[0])
    consistency = [ours.fr.score(truth, each) for each in pictures]
    swapped = [ours.fr.score(truth, each, order="pyiqa") for each in pictures]
    assert np.std(consistency) > 1e-3 and np.std([ours.nr.score(each) for each in pictures]) > 1e-3
    assert consistency[0] == swapped[0]
    assert np.abs(np.subtract(consistency[1:], swapped[1:])).min() > 1e-3


def test_a_batch_has_the_scores_of_its_pictures(ours: Any) -> None:
    pictures = np.stack([picture(97, 131, seed) for seed in range(3)])
    truths = pictures[::-1].copy()
    for order in topiq_network.ORDERS:
        single = [ours.fr.score(ours.fr.encode(truths[0]), each, order) for each in pictures]
        assert ours.fr.score(ours.fr.encode(truths[0]), pictures, order) == pytest.approx(single, abs=BOUND)
        paired = [ours.fr.score(ours.fr.encode(truth), each, order) for truth, each in zip(truths, pictures)]
        assert ours.fr.score(ours.fr.encode(truths), torch.tensor(pictures), order) == pytest.approx(paired, abs=BOUND)
    assert ours.nr.score(pictures) == pytest.approx([ours.nr.score(each) for each in pictures], abs=BOUND)
    assert ours.nr.score(pictures[:1]) == [ours.nr.score(pictures[0])]


@pytest.mark.parametrize("kind", [TopiqFR, TopiqNR])
def test_everything_is_on_the_device(kind: Any, weights: Path) -> None:
    """On "meta", torch's device without data, an operand left on the CPU is an error, as it would be on a GPU."""
    network = kind.from_file(weights / ("topiq-fr.pth" if kind is TopiqFR else "topiq-nr.pth"), "meta")
    maps = network._encode(np.zeros((2, 64, 2048, 3), dtype=np.uint8)).maps
    assert [x.shape for x in maps] == [(2, c, 32 >> i, 1024 >> i) for i, c in enumerate(topiq_weights.CHANNELS)]
    pooled = [
        network._compare(level, x, x, (2, 64)) if kind is TopiqFR else network._select(level, x, (2, 64))
        for level, x in enumerate(maps)
    ]
    scores = network._regress(pooled)
    assert scores.shape == (2,) and scores.device.type == "meta"


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((40, 40, 3), dtype=np.float32), "float32"),
        (np.zeros((40, 40, 3), dtype=np.uint16), "uint16"),
        (np.zeros((40, 40, 4), dtype=np.uint8), "(40, 40, 4)"),
        (np.zeros((40, 40), dtype=np.uint8), "(40, 40)"),
        (torch.zeros((3, 40, 40), dtype=torch.uint8), "(3, 40, 40)"),
        (np.zeros((0, 40, 3), dtype=np.uint8), "(0, 40, 3)"),
    ],
)
def test_other_images_are_refused(image: Any, found: str, ours: Any) -> None:
    for use in (ours.nr.score, ours.fr.encode):
        with pytest.raises(ValueError, match="expected uint8 RGB") as caught:
            use(image)
        assert found in str(caught.value)


def test_pairs_that_do_not_fit_are_refused(ours: Any) -> None:
    truth = ours.fr.encode(picture(64, 64, 1))
    with pytest.raises(ValueError, match="64x64.* 63x64"):  # the same feature maps, and pyiqa scores it
        ours.fr.score(truth, picture(64, 63, 1))
    with pytest.raises(ValueError, match="2 ground truths for 3 images"):
        ours.fr.score(ours.fr.encode(np.zeros((2, 64, 64, 3), np.uint8)), np.zeros((3, 64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="published, pyiqa"):
        ours.fr.score(truth, picture(64, 64, 1), order="reverse")


def test_a_score_that_is_no_number_is_an_error(weights: Path) -> None:
    network = TopiqNR.from_file(weights / "topiq-nr.pth")
    network.layers["score_linear.6"][1].fill_(float("nan"))
    with pytest.raises(ScoreError, match="TOPIQ NR is nan for image 1 of 2"):
        network.score(np.zeros((2, 32, 32, 3), np.uint8))


def shapes_only(full_reference: bool) -> dict[str, torch.Tensor]:
    """Tensors of the right shapes that share one stored zero: a checkpoint of a few kilobytes."""
    names = topiq_weights.expected_shapes(full_reference)
    return {name: torch.zeros(1).expand(shape) for name, shape in names.items()}


class Code:
    def __reduce__(self) -> tuple:
        return os.system, ("echo this must never run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: shapes_only(False), "holds the weights of TOPIQ NR .*, expected those of TOPIQ FR"),
        (lambda: {"fc.weight": torch.zeros(2)}, "tensors missing .h_emb; .* 1 tensors unexpected .fc.weight"),
        (lambda: {**shapes_only(True), "fc.weight": torch.zeros(2)}, ": 1 tensors unexpected .fc.weight.\\.$"),
        (lambda: {k: v for k, v in shapes_only(True).items() if k != "h_emb"}, ": 1 tensors missing .h_emb.\\.$"),
        (
            lambda: {**shapes_only(True), "w_emb": torch.zeros(1, 256, 1, 32)},
            r"1 tensors of a wrong shape \(w_emb \(1, 256, 1, 32\), expected \(1, 128, 1, 32\)\)",
        ),
        (lambda: {**shapes_only(True), "w_emb": torch.zeros(1, 128, 1, 32).int()}, "w_emb torch.int32"),
        (lambda: {**shapes_only(True), "w_emb": 3}, "w_emb int"),
        (lambda: [torch.zeros(2)], "holds a list"),
        (dict, "holds a dict without tensors"),
        (lambda: {"params": {}}, "holds a dict without tensors"),
        (lambda: {"params": Code()}, "holds a Python object .*system.* that may run code"),
        (lambda: torch.nn.Linear(2, 2), "holds a Python object .torch.nn.modules.linear.Linear."),
    ],
)
def test_other_weights_are_refused(content: Any, message: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / "topiq-fr.pth"
    torch.save(content(), path)
    with pytest.raises(WeightError, match=message) as caught:
        read_weights(path, full_reference=True)
    assert str(path) in str(caught.value) and "TOPIQ FR" in str(caught.value) and "\n" not in str(caught.value)
    assert "must never run" not in capfd.readouterr().out


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "topiq-nr.pth"
    torch.save(shapes_only(False), path)
    whole = path.read_bytes()
    for content in (b"", b"<html>Not found</html>", b"version https://git-lfs", whole[:-100], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(WeightError, match=f"{len(content):,} bytes. is damaged or no PyTorch file") as caught:
            read_weights(path, full_reference=False)
        assert str(path) in str(caught.value) and "TOPIQ NR" in str(caught.value)
    for missing in (tmp_path, tmp_path / "none.pth"):
        with pytest.raises(WeightError, match="cannot be read"):
            read_weights(missing, full_reference=False)


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema", "state_dict"])
def test_checkpoints_may_be_wrapped(wrapper: str | None, tmp_path: Path) -> None:
    unused = {name: torch.zeros(1) for name in topiq_weights.unused_names()}
    state = {f"module.{name}": value for name, value in (shapes_only(True) | unused).items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "fr.pth")
    assert read_weights(tmp_path / "fr.pth", full_reference=True).keys() == shapes_only(True).keys()


def test_the_unused_tensors_are_pyiqas(weights: Path) -> None:
    for kind, full_reference in (("fr", True), ("nr", False)):
        names = torch.load(weights / f"topiq-{kind}.pth", weights_only=True)["params"].keys()
        assert names == topiq_weights.expected_shapes(full_reference).keys() | topiq_weights.unused_names()


def test_imports_are_light() -> None:
    program = (
        "import sys; from cmcbench.score.metrics.allocator import tune_allocator\n"
        "assert tune_allocator() in (True, False)\n"
        "assert not {'torch', 'numpy', 'PIL'} & sys.modules.keys()\n"
        "import cmcbench.score.metrics.topiq_network\n"
        "assert not {'pyiqa', 'timm', 'torchvision'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_allocator_of_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def old_mallopt(parameter: int, value: int) -> int:
        calls.append((parameter, value))
        return int(parameter != allocator.M_MMAP_THRESHOLD)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=old_mallopt))
    assert allocator.tune_allocator()  # an older glibc, that refuses large thresholds
    assert calls == [(-3, 1 << 30), (-4, 0), (-1, 1 << 30)]
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # a C library without mallopt
    assert not allocator.tune_allocator()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not allocator.tune_allocator()
