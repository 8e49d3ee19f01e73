"""TOPIQ, full reference (consistency) and no reference (perception), for inference in plain torch.

Chen et al., "TOPIQ: A Top-down Approach from Semantics to Distortions for Image Quality Assessment", arXiv 2308.03060.
Reads the weights of pyiqa's CFANet with a ResNet-50 backbone and gives pyiqa's scores within 1e-5 (float32 rounding) in
half its time on a CPU: batch norms are folded into the convolutions, the ground truth is encoded once for all its
reconstructions, and what would be written to memory at full resolution only to be averaged stays in the cache.

    network = TopiqFR.from_file("Weight/topiq-fr.pth")
    truth = network.encode(ground_truth)
    scores = [network.score(truth, picture) for picture in reconstructions]

On a CPU call `allocator.tune_allocator()` before torch is imported, and score one picture at a time: there a batch
saves no time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .topiq_weights import CHANNELS, DIM, GRID, STAGES, fold, read_weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in [0, 1]
BAND_BYTES = 2 << 20  # of a feature map worked on at once: what is made of it then fits into a core's own cache
HEADS = 4  # of attention
ORDERS = ("published", "pyiqa")


class ScoreError(ValueError):
    """A score that is not a finite number."""


@dataclass(frozen=True)
class Features:
    """What the backbone sees in N images of one size; `TopiqFR.score` takes it in either role.

    maps: five channels-last tensors (N, CHANNELS[i], about height / 2**(i+1), about width / 2**(i+1)).
    size: (height, width) of the images in pixels.
    """

    maps: tuple[Tensor, ...]
    size: tuple[int, int]

    def chosen(self, places: list[int]) -> Features:
        """Features of the images at these places, as often as they are named."""
        index = torch.tensor(places, device=self.maps[0].device)
        return Features(tuple(each.index_select(0, index) for each in self.maps), self.size)


class _Topiq:
    """What both networks share: ResNet-50, the transformer, the regression. Keeps weights only, nothing of an image."""

    full_reference: bool

    def __init__(self, state: Mapping[str, Tensor], device: torch.device | str = "cpu") -> None:
        """`state` is what `read_weights` returns."""
        self.device = torch.device(device)
        layers = fold(state, self.full_reference)
        self.layers = {name: (self._place(weight), self._place(bias)) for name, (weight, bias) in layers.items()}
        self.packed: dict[str, tuple[torch.Size, Tensor]] = {}  # oneDNN's own copy of a weight, with the input's shape
        rows, columns = state["h_emb"].float(), state["w_emb"].float()  # half of the channels each
        self.grid = self._place(torch.cat((rows.expand(-1, -1, -1, GRID), columns.expand(-1, -1, GRID, -1)), dim=1))
        self.mean, self.std = (self._place(torch.tensor(value).view(1, 3, 1, 1)) for value in (MEAN, STD))

    @classmethod
    def from_file(cls, path: Path | str, device: torch.device | str = "cpu") -> Any:
        """The network with the weights in `path`, on `device`. Raises WeightError."""
        return cls(read_weights(path, cls.full_reference), device)

    def _place(self, tensor: Tensor) -> Tensor:
        layout = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
        return tensor.to(self.device).contiguous(memory_format=layout)

    def _encode(self, images: Any) -> Features:
        """Features of uint8 RGB images (H, W, 3) or (N, H, W, 3). Raises ValueError for anything else."""
        images = images if isinstance(images, Tensor) else torch.tensor(images)  # a copy: arrays of PIL are read-only
        if images.dtype != torch.uint8 or images.dim() not in (3, 4) or images.shape[-1] != 3 or not images.numel():
            raise ValueError(f"expected uint8 RGB images (N, H, W, 3), found {images.dtype} {tuple(images.shape)}")
        images = images.to(self.device)[None] if images.dim() == 3 else images.to(self.device)
        x = images.permute(0, 3, 1, 2).float().div_(255).sub_(self.mean).div_(self.std)
        x = self._convolve("conv1", x.contiguous(memory_format=torch.channels_last), stride=2, then="relu")
        maps = [x]
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage, (_, blocks) in enumerate(STAGES, 1):
            for block in range(blocks):
                x = self._bottleneck(f"layer{stage}.{block}", x, stride=2 if stage > 1 and block == 0 else 1)
            maps.append(x)
        return Features(tuple(maps), (images.shape[1], images.shape[2]))

    def _bottleneck(self, name: str, x: Tensor, stride: int) -> Tensor:
        """ResNet's block in version 1.5: the 3x3 convolution has the stride."""
        y = self._convolve(f"{name}.conv1", x, then="relu")
        y = self._convolve(f"{name}.conv2", y, stride, then="relu")
        shortcut = f"{name}.downsample.0"
        # Without a shortcut of its own, x is the block before's, which nobody reads again
        x = self._convolve(shortcut, x, stride) if shortcut in self.layers else x
        return self._convolve(f"{name}.conv3", y, then="relu", plus=x)

    def _convolve(
        self, name: str, x: Tensor, stride: int = 1, then: str = "none", plus: Tensor | None = None
    ) -> Tensor:
        """A convolution, `plus` added to it (which may be overwritten), then "relu", "gelu" or "none" of that."""
        weight, bias = self.layers[name]
        padding = weight.shape[-1] // 2
        if not _fuses(x):
            y = F.conv2d(x, weight, bias, stride, padding)
            y = y if plus is None else y.add_(plus)
            return y.relu_() if then == "relu" else F.gelu(y) if then == "gelu" else y
        place = [padding] * 2, [stride] * 2, [1, 1], 1
        weight = self._pack(name, x.shape, place)
        algorithm = "none" if then == "gelu" else ""  # of GELU: exact, as F.gelu's
        if plus is None:
            return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *place, then, [], algorithm)
        fused = torch.ops.mkldnn._convolution_pointwise_.binary
        return fused(plus, x, weight, bias, *place, "add", 1.0, then, [], algorithm)

    def _pack(self, name: str, shape: torch.Size, place: tuple) -> Tensor:
        """A weight in the layout that oneDNN wants for inputs of that shape; it would make it again at every call."""
        if name not in self.packed or self.packed[name][0] != shape:
            weight = self.layers[name][0].to_mkldnn()
            self.packed[name] = shape, torch._C._nn.mkldnn_reorder_conv2d_weight(weight, *place, list(shape))
        return self.packed[name][1]

    def _gate(self, level: int, x: Tensor) -> Tensor:
        """The weight in (0, 1) of every place of a feature map: (N, C, H, W) -> (N, 1, H, W)."""
        x = self._convolve(f"weight_pool.{level}.0", x, then="gelu")
        x = self._convolve(f"weight_pool.{level}.2", x, then="gelu")
        return self._convolve(f"weight_pool.{level}.4", x).sigmoid_()

    def _regress(self, pooled: list[Tensor]) -> Tensor:
        """Scores (N,) from the pooled maps (N, C, h, w) of the five levels, finest first."""
        position = functools.cache(lambda size: F.interpolate(self.grid, size, mode="bicubic", align_corners=False))
        tokens = []
        for level, x in enumerate(pooled):
            x = self._convolve(f"dim_reduce.{level}.0", x, then="gelu") + position(x.shape[2:])
            x = x.permute(0, 2, 3, 1).contiguous()
            tokens.append(self._self_attend(f"sa_attn_blks.{level}.layers.0", x))
        query = tokens[-1]
        for block, finer in enumerate(reversed(tokens[:-1])):
            query = self._cross_attend(f"attn_blks.{block}.layers.0", query, finer)
        x = self._self_attend("attn_pool", query).mean(dim=(1, 2), keepdim=True)
        for norm, linear in ((0, 1), (3, 4)):
            x = self._linear(f"score_linear.{linear}", self._normalise(f"score_linear.{norm}", x), then="gelu")
        return self._linear("score_linear.6", x).flatten()

    # Tokens are (N, h, w, 256), contiguous.

    def _self_attend(self, name: str, tokens: Tensor) -> Tensor:
        x = self._normalise(f"{name}.norm1", tokens)
        tokens = self._attention(f"{name}.self_attn", x, x).add_(tokens)
        return self._feed_forward(name, self._normalise(f"{name}.norm2", tokens)).add_(tokens)

    def _cross_attend(self, name: str, query: Tensor, memory: Tensor) -> Tensor:
        x, memory = self._normalise(f"{name}.norm1", query), self._normalise(f"{name}.norm2", memory)
        query = self._attention(f"{name}.multihead_attn", x, memory).add_(query)
        return self._feed_forward(name, self._normalise(f"{name}.norm3", query)).add_(query)

    def _feed_forward(self, name: str, tokens: Tensor) -> Tensor:
        return self._linear(f"{name}.linear2", self._linear(f"{name}.linear1", tokens, then="gelu"))

    def _attention(self, name: str, query: Tensor, memory: Tensor) -> Tensor:
        q, (k, v) = self._linear(f"{name}.query", query), self._linear(f"{name}.memory", memory).chunk(2, dim=-1)
        q, k, v = (x.flatten(1, 2).unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(query.shape)
        return self._linear(f"{name}.out_proj", mixed)

    def _normalise(self, name: str, tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, (DIM,), *self.layers[name])

    def _linear(self, name: str, tokens: Tensor, then: str = "none") -> Tensor:
        # A 1x1 convolution, because torch's linear goes to MKL, at half of oneDNN's speed on AMD processors
        return self._convolve(name, tokens.permute(0, 3, 1, 2), then=then).permute(0, 2, 3, 1)


class TopiqFR(_Topiq):
    """Consistency of reconstructions with their ground truth; higher is better, published means are 1.7 to 2.9."""

    full_reference = True

    def encode(self, images: Any) -> Features:
        """Features of ground truths: uint8 RGB (H, W, 3) or (N, H, W, 3), tensor or array. Raises ValueError."""
        with _exact():
            return self._encode(images)

    def score(self, truth: Features, images: Any, order: str = "published") -> Any:
        """The score (float) of an image (H, W, 3), or a list of scores for (N, H, W, 3); uint8 RGB, tensor or array.

        truth: features of one ground truth for all the images, or of as many as there are images.
        order: TOPIQ FR is not symmetric. "published" has the ground truth as pyiqa's first argument (target), as for
        the published numbers; "pyiqa" has the reconstruction as the first, the ground truth as the second (ref).
        Raises ValueError for other types and sizes, ScoreError for a score that is not finite.
        """
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}, expected one of {', '.join(ORDERS)}")
        with _exact():
            features = self._encode(images)
            _check_pair(truth, features)
            first, second = (truth, features) if order == "published" else (features, truth)
            size = first.maps[-1].shape[2:]
            levels = range(len(CHANNELS))
            scores = self._regress([self._compare(i, first.maps[i], second.maps[i], size) for i in levels])
        return _finite(scores, images, "TOPIQ FR")

    def _compare(self, level: int, x: Tensor, y: Tensor, size: tuple[int, int]) -> Tensor:
        """Both maps (N or 1, C, H, W) and their distance, pooled with weights from the distance: (N, 3 C, h, w)."""
        shape = (max(x.shape[0], y.shape[0]), *x.shape[1:])
        distance = torch.empty(shape, device=x.device, memory_format=torch.channels_last)
        for rows in _bands(distance):
            torch.sub(x[:, :, rows], y[:, :, rows], out=distance[:, :, rows]).square_().add_(1e-12).sqrt_()
        weight = self._gate(level, distance)
        return torch.cat([_pool(each, weight, size) for each in (x, y, distance)], dim=1)


