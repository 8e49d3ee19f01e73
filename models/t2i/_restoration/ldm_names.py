"""The names of the latent-diffusion code's checkpoints (CompVis, Stability AI; MIT), as diffusers and transformers have
them: Stable Diffusion 2. A name that is none of theirs stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

AT_UNET, AT_AUTOENCODER = "model.diffusion_model.", "first_stage_model."  # what stands before names in a whole file
AT_TEXT = "cond_stage_model.model."
RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",  # the UNet's
    "nin_shortcut": "conv_shortcut",  # the autoencoder's
}
UNET = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "middle_block.0": "mid_block.resnets.0",
    "middle_block.1": "mid_block.attentions.0",
    "middle_block.2": "mid_block.resnets.1",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
    "middle_block_out.0": "controlnet_mid_block",
}
AUTOENCODER = {
    "mid.block_1": "mid_block.resnets.0",
    "mid.block_2": "mid_block.resnets.1",
    "mid.attn_1": "mid_block.attentions.0",
    "norm_out": "conv_norm_out",
}
ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
TEXT = {
    "token_embedding": "embeddings.token_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final": "final_layer_norm",
}
TEXT_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


def resnet(name: str) -> str:
    """The name of a resnet's parameter, of the UNet's or the autoencoder's kind, without what stands before it."""
    return _begun(name, RESNET)


def unet(name: str, layers: int = 2) -> str:
    """The name of a UNet's parameter, or a ControlNet's, without AT_UNET before it.

    layers: resnets a level; the way up has one more.
    """
    if found := re.fullmatch(r"zero_convs\.(\d+)\.0\.(.+)", name):
        return f"controlnet_down_blocks.{found[1]}.{found[2]}"
    if found := re.fullmatch(r"(input|output)_blocks\.(\d+)\.(\d)\.(.+)", name):
        side, number, part, rest = found[1], int(found[2]), int(found[3]), found[4]
        if side == "input" and number > 0:
            level, place = divmod(number - 1, layers + 1)
            if place == layers:
                return f"down_blocks.{level}.downsamplers.0.{rest.replace('op.', 'conv.')}"
            return f"down_blocks.{level}.{_layer(part, place, rest)}"
        if side == "output":
            level, place = divmod(number, layers + 1)
            if rest.startswith("conv."):
                return f"up_blocks.{level}.upsamplers.0.{rest}"
            return f"up_blocks.{level}.{_layer(part, place, rest)}"
    new = _begun(name, UNET)
    if found := re.fullmatch(r"(mid_block\.resnets\.\d)\.(.+)", new):
        return f"{found[1]}.{resnet(found[2])}"
    return new


def autoencoder(name: str, tensor: torch.Tensor, levels: int) -> tuple[str, torch.Tensor]:
    """The name of an autoencoder's parameter, without AT_AUTOENCODER before it, and the parameter.

    levels: of the autoencoder, which the way up counts from the other end. Its attention's 1x1 convolutions become the
    matrices that they are.
    """
    half, _, inner = name.partition(".")
    if half not in ("encoder", "decoder"):
        return name, tensor
    if found := re.fullmatch(r"(down|up)\.(\d+)\.(.+)", inner):
        level = int(found[2]) if found[1] == "down" else levels - 1 - int(found[2])
        rest = re.sub(r"^block\.(\d+)\.(.+)", lambda block: f"resnets.{block[1]}.{resnet(block[2])}", found[3])
        rest = re.sub(r"^(down|up)sample\.", r"\1samplers.0.", rest)
        return f"{half}.{found[1]}_blocks.{level}.{rest}", tensor
    new = _begun(inner, AUTOENCODER)
    if new.startswith("mid_block.resnets."):
        new = f"{new[:19]}.{resnet(new[20:])}"
    elif new.startswith("mid_block.attentions.0."):
        new = "mid_block.attentions.0." + _begun(new.removeprefix("mid_block.attentions.0."), ATTENTION)
        tensor = tensor.flatten(1) if tensor.ndim > 2 else tensor
    return f"{half}.{new}", tensor


def text(encoder: Any, name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """What becomes of a parameter of OpenCLIP's text encoder, without AT_TEXT before its name, in transformers' one.

    q, k and v of a layer come apart.
    """
    # Some releases of transformers keep the encoder in an attribute
    inner = "text_model." if hasattr(encoder, "text_model") else ""
    found = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", name)
    if not found:
        yield inner + _begun(name, TEXT), tensor
        return
    layer = f"{inner}encoder.layers.{found[1]}"
    if packed := re.fullmatch(r"attn\.in_proj_(weight|bias)", found[2]):
        for part, each in zip("qkv", tensor.chunk(3)):
            yield f"{layer}.self_attn.{part}_proj.{packed[1]}", each
    else:
        yield f"{layer}.{_begun(found[2], TEXT_LAYER)}", tensor


def unused_text(layers: int) -> str:
    """A pattern of the names, AT_TEXT included, that a text encoder of so many layers leaves out.

    Stable Diffusion 2 takes what comes out of the last but one, and no similarity to pictures.
    """
    beside = r"cond_stage_model\.(model\.)?(logit_scale|text_projection|attn_mask|visual\..+)"
    return rf"{beside}|{re.escape(AT_TEXT)}transformer\.resblocks\.{layers}\..+"


def _layer(part: int, place: int, rest: str) -> str:
    return f"resnets.{place}.{resnet(rest)}" if part == 0 else f"attentions.{place}.{rest}"


def _begun(name: str, renames: dict[str, str]) -> str:
    """`name` with its beginning renamed, where a whole part of it is in `renames`."""
    for old, new in renames.items():
        if name == old or name.startswith(old + "."):
            return new + name[len(old) :]
    return name
