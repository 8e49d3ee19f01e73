"""TOPIQ FR and NR with the benchmark's weights, as metrics (the networks are in topiq.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import BadInput, ImageProblem
from ...files.store import digest
from .base import AtOnce, Metric
from .pairs import Pair, Pairs, Picture

if TYPE_CHECKING:
    from PIL import Image

    from .topiq_network import Features

SMALLEST = 32  # pixels a side; the networks halve a picture five times
BYTES_A_PIXEL = 800  # that TOPIQ FR takes on a CPU: 1.7 GiB at 1024x1024, 4.4 at 2048x2048, 12.5 at 4096x4096
WEIGHTS = {"topiq_fr": "topiq-fr.pth", "topiq_nr": "topiq-nr.pth"}
WITHOUT_WEIGHTS = "--metrics ms_ssim,piqe"


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
        self.at_once = AtOnce()
        self._kept: tuple[Picture, Features] | None = None

    def load(self, device: str) -> None:
        from .topiq_network import TopiqFR, TopiqNR
        from .topiq_weights import WeightError

        self.device = device
        try:
            self.network = (TopiqFR if self.needs_truth else TopiqNR).from_file(self.weights, device=device)
        except WeightError as error:
            raise BadInput(f"{error} {where_weights_are(self.weights.parent)}") from None

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        return self.score_pairs(Pairs([Pair(Picture(truth), Picture(each)) for each in pictures], 1))

    def score_pairs(self, pairs: Pairs) -> list[float]:
        import torch

        width, height = pairs[0].made.image.size
        _check_size(width, height, self.device)
        reduced = self.precision != "fp32"
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        with torch.autocast(torch.device(self.device).type, dtype=dtype, enabled=reduced):
            try:
                # On a CPU a batch saves nothing and costs memory
                size = pairs.at_once or 1
                return self.at_once.each(lambda places: self._score(pairs, places), range(len(pairs)), size)
            except ValueError as error:  # a score that is no number
                raise ImageProblem(str(error)) from None
            finally:
                self._kept = None

    def _score(self, pairs: Pairs, places: Sequence[int]) -> list[float]:
        """The scores of some of the pairs, a run of them."""
        made = pairs.tensor(self.device, truths=False)[places[0] : places[-1] + 1]
        if not self.needs_truth:
            return self.network.score(made)
        first, last = pairs.places[places[0]], pairs.places[places[-1]]
        features = self._encoded(pairs, first, last)
        if first != last:
            features = features.chosen([pairs.places[place] - first for place in places])
        return self.network.score(features, made, order=self.order)

    def _encoded(self, pairs: Pairs, first: int, last: int) -> Features:
        """Features of the ground truths from `first` to `last`. One that goes on into the next call is kept."""
        if first != last:
            return self.network.encode(pairs.tensor(self.device, truths=True)[first : last + 1])
        if self._kept is None or self._kept[0] is not pairs.truths[first]:
            self._kept = None  # its memory is needed
            self._kept = pairs.truths[first], self.network.encode(pairs.tensor(self.device, truths=True)[first])
        return self._kept[1]


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
                "score it on a machine with more, or with --device cuda"
            )


def where_weights_are(folder: Path) -> str:
    return (
        "Fetch the benchmark's weights topiq-fr.pth (145 MB) and topiq-nr.pth (181 MB) with: python -m cmcbench"
        f" download weights (or put them into {folder}/ from the Hugging Face data set lcysyzxdxc/CMC-Bench). To score"
        f" without them: {WITHOUT_WEIGHTS}"
    )