class TopiqNR(_Topiq):
    """Quality of images by themselves (perception); higher is better, published means are 1.2 to 3.7."""

    full_reference = False

    def score(self, images: Any) -> Any:
        """The score (float) of an image (H, W, 3), or a list of scores for (N, H, W, 3); uint8 RGB, tensor or array.

        Raises ValueError for other types, ScoreError for a score that is not finite.
        """
        with _exact():
            maps = self._encode(images).maps
            scores = self._regress([self._select(level, x, maps[-1].shape[2:]) for level, x in enumerate(maps)])
        return _finite(scores, images, "TOPIQ NR")

    def _select(self, level: int, x: Tensor, size: tuple[int, int]) -> Tensor:
        """One half of the split convolution, pooled with weights made from the other half: (N, C, h, w)."""
        weight = self._gate(level, x)
        return _pool(x, weight, size, lambda band: self._convolve(f"weight_pool.{level}.split", band, then="gelu"))


def _fuses(x: Tensor) -> bool:
    """Whether oneDNN can compute a convolution and what follows it in one pass: what torch.compile uses on a CPU."""
    here = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return here and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def _pool(
    x: Tensor, weight: Tensor, size: tuple[int, int], make: Callable[[Tensor], Tensor] = lambda rows: rows
) -> Tensor:
    """`make(x)` times `weight` (N, 1, H, W), averaged to `size` where it is larger both ways: (N, C, height, width).

    make: turns rows of `x` (N or 1, C, rows, W) into the rows to weigh.
    """
    if x.shape[2] <= size[0] or x.shape[3] <= size[1]:
        return make(x) * weight
    # Along the rows while the product is in the cache, then across the rows of the small result
    columns = []
    for rows in _bands(x):
        product = make(x[:, :, rows]) * weight[:, :, rows]
        columns.append(F.adaptive_avg_pool2d(product, (product.shape[2], size[1])))
    return F.adaptive_avg_pool2d(torch.cat(columns, dim=2), size)


