"""The metrics by name: the benchmark's two TOPIQ networks, and any metric of pyiqa.

To add one that pyiqa lacks, write a subclass of Metric and name it in `resolve`.
"""

from __future__ import annotations

import difflib
import importlib.util
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ..errors import BadInput, ImageProblem, RunFailed
from ..store import digest

FR_ORDERS = ("published", "pyiqa")
WEIGHTS = {"topiq_fr": "topiq-fr.pth", "topiq_nr": "topiq-nr.pth"}
WITHOUT_WEIGHTS = "--metrics ms_ssim,piqe"


class Metric(ABC):
    """A metric of single images.

    name: its column in scores.csv. needs_truth: True for full reference (consistency), False for no reference
    (perception). identity: what must be equal for two scores to be compared, beside the images.
    """

    name: str
    needs_truth: bool
    lower_is_better: bool = False
    identity: str

    @abstractmethod
    def load(self, device: str) -> None:
        """Make ready to score. Raises BadInput or RunFailed."""

    @abstractmethod
    def score(self, truth: Any, pictures: list[Any]) -> list[float]:
        """The score of each reconstruction of one ground truth. All are RGB PIL images of the same size."""


class Topiq(Metric):
    """TOPIQ FR or NR with the benchmark's fine-tuned weights; higher is better."""

    def __init__(self, kind: str, weights: Path, fr_order: str) -> None:
        self.kind, self.weights, self.order = kind, weights, fr_order
        self.needs_truth = kind == "topiq_fr"
        # Another order gives other numbers, so it has a column of its own and never meets the published one
        self.name = f"{kind}@pyiqa-order" if self.needs_truth and fr_order == "pyiqa" else kind
        self.identity = f"weights {digest(weights.read_bytes())}"

    def load(self, device: str) -> None:
        from .topiq import TopiqFR, TopiqNR, WeightError

        try:
            self.network = (TopiqFR if self.needs_truth else TopiqNR).from_file(self.weights, device=device)
        except WeightError as error:
            raise BadInput(f"{error} {where_weights_are(self.weights.parent)}") from None

    def score(self, truth: Any, pictures: list[Any]) -> list[float]:
        import numpy as np

        if not self.needs_truth:
            return [float(self.network.score(np.asarray(picture))) for picture in pictures]
        features = self.network.encode(np.asarray(truth))
        return [float(self.network.score(features, np.asarray(picture), order=self.order)) for picture in pictures]


class Pyiqa(Metric):
    """Any metric of pyiqa by its name, called as pyiqa defines it: (reconstruction, ground truth)."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        from importlib.metadata import version

        self.name = name
        self.needs_truth = config.get("metric_mode") == "FR"
        self.lower_is_better = bool(config.get("lower_better", False))
        self.identity = f"pyiqa {version('pyiqa')}"

    def load(self, device: str) -> None:
        import pyiqa
        import torch

        try:
            self.network = pyiqa.create_metric(self.name, device=torch.device(device))
        except Exception as error:  # a missing package, no network, a broken download: pyiqa raises what its parts raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise RunFailed(
                f"metric {self.name} cannot be made ready: {reason}. Most of pyiqa's metrics download weights at their "
                f"first use; {WITHOUT_WEIGHTS} need none."
            ) from None

    def score(self, truth: Any, pictures: list[Any]) -> list[float]:
        import torch

        truth = _tensor(truth) if self.needs_truth else None
        scores = []
        for picture in pictures:
            torch.manual_seed(0)  # some metrics crop at random: the same for an image whatever came before it
            try:
                score = self.network(_tensor(picture), truth) if self.needs_truth else self.network(_tensor(picture))
            except (RuntimeError, AssertionError, ValueError, IndexError) as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
                raise ImageProblem(f"{self.name} does not take it: {reason}") from None
            scores.append(float(score))
        return scores


def resolve(names: str, weights: Path, fr_order: str) -> list[Metric]:
    """The metrics that `--metrics` names, separated by commas; `topiq` is the pair FR and NR. Loads nothing.

    Raises BadInput for an unknown one, one of whole sets of images, or missing weights.
    """
    wanted = [part.strip().lower() for part in names.split(",") if part.strip()]
    wanted = [name for part in wanted for name in (("topiq_fr", "topiq_nr") if part == "topiq" else (part,))]
    if not wanted:
        raise BadInput("--metrics names no metric. The default is topiq; without weights: " + WITHOUT_WEIGHTS)
    metrics: list[Metric] = []
    for name in dict.fromkeys(wanted):
        metrics.append(_topiq(name, weights, fr_order) if name in WEIGHTS else _pyiqa(name))
    return metrics


def where_weights_are(folder: Path) -> str:
    return (
        f"The benchmark's weights topiq-fr.pth (145 MB) and topiq-nr.pth (181 MB) are in the Hugging Face data set "
        f"lcysyzxdxc/CMC-Bench; put them into {folder}/. To score without them: {WITHOUT_WEIGHTS}"
    )


def _topiq(name: str, folder: Path, fr_order: str) -> Metric:
    file = folder / WEIGHTS[name]
    if not file.is_file():
        raise BadInput(f"there are no TOPIQ weights: {file} is missing. {where_weights_are(folder)}")
    return Topiq(name, file, fr_order)


def _pyiqa(name: str) -> Metric:
    known = _pyiqa_configs()
    if name not in known:
        near = difflib.get_close_matches(name, ["topiq", *known], n=3, cutoff=0.5)
        hint = f" Near: {', '.join(near)}." if near else ""
        raise BadInput(f"--metrics: there is no metric {name!r}.{hint} Known: topiq, and those of pyiqa.list_models().")
    if known[name].get("metric_mode") not in ("FR", "NR") or "fid" in name or name == "inception_score":
        raise BadInput(f"--metrics: {name} is no measure of single images and cannot be scored here.")
    return Pyiqa(name, known[name])


def _pyiqa_configs() -> dict[str, dict[str, Any]]:
    """pyiqa's table of metrics, read without importing pyiqa, which takes seconds."""
    package = importlib.util.find_spec("pyiqa")
    if package is None or package.origin is None:
        raise BadInput("pyiqa is not installed. Install it with: pip install -r requirements.txt")
    path = Path(package.origin).parent / "default_model_configs.py"
    spec = importlib.util.spec_from_file_location("_pyiqa_default_model_configs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DEFAULT_CONFIGS


def checked(score: float, metric: Metric) -> float:
    """The score, if it is a number. Raises ImageProblem."""
    if not math.isfinite(score):
        raise ImageProblem(f"{metric.name} gives {score}, which is no score")
    return score


def _tensor(picture: Any) -> Any:
    """An RGB PIL image as a float tensor of shape (1, 3, height, width) in [0, 1]."""
    import numpy as np
    import torch

    return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy()).float().div(255).unsqueeze(0)
