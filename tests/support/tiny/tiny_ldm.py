"""Names and sizes of networks' weights as latent diffusion's own code has them, and random weights of such sizes."""

from __future__ import annotations

import torch


def resblock(name: str, inside: int, outside: int, time: int) -> dict[str, tuple[int, ...]]:
    """Names and sizes of a residual block of latent diffusion's UNet."""
    made = {
        "in_layers.0": (inside,),
        "in_layers.2": (outside, inside, 3, 3),
        "emb_layers.1": (outside, time),
        "out_layers.0": (outside,),
        "out_layers.3": (outside, outside, 3, 3),
    }
    if inside != outside:
        made["skip_connection"] = (outside, inside, 1, 1)
    return _layers(name, made)


def spatial(name: str, width: int, text: int) -> dict[str, tuple[int, ...]]:
    """Names and sizes of a transformer of latent diffusion's UNet, as Stable Diffusion 2 has it."""
    block = "transformer_blocks.0"
    made = {"norm": (width,), "proj_in": (width, width), "proj_out": (width, width)}
    made |= {f"{block}.norm{i}": (width,) for i in (1, 2, 3)}
    made |= {f"{block}.ff.net.0.proj": (8 * width, width), f"{block}.ff.net.2": (width, 4 * width)}
    sizes = _layers(name, made)
    for attention, inside in (("attn1", width), ("attn2", text)):
        for part, size in (("to_q", width), ("to_k", inside), ("to_v", inside)):
            sizes[f"{name}.{block}.{attention}.{part}.weight"] = (width, size)
        sizes |= _layers(f"{name}.{block}.{attention}", {"to_out.0": (width, width)})
    return sizes


def way_down(inside: int, channels: tuple[int, ...], text: int, layers: int) -> tuple[dict, list[int]]:
    """Names and sizes of a UNet's way down and middle, `layers` blocks a level, and the channels of what goes across.

    The last level has no attention.
    """
    width, time = channels[0], 4 * channels[0]
    sizes = _layers("", {"time_embed.0": (time, width), "time_embed.2": (time, time)})
    sizes |= _layers("input_blocks.0", {"0": (width, inside, 3, 3)})
    across, place = [width], 0
    for level, outside in enumerate(channels):
        for _ in range(layers):
            place += 1
            sizes |= resblock(f"input_blocks.{place}.0", width, outside, time)
            sizes |= spatial(f"input_blocks.{place}.1", outside, text) if level < len(channels) - 1 else {}
            across.append(outside)
            width = outside
        if level < len(channels) - 1:
            place += 1
            sizes |= _layers(f"input_blocks.{place}.0", {"op": (width, width, 3, 3)})
            across.append(width)
    for part in (0, 2):
        sizes |= resblock(f"middle_block.{part}", width, width, time)
    return sizes | spatial("middle_block.1", width, text), across


def ldm_control(channels: tuple[int, ...], text: int, layers: int = 1) -> dict[str, tuple[int, ...]]:
    """Names and sizes of DiffBIR's ControlNet."""
    sizes, across = way_down(8, channels, text, layers)
    for place, width in enumerate(across):
        sizes |= _layers(f"zero_convs.{place}", {"0": (width, width, 1, 1)})
    return sizes | _layers("middle_block_out", {"0": (channels[-1], channels[-1], 1, 1)})


def ldm_unet(channels: tuple[int, ...], text: int, layers: int = 1) -> dict[str, tuple[int, ...]]:
    """Names and sizes of a whole UNet."""
    sizes, across = way_down(4, channels, text, layers)
    width, time, place = channels[-1], 4 * channels[0], 0
    for level in reversed(range(len(channels))):
        for number in range(layers + 1):
            sizes |= resblock(f"output_blocks.{place}.0", width + across.pop(), channels[level], time)
            width = channels[level]
            attends = level < len(channels) - 1
            sizes |= spatial(f"output_blocks.{place}.1", width, text) if attends else {}
            if level and number == layers:
                sizes |= _layers(f"output_blocks.{place}.{1 + attends}", {"conv": (width, width, 3, 3)})
            place += 1
    return sizes | _layers("out", {"0": (width,), "2": (4, width, 3, 3)})