def _bands(x: Tensor) -> Iterator[slice]:
    """The rows of a map (N, C, H, W) in groups of BAND_BYTES; all at once on a GPU, which has no such cache."""
    count, channels, height, width = x.shape
    step = max(1, BAND_BYTES // (4 * count * channels * width)) if x.device.type == "cpu" else height
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


@contextmanager
def _exact() -> Iterator[None]:
    """Inference in full float32 (cuDNN's own default is TF32); algorithms are timed once for each size of image."""
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
        yield


def _check_pair(truth: Features, features: Features) -> None:
    if truth.size != features.size:
        sizes = [f"{width}x{height}" for height, width in (truth.size, features.size)]
        raise ValueError(f"the ground truth is {sizes[0]}, the reconstruction {sizes[1]}; expected the same size")
    counts = truth.maps[0].shape[0], features.maps[0].shape[0]
    if counts[0] not in (1, counts[1]):
        raise ValueError(f"{counts[0]} ground truths for {counts[1]} images, expected 1 or as many")


def _finite(scores: Tensor, images: Any, metric: str) -> Any:
    values = scores.tolist()
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise ScoreError(f"{metric} is {value} for image {index + 1} of {len(values)}: the weights may be damaged")
    return values if len(images.shape) == 4 else values[0]
