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
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import BadInput

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # ResNet-50: inner width and number of blocks of each stage
CHANNELS = (64, 256, 512, 1024, 2048)  # of the five feature maps, at 1/2 to 1/32 of the image's size
HIDDEN, DIM, HEADS, GRID = 64, 256, 4, 32  # of the pooling weights, of tokens, of attention, of position embeddings
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in [0, 1]
BAND_BYTES = 2 << 20  # of a feature map worked on at once: what is made of it then fits into a core's own cache
NORM = ("weight", "bias", "running_mean", "running_var")  # a batch norm's tensors in the checkpoint
ORDERS = ("published", "pyiqa")
UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError)
WRAPPERS = ("params", "params_ema", "state_dict")  # keys under which checkpoints keep their tensors, pyiqa's first

Layers = dict[str, tuple[Tensor, Tensor]]  # weight and bias by name


class WeightError(BadInput):
    """A file that does not hold the expected weights: the message names the file, what it holds and what it should."""


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


class _Topiq:
    """What both networks share: ResNet-50, the transformer, the regression. Keeps weights only, nothing of an image."""

    full_reference: bool

    def __init__(self, state: Mapping[str, Tensor], device: torch.device | str = "cpu") -> None:
        """`state` is what `read_weights` returns."""
        self.device = torch.device(device)
        layers = _backbone_layers(state) | _head_layers(state, self.full_reference)
        self.layers = {name: (self._place(weight), self._place(bias)) for name, (weight, bias) in layers.items()}
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
        x = self._convolve("conv1", x.contiguous(memory_format=torch.channels_last), stride=2).relu_()
        maps = [x]
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage, (_, blocks) in enumerate(STAGES, 1):
            for block in range(blocks):
                x = self._bottleneck(f"layer{stage}.{block}", x, stride=2 if stage > 1 and block == 0 else 1)
            maps.append(x)
        return Features(tuple(maps), (images.shape[1], images.shape[2]))

    def _bottleneck(self, name: str, x: Tensor, stride: int) -> Tensor:
        """ResNet's block in version 1.5: the 3x3 convolution has the stride."""
        y = self._convolve(f"{name}.conv1", x).relu_()
        y = self._convolve(f"{name}.conv2", y, stride).relu_()
        y = self._convolve(f"{name}.conv3", y)
        shortcut = f"{name}.downsample.0"
        return y.add_(self._convolve(shortcut, x, stride) if shortcut in self.layers else x).relu_()

    def _convolve(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight, bias = self.layers[name]
        return F.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2)

    def _gate(self, level: int, x: Tensor) -> Tensor:
        """The weight in (0, 1) of every place of a feature map: (N, C, H, W) -> (N, 1, H, W)."""
        x = F.gelu(self._convolve(f"weight_pool.{level}.0", x))
        x = F.gelu(self._convolve(f"weight_pool.{level}.2", x))
        return self._convolve(f"weight_pool.{level}.4", x).sigmoid_()

    def _regress(self, pooled: list[Tensor]) -> Tensor:
        """Scores (N,) from the pooled maps (N, C, h, w) of the five levels, finest first."""
        position = functools.cache(lambda size: F.interpolate(self.grid, size, mode="bicubic", align_corners=False))
        tokens = []
        for level, x in enumerate(pooled):
            x = F.gelu(self._convolve(f"dim_reduce.{level}.0", x)) + position(x.shape[2:])
            x = x.permute(0, 2, 3, 1).contiguous()
            tokens.append(self._self_attend(f"sa_attn_blks.{level}.layers.0", x))
        query = tokens[-1]
        for block, finer in enumerate(reversed(tokens[:-1])):
            query = self._cross_attend(f"attn_blks.{block}.layers.0", query, finer)
        x = self._self_attend("attn_pool", query).mean(dim=(1, 2), keepdim=True)
        for norm, linear in ((0, 1), (3, 4)):
            x = F.gelu(self._linear(f"score_linear.{linear}", self._normalise(f"score_linear.{norm}", x)))
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
        return self._linear(f"{name}.linear2", F.gelu(self._linear(f"{name}.linear1", tokens)))

    def _attention(self, name: str, query: Tensor, memory: Tensor) -> Tensor:
        q, (k, v) = self._linear(f"{name}.query", query), self._linear(f"{name}.memory", memory).chunk(2, dim=-1)
        q, k, v = (x.flatten(1, 2).unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(query.shape)
        return self._linear(f"{name}.out_proj", mixed)

    def _normalise(self, name: str, tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, (DIM,), *self.layers[name])

    def _linear(self, name: str, tokens: Tensor) -> Tensor:
        # A 1x1 convolution, because torch's linear goes to MKL, at half of oneDNN's speed on AMD processors
        return self._convolve(name, tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


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
        return _pool(x, weight, size, lambda band: F.gelu(self._convolve(f"weight_pool.{level}.split", band)))


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


def _backbone() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Of each convolution of ResNet-50: its name, the name of its batch norm, the shape of its kernel."""
    yield "conv1", "bn1", (64, 3, 7, 7)
    inputs = 64
    for stage, (width, blocks) in enumerate(STAGES, 1):
        for name in (f"layer{stage}.{block}" for block in range(blocks)):
            yield f"{name}.conv1", f"{name}.bn1", (width, inputs, 1, 1)
            yield f"{name}.conv2", f"{name}.bn2", (width, width, 3, 3)
            yield f"{name}.conv3", f"{name}.bn3", (4 * width, width, 1, 1)
            if name.endswith(".0"):
                yield f"{name}.downsample.0", f"{name}.downsample.1", (4 * width, inputs, 1, 1)
            inputs = 4 * width


def _expected(full_reference: bool) -> dict[str, tuple[int, ...]]:
    """The shapes of the checkpoint's tensors that inference needs, by name."""
    shapes: dict[str, tuple[int, ...]] = {"h_emb": (1, DIM // 2, GRID, 1), "w_emb": (1, DIM // 2, 1, GRID)}

    def layer(name: str, *shape: int) -> None:
        shapes[f"{name}weight"], shapes[f"{name}bias"] = shape, shape[:1]

    def transformer(name: str, attention: str, norms: int) -> None:
        layer(f"{name}.{attention}.in_proj_", 3 * DIM, DIM)
        layer(f"{name}.{attention}.out_proj.", DIM, DIM)
        layer(f"{name}.linear1.", 4 * DIM, DIM)
        layer(f"{name}.linear2.", DIM, 4 * DIM)
        for norm in range(1, norms + 1):
            layer(f"{name}.norm{norm}.", DIM)

    for conv, norm, shape in _backbone():
        shapes[f"semantic_model.{conv}.weight"] = shape
        shapes |= {f"semantic_model.{norm}.{part}": shape[:1] for part in NORM}
    for level, channels in enumerate(CHANNELS):
        gate = f"weight_pool.{level}" if full_reference else f"weight_pool.{level}.weight_blk"
        layer(f"{gate}.0.", HIDDEN, channels, 1, 1)
        layer(f"{gate}.2.", HIDDEN, HIDDEN, 3, 3)
        layer(f"{gate}.4.", 1, HIDDEN, 3, 3)
        if not full_reference:
            layer(f"weight_pool.{level}.splitconv.", 2 * channels, channels, 1, 1)
        layer(f"dim_reduce.{level}.0.", DIM, 3 * channels if full_reference else channels, 1, 1)
        transformer(f"sa_attn_blks.{level}.layers.0", "self_attn", norms=2)
        if level:
            transformer(f"attn_blks.{level - 1}.layers.0", "multihead_attn", norms=3)
    transformer("attn_pool", "self_attn", norms=2)
    for index, shape in {0: (DIM,), 1: (DIM, DIM), 3: (DIM,), 4: (DIM, DIM), 6: (1, DIM)}.items():
        layer(f"score_linear.{index}.", *shape)
    return shapes


def _unused() -> set[str]:
    """Names that pyiqa's checkpoints have and inference does not need."""
    parts = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    never_called = {f"attn_blks.{block}.layers.0.self_attn.{part}" for block in range(4) for part in parts}
    return never_called | {f"semantic_model.{norm}.num_batches_tracked" for _, norm, _ in _backbone()}


def _backbone_layers(state: Mapping[str, Tensor]) -> Layers:
    """ResNet-50's convolutions with their batch norms folded in, computed in float64 so that rounding happens once."""
    layers = {}
    for conv, norm, _ in _backbone():
        gain, bias, mean, variance = (state[f"semantic_model.{norm}.{part}"].double() for part in NORM)
        gain = gain / torch.sqrt(variance + 1e-5)
        weight = state[f"semantic_model.{conv}.weight"].double() * gain.view(-1, 1, 1, 1)
        layers[conv] = weight.float(), (bias - mean * gain).float()
    return layers


def _head_layers(state: Mapping[str, Tensor], full_reference: bool) -> Layers:
    """All other layers, linear ones as 1x1 convolutions."""
    layers: Layers = {}
    for name in _expected(full_reference):
        if name.startswith("semantic_model.") or not name.endswith("weight"):
            continue
        stem = name.removesuffix("weight")
        weight, bias = state[name].float(), state[f"{stem}bias"].float()
        weight = weight[:, :, None, None] if weight.dim() == 2 else weight
        if stem.endswith(".in_proj_"):
            attention = stem.removesuffix(".in_proj_")
            layers[f"{attention}.query"] = weight[:DIM], bias[:DIM]
            layers[f"{attention}.memory"] = weight[DIM:], bias[DIM:]
        else:
            layers[stem.removesuffix(".").replace(".weight_blk", "")] = weight, bias
    if not full_reference:
        for level, channels in enumerate(CHANNELS):
            name = f"weight_pool.{level}"
            weight, bias = layers.pop(f"{name}.splitconv")
            layers[f"{name}.split"] = weight[:channels], bias[:channels]
            layers[f"{name}.0"] = _compose((weight[channels:], bias[channels:]), layers[f"{name}.0"])
    return layers


def _compose(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Two 1x1 convolutions with nothing between them as one; it saves NR half of each split convolution."""
    pairs = ((weight.double().flatten(1), bias.double()) for weight, bias in (first, second))
    (inner, inner_bias), (outer, outer_bias) = pairs
    return (outer @ inner)[:, :, None, None].float(), (outer @ inner_bias + outer_bias).float()


def read_weights(path: Path | str, full_reference: bool) -> dict[str, Tensor]:
    """The tensors that inference needs from a checkpoint of pyiqa's format, by name and with the expected shapes.

    Raises WeightError for a file that is no checkpoint and for every missing, unexpected or wrongly shaped tensor;
    pyiqa skips such tensors without a word and scores with random ones.
    """
    kind = _kind(full_reference)
    state = _tensors(path, kind)
    problems = _problems(state, full_reference)
    if not problems:
        return {name: state[name] for name in _expected(full_reference)}
    if not _problems(state, not full_reference):
        raise WeightError(f"{path} holds the weights of {_kind(not full_reference)}, expected those of {kind}.")
    raise WeightError(f"{path} does not hold the weights of {kind} (CFANet with ResNet-50): {'; '.join(problems)}.")


def _kind(full_reference: bool) -> str:
    return "TOPIQ FR (full reference)" if full_reference else "TOPIQ NR (no reference)"


def _tensors(path: Path | str, kind: str) -> dict[str, Any]:
    """What a checkpoint holds by name, without wrapper and prefix. Never runs code from the file."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or error
        raise WeightError(f"{path} cannot be read ({reason}), expected the weights of {kind}.") from None
    except UNREADABLE as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        damaged = f"({Path(path).stat().st_size:,} bytes) is damaged or no PyTorch file"
        what = f"holds a Python object ({code[1]}) that may run code" if code else damaged
        raise WeightError(f"{path} {what}, expected the weights of {kind}: tensors, 140 MB or more.") from None
    if isinstance(found, Mapping):
        found = next((found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping)), found)
    if not isinstance(found, Mapping) or not found:
        raise WeightError(f"{path} holds a {type(found).__name__} without tensors, expected the weights of {kind}.")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def _problems(state: Mapping[str, Any], full_reference: bool) -> list[str]:
    """What keeps `state` from being used: each sort of problem with its first three names."""
    expected = _expected(full_reference)
    found = {name: _shape(state[name]) for name in expected if name in state}
    wrong = [name for name in found if found[name] != expected[name]]
    sorts = {
        "missing": [name for name in expected if name not in state],
        "unexpected": sorted(state.keys() - expected.keys() - _unused()),
        "of a wrong shape": [f"{name} {found[name]}, expected {expected[name]}" for name in wrong],
    }
    return [
        f"{len(names)} tensors {sort} ({'; '.join(names[:3])}{'; ...' * (len(names) > 3)})"
        for sort, names in sorts.items()
        if names
    ]


def _shape(value: Any) -> Any:
    """A floating-point tensor's shape; of anything else its type, which equals no shape."""
    if isinstance(value, Tensor):
        return tuple(value.shape) if value.is_floating_point() else value.dtype
    return type(value).__name__
