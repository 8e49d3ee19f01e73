"""The metrics by name: the benchmark's two TOPIQ networks, and any metric of pyiqa.

To add one that pyiqa lacks, write a subclass of Metric and name it in `resolve`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import math
import sys
import types
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable

from ..errors import BadInput, ImageProblem, RunFailed
from ..store import digest

FR_ORDERS = ("published", "pyiqa")
PRECISIONS = ("fp32", "bf16", "fp16")
SMALLEST = 32  # pixels a side; the networks halve a picture five times
BYTES_A_PIXEL = 800  # that TOPIQ FR takes on a CPU: 1.7 GiB at 1024x1024, 4.4 at 2048x2048, 12.5 at 4096x4096
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
    """TOPIQ FR or NR with the benchmark's fine-tuned weights; higher is better.

    What changes the numbers (the order of FR's arguments, a lower precision) gives the metric another name, so that its
    scores have a column of their own and never meet the published ones.
    """

    def __init__(self, kind: str, weights: Path, fr_order: str, precision: str) -> None:
        self.kind, self.weights, self.order, self.precision = kind, weights, fr_order, precision
        self.needs_truth = kind == "topiq_fr"
        marks = ["pyiqa-order"] if self.needs_truth and fr_order == "pyiqa" else []
        marks += [precision] if precision != "fp32" else []
        self.name = "@".join([kind, *marks])
        self.identity = f"weights {digest(weights.read_bytes())}"

    def load(self, device: str) -> None:
        from .topiq import TopiqFR, TopiqNR
        from .topiq_weights import WeightError

        self.device = device
        try:
            self.network = (TopiqFR if self.needs_truth else TopiqNR).from_file(self.weights, device=device)
        except WeightError as error:
            raise BadInput(f"{error} {where_weights_are(self.weights.parent)}") from None

    def score(self, truth: Any, pictures: list[Any]) -> list[float]:
        import torch

        for picture in pictures:
            _check_size(*picture.size, self.device)
        reduced = self.precision != "fp32"
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        with torch.autocast(torch.device(self.device).type, dtype=dtype, enabled=reduced):
            try:
                return self._score(truth, pictures)
            except ValueError as error:  # a score that is no number
                raise ImageProblem(str(error)) from None

    def _score(self, truth: Any, pictures: list[Any]) -> list[float]:
        import numpy as np

        arrays = [np.asarray(picture) for picture in pictures]
        # On a CPU a batch saves nothing and costs memory
        size = 1 if self.device == "cpu" else len(arrays)
        if not self.needs_truth:
            return in_batches(lambda batch: self.network.score(np.stack(batch)), arrays, size)
        features = in_batches(lambda batch: [self.network.encode(batch[0])], [np.asarray(truth)], 1)[0]
        return in_batches(lambda batch: self.network.score(features, np.stack(batch), order=self.order), arrays, size)


def _check_size(width: int, height: int, device: str) -> None:
    """Raise ImageProblem for a picture that TOPIQ cannot score. It scores the others whole, whatever their size."""
    if min(width, height) < SMALLEST:
        raise ImageProblem(f"{width}x{height} is too small for TOPIQ, which needs {SMALLEST} pixels a side")
    if device == "cpu" and width * height > 1 << 22:
        import psutil

        # Linux would end the whole run for one picture
        needed, free = BYTES_A_PIXEL * width * height / 2**30, psutil.virtual_memory().available / 2**30
        if needed > free:
            raise ImageProblem(
                f"{width}x{height} takes {needed:.0f} GiB of memory to score and {free:.0f} GiB are free; "
                f"score it on a machine with more, or with --device cuda"
            )


def in_batches(function: Callable[[list[Any]], list[Any]], items: list[Any], size: int) -> list[Any]:
    """`function` of all items, `size` at a time. Where a GPU's memory does not hold them, half as many at a time.

    Raises ImageProblem where it does not hold one.
    """
    import torch

    results: list[Any] = []
    while len(results) < len(items):
        try:
            results += function(items[len(results) : len(results) + size])
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if size == 1:
                raise ImageProblem("does not fit into the device's memory; score it with --device cpu") from None
            size = max(1, size // 2)
    return results


class Pyiqa(Metric):
    """Any metric of pyiqa by its name, called as pyiqa defines it: (reconstruction, ground truth)."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        from importlib.metadata import version

        self.name = name
        self.needs_truth = config.get("metric_mode") == "FR"
        self.lower_is_better = bool(config.get("lower_better", False))
        self.identity = f"pyiqa {version('pyiqa')}"

    def load(self, device: str) -> None:
        import torch

        try:
            self.network = _import_pyiqa(self.name).create_metric(self.name, device=torch.device(device))
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


def resolve(names: str, weights: Path, fr_order: str = "published", precision: str = "fp32") -> list[Metric]:
    """The metrics that `--metrics` names, separated by commas; `topiq` is the pair FR and NR. Loads nothing.

    Raises BadInput for an unknown one, one of whole sets of images, or missing weights.
    """
    wanted = [part.strip().lower() for part in names.split(",") if part.strip()]
    wanted = [name for part in wanted for name in (("topiq_fr", "topiq_nr") if part == "topiq" else (part,))]
    if not wanted:
        raise BadInput("--metrics names no metric. The default is topiq; without weights: " + WITHOUT_WEIGHTS)
    metrics: list[Metric] = []
    for name in dict.fromkeys(wanted):
        metrics.append(_topiq(name, weights, fr_order, precision) if name in WEIGHTS else _pyiqa(name))
    return metrics


def where_weights_are(folder: Path) -> str:
    return (
        f"Fetch the benchmark's weights topiq-fr.pth (145 MB) and topiq-nr.pth (181 MB) with: python -m cmcbench download weights "
        f"(or put them into {folder}/ from the Hugging Face data set lcysyzxdxc/CMC-Bench). To score without them: {WITHOUT_WEIGHTS}"
    )


def _topiq(name: str, folder: Path, fr_order: str, precision: str) -> Metric:
    file = folder / WEIGHTS[name]
    if not file.is_file():
        raise BadInput(f"there are no TOPIQ weights: {file} is missing. {where_weights_are(folder)}")
    return Topiq(name, file, fr_order, precision)


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


def _import_pyiqa(metric: str) -> Any:
    """pyiqa, without the parts of it that put their own classes in place of transformers' Llama.

    pyiqa imports all of its parts to find one; these two would break every model built on Llama in this process, so they
    are imported only for the metrics that are theirs.
    """
    for name in ("qalign", "compare2score"):
        part = f"pyiqa.archs.{name}_arch"
        if not metric.startswith(name):
            sys.modules.setdefault(part, types.ModuleType(part))
        elif not hasattr(sys.modules.get(part), "__file__"):
            sys.modules.pop(part, None)
            importlib.import_module(part)
    return importlib.import_module("pyiqa")


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
