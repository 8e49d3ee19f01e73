"""Checkpoints as latent diffusion's own code names them (.ckpt, .pth), read into diffusers' and transformers' modules.

The networks' sizes are read off the weights. diffusers' converters leave out what they do not know without a word, so
that what they have asked for is written down, and the rest is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import sources
from ..._weights import empty, fill, read
from ...base import ModelError, first_line
from .._diffusers.loading import load_pipeline
from . import checkpoint

if TYPE_CHECKING:
    import torch

Sizes = dict[str, list[int]]
HEAD = 64  # channels of an attention head in Stable Diffusion 2, its UNet, its ControlNets and its text encoder
UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.model."
INSIDE = ("state_dict",)
# Of a whole checkpoint: noise schedules, averages kept for training, and what only similarity to pictures needs
UNUSED = (
    r"(posterior|sqrt|log|alphas)_\w+|betas|logvar|lvlb_weights|scale_factor",
    r"model_ema\..*",
    r"cond_stage_model\.(model\.)?(logit_scale|text_projection|attn_mask|visual\..*)",
)


class Asked(dict):
    """A dictionary of tensors that keeps which were asked for, by whatever reads it."""

    def __init__(self, *entries: Any) -> None:
        super().__init__(*entries)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default

    def left(self, made: dict[str, torch.Tensor], copies: bool) -> list[str]:
        """Names that were not asked for; where nothing `copies`, also those whose numbers are in nothing `made`."""
        if copies:
            return [name for name in self if name not in self.names]
        there = {value.data_ptr() for value in made.values()}
        return [name for name, value in self.items() if name not in self.names or value.data_ptr() not in there]


def control_config(sizes: Sizes, path: Path) -> dict[str, Any]:
    """The configuration of diffusers' ControlNetModel for a file's weights, whose names have no prefix.

    Raises ModelError for what is no control with the picture's latent beside the noisy one.
    """
    first = sizes.get("input_blocks.0.0.weight", [0, 0])
    if not {"zero_convs.0.0.weight", "middle_block_out.0.weight"} <= sizes.keys() or first[1] != 8:
        raise ModelError(
            f"{path} is no DiffBIR: it holds no ControlNet that takes 8 channels. Give another --model_dir."
        )
    return {**_way_down(sizes), "in_channels": 4}


def read_control(path: Path, sizes: Sizes, dtype: torch.dtype) -> Any:
    """DiffBIR's ControlNet in `dtype`, each name accounted for. Raises ModelError.

    Its first layer takes the noisy latent and the picture's, side by side: as in a sum, one layer for each.
    """
    from diffusers import ControlNetModel
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
    from torch import nn

    config = control_config(sizes, path)
    width = config["block_out_channels"][0]

    def make() -> Any:
        control = ControlNetModel(**config)
        control.controlnet_cond_embedding = nn.Conv2d(4, width, 3, padding=1, bias=False)
        return control

    def split(weights: Asked) -> dict[str, torch.Tensor]:
        made = convert_controlnet_checkpoint(weights, config)
        both = made["conv_in.weight"]
        return {**made, "conv_in.weight": both[:, :4], "controlnet_cond_embedding.weight": both[:, 4:]}

    control = empty(make)
    _fill(control, Asked(read(path, INSIDE)), split, path, dtype)
    return control


def text_width(sizes: Sizes) -> int:
    """How wide the text embeddings are that a UNet or a ControlNet of such sizes takes."""
    return next((size[1] for name, size in sizes.items() if name.endswith("attn2.to_k.weight")), 0)


def base_loader(name: str, width: int, what: str, tokenizer: str, dtype: torch.dtype) -> Callable[[], dict[str, Any]]:
    """What reads tokenizer, text encoder, VAE and UNet of a Stable Diffusion 2 that `what` is put into, on the CPU.

    name: of diffusers' layout a folder or a hub name; of one file its path or HUB_NAME/FILE, with the tokenizer in a
    folder of that name beside it, or from the hub name `tokenizer`. width: of text embeddings that `what` takes.
    Raises ModelError, for a base of another width before anything large is read.
    """
    import diffusers

    source = sources.parse(name)
    if not (Path(source.name).is_file() or source.file):
        base = checkpoint.find_base(name, width, what)
        pipeline = diffusers.StableDiffusionPipeline
        return lambda: load_pipeline(pipeline, base.name, dtype, base.offline, base.revision).components
    path = Path(source.name)
    if source.file:
        path = checkpoint.File(source.file, source.name, False, source.revision).path()
    found = checkpoint.sizes(path, INSIDE).get(f"{TEXT}ln_final.weight")
    if found:  # else another kind of file, which reading tells
        checkpoint.check_width(name, found[0], width, what)
    return lambda: {"tokenizer": _tokenizer(path, tokenizer), **read_base(path, dtype)}


def _tokenizer(path: Path, hub: str) -> Any:
    from transformers import CLIPTokenizer

    local = path.parent / "tokenizer"
    try:
        if local.is_dir():
            return CLIPTokenizer.from_pretrained(local)
        return CLIPTokenizer.from_pretrained(hub, subfolder="tokenizer")
    except Exception as error:  # damage and no network come in many shapes
        raise ModelError(
            f"{path.name} needs a tokenizer: put the folder tokenizer of {hub} beside it ({first_line(error)})."
        ) from error


def read_base(path: Path, dtype: torch.dtype) -> dict[str, Any]:
    """UNet, VAE and text encoder of a Stable Diffusion 2 in one file. Raises ModelError for another kind of file."""
    from diffusers.loaders import single_file_utils as convert

    unused = "|".join(UNUSED)
    weights = {name: value for name, value in read(path, INSIDE) if not re.fullmatch(unused, name)}
    parts = {prefix: Asked((n, v) for n, v in weights.items() if n.startswith(prefix)) for prefix in (UNET, VAE, TEXT)}
    if lacking := [prefix for prefix, found in parts.items() if not found]:
        raise ModelError(f"{path} holds no {lacking[0].rstrip('.')}: it is no Stable Diffusion 2. Give another --base.")
    if strange := [name for name in weights if not name.startswith((UNET, VAE, TEXT))]:
        raise ModelError(f"{path} has, beyond a Stable Diffusion 2, {len(strange)} ({', '.join(strange[:5])}).")
    unet, vae = _unet(_sizes(parts[UNET], UNET)), _vae(_sizes(parts[VAE], VAE))
    text = _text(parts[TEXT])
    _fill(unet, parts[UNET], lambda found: convert.convert_ldm_unet_checkpoint(found, unet.config), path, dtype)
    _fill(vae, parts[VAE], lambda found: convert.convert_ldm_vae_checkpoint(found, vae.config), path, dtype)
    names = set(text.state_dict())

    def text_names(found: Asked) -> dict[str, torch.Tensor]:
        made = convert.convert_open_clip_checkpoint(text, found, TEXT)
        # transformers 5 has dropped a level of names, which the converter still writes
        return {name if name in names else name.removeprefix("text_model."): value for name, value in made.items()}

    _fill(text, parts[TEXT], text_names, path, dtype, copies=True)
    return {"unet": unet, "vae": vae, "text_encoder": text}


def _fill(
    module: Any,
    weights: Asked,
    convert: Callable[[Asked], dict[str, Any]],
    path: Path,
    dtype: torch.dtype,
    copies: bool = False,
) -> None:
    """Fill a module from converted weights. Raises ModelError also for weights that the converter has left out.

    copies: the converter makes new tensors of some; others hand them on, or views from their first number.
    """
    try:
        made = {name: value for name, value in convert(weights).items() if value is not None}
    except (KeyError, IndexError, AttributeError) as error:
        raise ModelError(f"{path} lacks {error}: it is incomplete or another version, fetch it again.") from error
    if left := weights.left(made, copies):
        raise ModelError(
            f"{path} has, beyond this model's, {len(left)} ({', '.join(left[:5])}): it is another version."
        )
    fill(module, made.items(), source=path, dtype=dtype, computed=[r".*position_ids"])


def _sizes(weights: dict[str, torch.Tensor], prefix: str) -> Sizes:
    return {name.removeprefix(prefix): list(value.shape) for name, value in weights.items()}


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
        )
    )


def _text(weights: Asked) -> Any:
    """The text encoder without its last layer: Stable Diffusion 2 takes what comes out of the last but one."""
    from transformers import CLIPTextConfig, CLIPTextModel

    sizes = _sizes(weights, TEXT)
    places = [re.match(r"transformer\.resblocks\.(\d+)\.", name) for name in sizes]
    layers = max(int(match[1]) for match in places if match)
    for name in [name for name in weights if name.startswith(f"{TEXT}transformer.resblocks.{layers}.")]:
        del weights[name]
    width = sizes["ln_final.weight"][0]
    config = CLIPTextConfig(
        vocab_size=sizes["token_embedding.weight"][0],
        hidden_size=width,
        intermediate_size=sizes["transformer.resblocks.0.mlp.c_fc.weight"][0],
        num_hidden_layers=layers,
        num_attention_heads=width // HEAD,
        max_position_embeddings=sizes["positional_embedding"][0],
        hidden_act="gelu",
    )
    return empty(lambda: CLIPTextModel(config))
