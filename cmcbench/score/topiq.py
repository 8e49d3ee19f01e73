"""TOPIQ, full reference (consistency) and no reference (perception), for inference in plain torch.

Chen et al., "TOPIQ: A Top-down Approach from Semantics to Distortions for Image Quality Assessment", arXiv 2308.03060.
It reads the weights of pyiqa's CFANet with a ResNet-50 backbone and gives pyiqa's scores up to float32 rounding (tests:
within 1e-5), several times faster on a CPU: batch norms are folded into convolutions, the ground truth is encoded once for
all its reconstructions, and what pyiqa writes to memory at full resolution stays in the cache here.

    fr = TopiqFR.from_file("Weight/topiq-fr.pth")
    truth = fr.encode(ground_truth)
    scores = [fr.score(truth, picture) for picture in reconstructions]

On a CPU call `allocator.tune_allocator()` before torch is imported, and score one picture at a time: a batch saves nothing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .topiq_weights import BACKBONE, CHANNELS, DIM, HEADS, STAGES, WeightError, read_weights

__all__ = ["Features", "ScoreError", "TopiqFR", "TopiqNR", "WeightError"]
