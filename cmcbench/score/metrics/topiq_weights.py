"""The weights of TOPIQ: what a checkpoint of pyiqa's CFANet with ResNet-50 must hold, and the layers made of it.

A checkpoint from a stranger runs no code, and one that lacks a tensor is refused.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import BadInput

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # ResNet-50: inner width and number of blocks of each stage
CHANNELS = (64, 256, 512, 1024, 2048)  # of the five feature maps, at 1/2 to 1/32 of the image's size
HIDDEN, DIM, GRID = 64, 256, 32  # channels of the pooling weights and of tokens, side of the position embeddings
NORM = ("weight", "bias", "running_mean", "running_var")  # a batch norm's tensors in the checkpoint
UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError)
WRAPPERS = ("params", "params_ema", "state_dict")  # keys under which checkpoints keep their tensors, pyiqa's first

Layers = dict[str, tuple[Tensor, Tensor]]  # weight and bias by name


class WeightError(BadInput):
    """A file that does not hold the expected weights: the message names the file, what it holds and what it should."""


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


def expected_shapes(full_reference: bool) -> dict[str, tuple[int, ...]]:
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


def unused_names() -> set[str]:
    """Names that pyiqa's checkpoints have and inference does not need."""
    parts = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    never_called = {f"attn_blks.{block}.layers.0.self_attn.{part}" for block in range(4) for part in parts}
    return never_called | {f"semantic_model.{norm}.num_batches_tracked" for _, norm, _ in _backbone()}


def read_weights(path: Path | str, full_reference: bool) -> dict[str, Tensor]:
    """The tensors that inference needs from a checkpoint of pyiqa's format, by name and with the expected shapes.

    Raises WeightError for a file that is no checkpoint and for every missing, unexpected or wrongly shaped tensor;
    pyiqa skips such tensors without a word and scores with random ones.
    """
    kind = _kind(full_reference)
    state = _tensors(path, kind)
    problems = _problems(state, full_reference)
    if not problems:
        return {name: state[name] for name in expected_shapes(full_reference)}
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
    expected = expected_shapes(full_reference)
    found = {name: _shape(state[name]) for name in expected if name in state}
    wrong = [name for name in found if found[name] != expected[name]]
    sorts = {
        "missing": [name for name in expected if name not in state],
        "unexpected": sorted(state.keys() - expected.keys() - unused_names()),
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


def fold(state: Mapping[str, Tensor], full_reference: bool) -> Layers:
    """The layers of inference (all convolutions, and norms over tokens) from what `read_weights` returns."""
    return _backbone_layers(state) | _head_layers(state, full_reference)


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
    for name in expected_shapes(full_reference):
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
