"""Checkpoints as latent diffusion's own code names them (.ckpt, .pth), read into diffusers' and transformers' modules.

The networks' sizes are read off the weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import sources
from ..._weights import empty, fill, read
from ...base import ModelError, first_line
from .._diffusers.loading import load_pipeline, quiet
from . import checkpoint, ldm_names
from .ldm_names import AT_AUTOENCODER, AT_TEXT, AT_UNET

if TYPE_CHECKING:
    import torch

Sizes = dict[str, list[int]]
HEAD = 64  # channels of an attention head in Stable Diffusion 2, its UNet, its ControlNets and its text encoder
PARTS = {AT_UNET: "unet", AT_AUTOENCODER: "vae", AT_TEXT: "text_encoder"}
INSIDE = ("state_dict",)
# Of a whole checkpoint: noise schedules, and averages kept for training
UNUSED = (r"(posterior|sqrt|log|alphas)_\w+|betas|logvar|lvlb_weights|scale_factor", r"model_ema\..*")


def control_config(sizes: Sizes, path: Path) -> dict[str, Any]:
    """The configuration of diffusers' ControlNetModel for a file's weights, whose names have no prefix.

    Raises ModelError for what is no control with the picture's latent beside the noisy one.
    """
    first = sizes.get("input_blocks.0.0.weight", [0, 0])
    if not {"zero_convs.0.0.weight", "middle_block_out.0.weight"} <= sizes.keys() or first[1] != 8:
        raise ModelError(
            f"{path} is no DiffBIR: it holds no ControlNet that takes 8 channels. Give another --model_dir."
        )
    with checkpoint.buildable(f"the sizes in {path} make"):
        return {**_way_down(sizes), "in_channels": 4}


def read_control(path: Path, config: dict[str, Any], dtype: torch.dtype) -> Any:
    """DiffBIR's ControlNet of such a configuration in `dtype`, each name accounted for. Raises ModelError.

    Its first layer takes the noisy latent and the picture's, side by side: as in a sum, one layer for each.
    """
    from diffusers import ControlNetModel
    from torch import nn

    def make() -> Any:
        control = ControlNetModel(**config)
        width = config["block_out_channels"][0]
        control.controlnet_cond_embedding = nn.Conv2d(4, width, 3, padding=1, bias=False)
        return control

    def convert(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        new = ldm_names.unet(name, config["layers_per_block"])
        if new == "conv_in.weight":
            yield new, tensor[:, :4]
            yield "controlnet_cond_embedding.weight", tensor[:, 4:]
        else:
            yield new, tensor

    with checkpoint.buildable(f"the sizes in {path} make"):
        control = empty(make)
    fill(control, read(path, INSIDE), convert=convert, source=path, dtype=dtype)
    return control


def text_width(sizes: Sizes) -> int:
    """How wide the text embeddings are that a UNet or a ControlNet of such sizes takes."""
    return next((size[1] for name, size in sizes.items() if name.endswith("attn2.to_k.weight")), 0)


def base_loader(
    name: str, what: str, control: dict[str, Any], predicts: str, tokenizer: str, dtype: torch.dtype
) -> tuple[Callable[[], dict[str, Any]], str | None]:
    """What reads tokenizer, text encoder, VAE and UNet of a Stable Diffusion 2 that `what` is put into, on the CPU,
    and its commit on the hub.

    name: of diffusers' layout a folder or a hub name; of one file its path or HUB_NAME/FILE, with the tokenizer in a
    folder of that name beside it, or from the hub name `tokenizer`. control: the configuration of the ControlNet.
    predicts: as `find_base` takes it; one file does not tell. Raises ModelError, for a base of another width before
    anything large is read.
    """
    import diffusers

    width, widths = control["cross_attention_dim"], control["block_out_channels"]
    source = sources.parse(name)
    path = Path(source.name)
    if not (path.is_file() or source.file):
        base = checkpoint.find_base(name, what, width, widths, predicts)
        return (
            lambda: (
                load_pipeline(
                    diffusers.StableDiffusionPipeline, base.name, dtype, base.offline, base.revision
                ).components
            ),
            base.revision,
        )
    if source.file:
        with checkpoint.of_base():
            path = checkpoint.File(source.file, source.name, False, source.revision).path()
    parts = _empty_base(path)
    checkpoint.check(name, what, "text embeddings {} wide", parts["text_encoder"].config.hidden_size, width)
    checkpoint.check(name, what, "a UNet {} wide", list(parts["unet"].config.block_out_channels), widths)
    words = _tokenizer(path, tokenizer, parts["text_encoder"].config.vocab_size)
    return lambda: {"tokenizer": words, **_fill_base(parts, path, dtype)}, sources.commit_of(path)


def _tokenizer(path: Path, hub: str, words: int) -> Any:
    from transformers import CLIPTokenizer

    local = path.parent / "tokenizer"
    remedy = f"{path.name} needs a tokenizer: put the folder tokenizer of {hub} beside it"
    try:
        with quiet("transformers"):
            if local.is_dir():
                found = CLIPTokenizer.from_pretrained(local)
            else:
                found = CLIPTokenizer.from_pretrained(hub, subfolder="tokenizer")
    except Exception as error:  # damage and no network come in many shapes
        raise ModelError(f"{remedy} ({first_line(error)}).") from error
    if len(found) != words:
        raise ModelError(f"{remedy} (this one knows {len(found)} tokens, and the text encoder {words}).")
    return found


def _empty_base(path: Path) -> dict[str, Any]:
    """UNet, VAE and text encoder for the sizes in one file. Raises ModelError for another kind of file."""

    parts: dict[str, Sizes] = {prefix: {} for prefix in PARTS}
    for name, size in checkpoint.sizes(path, INSIDE).items():
        for prefix in PARTS:
            if name.startswith(prefix):
                parts[prefix][name.removeprefix(prefix)] = size
    if lacking := [prefix for prefix, found in parts.items() if not found]:
        raise ModelError(f"{path} holds no {lacking[0].rstrip('.')}: it is no Stable Diffusion 2. Give another --base.")
    makers = {"unet": _unet, "vae": _vae, "text_encoder": _text}
    with checkpoint.buildable(f"the sizes in {path} make"):
        return {name: makers[name](parts[prefix]) for prefix, name in PARTS.items()}


def _fill_base(parts: dict[str, Any], path: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The parts, which are filled from their file, each name accounted for. Raises ModelError."""
    from torch import nn

    layers, levels = parts["unet"].config.layers_per_block, len(parts["vae"].config.block_out_channels)

    def convert(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        prefix = next((each for each in PARTS if name.startswith(each)), "")
        rest, made = name.removeprefix(prefix), [(name, tensor)]
        if prefix == AT_UNET:
            made = [(ldm_names.unet(rest, layers), tensor)]
        elif prefix == AT_AUTOENCODER:
            made = [ldm_names.autoencoder(rest, tensor, levels)]
        elif prefix == AT_TEXT:
            made = ldm_names.text(parts["text_encoder"], rest, tensor)
        for new, each in made:
            yield f"{PARTS[prefix]}.{new}" if prefix else new, each

    unused = [*UNUSED, ldm_names.unused_text(parts["text_encoder"].config.num_hidden_layers)]
    computed = [r".*position_ids"]
    whole = nn.ModuleDict(parts)
    fill(whole, read(path, INSIDE), convert=convert, drop=unused, computed=computed, source=path, dtype=dtype)
    return parts


def _way_down(sizes: Sizes) -> dict[str, Any]:
    """What the first half of a UNet tells: diffusers' names of a configuration."""
    levels: list[list[int]] = [[]]
    attends = [False]
    count = 1 + max(int(match[1]) for match in (re.match(r"input_blocks\.(\d+)\.", name) for name in sizes) if match)
    for place in range(1, count):
        if f"input_blocks.{place}.0.op.weight" in sizes:
            levels.append([])
            attends.append(False)
            continue
        levels[-1].append(sizes[f"input_blocks.{place}.0.out_layers.3.weight"][0])
        attends[-1] = attends[-1] or f"input_blocks.{place}.1.norm.weight" in sizes
    channels = [level[-1] for level in levels]
    return {
        "block_out_channels": channels,
        "layers_per_block": len(levels[0]),
        "down_block_types": ["CrossAttnDownBlock2D" if each else "DownBlock2D" for each in attends],
        "attention_head_dim": [width // HEAD for width in channels],  # diffusers' name for the number of heads
        "cross_attention_dim": text_width(sizes),
        "use_linear_projection": len(sizes["middle_block.1.proj_in.weight"]) == 2,
    }


def _unet(sizes: Sizes) -> Any:
    from diffusers import UNet2DConditionModel

    down = _way_down(sizes)
    ups = ["CrossAttnUpBlock2D" if "Cross" in each else "UpBlock2D" for each in reversed(down["down_block_types"])]
    return empty(lambda: UNet2DConditionModel(**down, up_block_types=ups))


def _vae(sizes: Sizes) -> Any:
    from diffusers import AutoencoderKL

    found = [re.match(r"encoder\.down\.(\d+)\.block\.(\d+)\.conv2\.weight", name) for name in sizes]
    last = {int(match[1]): int(match[2]) for match in found if match}
    channels = [sizes[f"encoder.down.{level}.block.0.conv2.weight"][0] for level in sorted(last)]
    count = len(channels)
    return empty(
        lambda: AutoencoderKL(
            block_out_channels=channels,
            down_block_types=["DownEncoderBlock2D"] * count,
            up_block_types=["UpDecoderBlock2D"] * count,
            layers_per_block=max(last.values()) + 1,
            sample_size=512,  # px of --vae_tiling's tiles
        )
    )


def _text(sizes: Sizes) -> Any:
    """The text encoder without its last layer: Stable Diffusion 2 takes what comes out of the last but one."""
    from transformers import CLIPTextConfig, CLIPTextModel

    places = [re.match(r"transformer\.resblocks\.(\d+)\.", name) for name in sizes]
    width = sizes["ln_final.weight"][0]
    config = CLIPTextConfig(
        vocab_size=sizes["token_embedding.weight"][0],
        hidden_size=width,
        intermediate_size=sizes["transformer.resblocks.0.mlp.c_fc.weight"][0],
        num_hidden_layers=max(int(match[1]) for match in places if match),
        num_attention_heads=width // HEAD,
        max_position_embeddings=sizes["positional_embedding"][0],
        hidden_act="gelu",
    )
    return empty(lambda: CLIPTextModel(config))
