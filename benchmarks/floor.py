"""The floor under score.py: how fast this machine convolves, and how much of it TOPIQ needs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


def convolution_peak() -> float:
    """The most GFLOP/s that a float32 convolution of TOPIQ's kinds reaches here, with a warm cache."""
    import torch

    best = 0.0
    for channels, side, kernel in ((64, 128, 3), (128, 64, 3), (256, 64, 3), (256, 32, 1), (512, 32, 3), (512, 64, 1)):
        x = torch.randn(1, channels, side, side).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, kernel, kernel).contiguous(memory_format=torch.channels_last)
        work = 2 * channels * channels * kernel * kernel * side * side
        with torch.inference_mode():
            for _ in range(12):
                start = time.perf_counter()
                for _ in range(4):
                    torch.nn.functional.conv2d(x, weight, padding=kernel // 2)
                best = max(best, 4 * work / (time.perf_counter() - start) / 1e9)
    return best


def work_of_ours(weights: Path, size: tuple[int, int], modes: int) -> float:
    """GFLOP that this scorer spends on one ground truth and its modes, FR and NR (a multiplication and an addition are
    two).
    """
    import numpy as np
    from torch.utils.flop_counter import FlopCounterMode

    from cmcbench.score.metrics import topiq_network
    from cmcbench.score.metrics.topiq_network import TopiqFR, TopiqNR

    topiq_network._fuses = lambda x: False  # the counter knows plain convolutions only; the work is the same
    fr, nr = TopiqFR.from_file(weights / "topiq-fr.pth"), TopiqNR.from_file(weights / "topiq-nr.pth")
    picture = np.zeros((size[1], size[0], 3), np.uint8)

    def flops(what: Any) -> float:
        with FlopCounterMode(display=False) as counter:
            what()
        return counter.get_total_flops() / 1e9

    truth = fr.encode(picture)
    return flops(lambda: fr.encode(picture)) + modes * (
        flops(lambda: fr.score(truth, picture)) + flops(lambda: nr.score(picture))
    )