def ldm_vae(width: int, levels: int) -> dict[str, tuple[int, ...]]:
    """Names and sizes of a VAE, one width at all levels."""

    def block(name: str) -> dict[str, tuple[int, ...]]:
        convs = {f"conv{i}": (width, width, 3, 3) for i in (1, 2)}
        return _layers(name, {**convs, "norm1": (width,), "norm2": (width,)})

    sizes = _layers("", {"quant_conv": (8, 8, 1, 1), "post_quant_conv": (4, 4, 1, 1)})
    ends = {"encoder": (3, 8), "decoder": (4, 3)}
    for half, (inside, outside) in ends.items():
        made = {"conv_in": (width, inside, 3, 3), "norm_out": (width,), "conv_out": (outside, width, 3, 3)}
        made |= {f"mid.attn_1.{part}": (width, width, 1, 1) for part in ("q", "k", "v", "proj_out")}
        sizes |= _layers(half, {**made, "mid.attn_1.norm": (width,)})
        sizes |= block(f"{half}.mid.block_1") | block(f"{half}.mid.block_2")
    for level in range(levels):
        sizes |= block(f"encoder.down.{level}.block.0")
        sizes |= block(f"decoder.up.{level}.block.0") | block(f"decoder.up.{level}.block.1")
        conv = {"conv": (width, width, 3, 3)}
        sizes |= _layers(f"encoder.down.{level}.downsample", conv) if level < levels - 1 else {}
        sizes |= _layers(f"decoder.up.{level}.upsample", conv) if level else {}
    return sizes


def ldm_text(width: int, layers: int, words: int) -> dict[str, tuple[int, ...]]:
    """Names and sizes of OpenCLIP's text encoder. Stable Diffusion 2 leaves the last layer out."""
    sizes = _layers("", {"ln_final": (width,)})
    sizes |= {"token_embedding.weight": (words, width), "positional_embedding": (77, width)}
    sizes |= {"text_projection": (width, width), "logit_scale": ()}
    for layer in range(layers):
        name = f"transformer.resblocks.{layer}"
        made = {"ln_1": (width,), "ln_2": (width,), "attn.out_proj": (width, width)}
        sizes |= _layers(name, {**made, "mlp.c_fc": (4 * width, width), "mlp.c_proj": (width, 4 * width)})
        sizes |= {f"{name}.attn.in_proj_weight": (3 * width, width), f"{name}.attn.in_proj_bias": (3 * width,)}
    return sizes


def swinir(width: int, groups: int, blocks: int) -> dict[str, tuple[int, ...]]:
    """Names and sizes of DiffBIR's SwinIR, six heads."""
    sizes = _layers("", {"conv_first.1": (width, 192, 3, 3), "patch_embed.norm": (width,), "norm": (width,)})
    sizes |= _layers("", {"conv_after_body": (width, width, 3, 3), "conv_before_upsample.0": (64, width, 3, 3)})
    sizes |= _layers("", dict.fromkeys(("conv_up1", "conv_up2", "conv_up3", "conv_hr"), (64, 64, 3, 3)))
    sizes |= _layers("", {"conv_last": (3, 64, 3, 3)})
    for group in range(groups):
        sizes |= _layers(f"layers.{group}", {"conv": (width, width, 3, 3)})
        for block in range(blocks):
            name = f"layers.{group}.residual_group.blocks.{block}"
            made = {"norm1": (width,), "norm2": (width,), "attn.qkv": (3 * width, width), "attn.proj": (width, width)}
            sizes |= _layers(name, {**made, "mlp.fc1": (2 * width, width), "mlp.fc2": (width, 2 * width)})
            sizes[f"{name}.attn.relative_position_bias_table"] = (15 * 15, 6)
            sizes[f"{name}.attn.relative_position_index"] = (64, 64)
            if block % 2:
                sizes[f"{name}.attn_mask"] = (64, 64, 64)
    return sizes


def bsrnet(features: int, blocks: int, growth: int) -> dict[str, tuple[int, ...]]:
    """Names and sizes of BSRNet."""
    inner = ("trunk_conv", "upconv1", "upconv2", "HRconv")
    sizes = _layers("", dict.fromkeys(inner, (features, features, 3, 3)))
    sizes |= _layers("", {"conv_first": (features, 3, 3, 3), "conv_last": (3, features, 3, 3)})
    for block in range(blocks):
        for dense in ("RDB1", "RDB2", "RDB3"):
            for place in range(5):
                size = (growth if place < 4 else features, features + place * growth, 3, 3)
                sizes |= _layers(f"RRDB_trunk.{block}.{dense}", {f"conv{place + 1}": size})
    return sizes


def filled(sizes: dict[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    """Random weights of such sizes: layers keep the scale of what goes through them, norms are about 1."""
    source, made = torch.Generator().manual_seed(seed), {}
    for name, size in sizes.items():
        noise = torch.randn(size, generator=source)
        if len(size) > 1:
            made[name] = noise / max(1, noise[0].numel()) ** 0.5
        else:
            made[name] = 0.1 * noise + (name.endswith("weight") or not size)
    return made


def _layers(name: str, weights: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Weights of layers under `name`, and their biases, as long as a weight's first side."""
    before = f"{name}." if name else ""
    made = {f"{before}{layer}.weight": size for layer, size in weights.items()}
    return made | {f"{before}{layer}.bias": size[:1] for layer, size in weights.items()}
