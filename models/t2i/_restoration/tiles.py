"""A network over a large picture or latent in overlapping tiles, many to a call, blended by a Gaussian.

Tiling and weights are those of PASD, DiffBIR and StableSR alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

VARIANCE = 0.01  # of the Gaussian, where a tile's side is 1


def weights(height: int, width: int) -> torch.Tensor:
    """How much each place of a tile counts, (height, width), float32.

    The centre lies at (width - 1) / 2 across but at height / 2 down, as in the authors' code: half a place too low.
    """
    import torch

    down, across = _bell(height, height / 2), _bell(width, (width - 1) / 2)
    return torch.outer(down, across).float()


def starts(length: int, size: int, stride: int) -> list[int]:
    """Where tiles of `size` begin along a side; the last one ends with the side. One tile where it is no longer."""
    return [*range(0, length - size, stride), max(length - size, 0)]


def tiled(
    network: Callable[..., torch.Tensor],
    inputs: Sequence[torch.Tensor],
    size: int,
    stride: int,
    batch: int,
) -> torch.Tensor:
    """`network` over tiles of all `inputs`, each (n, c, h, w) with the same n, h and w: (n, c', h, w).

    It gets a tile of each input, (m, c, size, size) with m <= `batch`, and as its last argument the numbers of the
    pictures that they are of, (m,), by which a caller finds the prompts. A side shorter than `size` is one tile. Where
    there is one tile a picture, `network` gets all pictures at once.
    """
    import torch

    first = inputs[0]
    count, _, height, width = first.shape
    rows, columns = min(size, height), min(size, width)
    if (rows, columns) == (height, width):
        return network(*inputs, torch.arange(count, device=first.device))
    bell = weights(rows, columns).to(first.device)
    total, weight = None, torch.zeros(1, 1, height, width, device=first.device)
    for top in starts(height, rows, stride):
        for left in starts(width, columns, stride):
            weight[..., top : top + rows, left : left + columns] += bell
    for places in _groups(count, starts(height, rows, stride), starts(width, columns, stride), batch):
        crops = [
            torch.cat([each[i : i + 1, :, top : top + rows, left : left + columns] for i, top, left in places])
            for each in inputs
        ]
        made = network(*crops, torch.tensor([i for i, _, _ in places], device=first.device))
        if total is None:
            total = torch.zeros(count, made.shape[1], height, width, device=first.device)
        for (i, top, left), tile in zip(places, made, strict=True):
            total[i, :, top : top + rows, left : left + columns] += tile * bell
    assert total is not None
    return (total / weight).to(made.dtype)


def _groups(count: int, tops: list[int], lefts: list[int], batch: int) -> Iterator[list[tuple[int, int, int]]]:
    """All (picture, top, left), the tiles of one picture after those of another, at most `batch` at a time."""
    places = [(i, top, left) for i in range(count) for top in tops for left in lefts]
    for start in range(0, len(places), batch):
        yield places[start : start + batch]


def _bell(length: int, centre: float) -> torch.Tensor:
    import torch

    distance = (torch.arange(length, dtype=torch.float64) - centre) / length
    return torch.exp(-(distance**2) / (2 * VARIANCE)) / math.sqrt(2 * math.pi * VARIANCE)
