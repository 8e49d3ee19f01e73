"""DiffBIR's first stage: networks that clean a picture before diffusion. Their sizes are read off the weights.

Imports torch and timm: to be imported when work starts.
"""

from __future__ import annotations

import math
import re

import torch
from timm.models.swin_transformer import SwinTransformerBlock
from torch import nn
from torch.nn import functional as F

Sizes = dict[str, list[int]]
MEAN = (0.4488, 0.4371, 0.4040)  # of SwinIR's training pictures; not in its file
STRIP = 64  # rows of a picture that BSRNet's last layers enlarge at a time


class SwinIR(nn.Module):
    """SwinIR (arXiv 2108.10257) on eighths of the picture: 8x8 pixels become channels, and are enlarged at the end.

    (n, 3, h, w) from 0 to 1 -> the same; h and w multiples of 64.
    """

    MARK = "patch_embed.norm.weight"  # a name that only its files have
    enlarges = False

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, folded = sizes["conv_first.1.weight"][:2]
        features = sizes["conv_last.weight"][1]
        self.conv_first = nn.Sequential(nn.PixelUnshuffle(math.isqrt(folded // 3)), _conv(folded, width))
        self.patch_embed = nn.Module()
        self.patch_embed.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(ResidualSwin(sizes, f"layers.{i}.") for i in range(_count(sizes, "layers")))
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = _conv(width, width)
        self.conv_before_upsample = nn.Sequential(_conv(width, features), nn.LeakyReLU())
        self.ups = [name for name in ("conv_up1", "conv_up2", "conv_up3") if f"{name}.weight" in sizes]
        for name in self.ups:
            setattr(self, name, _conv(features, features))
        self.conv_hr, self.conv_last = _conv(features, features), _conv(features, 3)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        mean = picture.new_tensor(MEAN)[:, None, None]
        shallow = self.conv_first(picture - mean)
        deep = self.patch_embed.norm(shallow.permute(0, 2, 3, 1))
        for layer in self.layers:
            deep = layer(deep)
        deep = self.conv_after_body(self.norm(deep).permute(0, 3, 1, 2)) + shallow
        deep = self.conv_before_upsample(deep)
        for name in self.ups:
            deep = _leaky(getattr(self, name)(F.interpolate(deep, scale_factor=2, mode="nearest")))
        return self.conv_last(_leaky(self.conv_hr(deep))) + mean


class ResidualSwin(nn.Module):
    """A group of Swin blocks, every second one with shifted windows, and a convolution: (n, h, w, c) -> the same."""

    def __init__(self, sizes: Sizes, prefix: str) -> None:
        super().__init__()
        places, heads = sizes[f"{prefix}residual_group.blocks.0.attn.relative_position_bias_table"]
        hidden, width = sizes[f"{prefix}residual_group.blocks.0.mlp.fc1.weight"]
        window = (math.isqrt(places) + 1) // 2
        self.residual_group = nn.Module()
        self.residual_group.blocks = nn.ModuleList(
            SwinTransformerBlock(
                width,
                (window, window),
                heads,
                window_size=window,
                shift_size=window // 2 * (block % 2),
                always_partition=True,
                dynamic_mask=True,
                mlp_ratio=hidden / width,
            )
            for block in range(_count(sizes, f"{prefix}residual_group.blocks"))
        )
        self.conv = _conv(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        made = tokens
        for block in self.residual_group.blocks:
            made = block(made)
        return self.conv(made.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) + tokens


class BSRNet(nn.Module):
    """BSRGAN's network (arXiv 2103.14006), an RRDBNet (arXiv 1809.00219) that enlarges four times.

    (n, 3, h, w) from 0 to 1 -> (n, 3, 4 * h, 4 * w). The layers after each enlarging see few pixels around one, so they
    work on strips of the picture with those around them: the same numbers in a small part of the memory.
    """

    MARK = "RRDB_trunk.0.RDB1.conv1.weight"
    enlarges = True

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        features = sizes["conv_first.weight"][0]
        growth = sizes["RRDB_trunk.0.RDB1.conv1.weight"][0]
        self.conv_first = _conv(3, features)
        self.RRDB_trunk = nn.Sequential(*(RRDB(features, growth) for _ in range(_count(sizes, "RRDB_trunk"))))
        for name in ("trunk_conv", "upconv1", "upconv2", "HRconv"):
            setattr(self, name, _conv(features, features))
        self.conv_last = _conv(features, 3)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        features = self.conv_first(picture)
        features = features + self.trunk_conv(self.RRDB_trunk(features))
        return torch.cat([self._strip(features, top) for top in range(0, features.shape[2], STRIP)], dim=2)

    def _strip(self, features: torch.Tensor, top: int) -> torch.Tensor:
        around = 2  # rows: one at each of the sizes 2, 4, 4 and 4 times as large is 1.25 of these
        first, last = max(top - around, 0), min(top + STRIP + around, features.shape[2])
        strip = features[:, :, first:last]
        for layer in (self.upconv1, self.upconv2):
            strip = _leaky(layer(F.interpolate(strip, scale_factor=2, mode="nearest")))
        strip = self.conv_last(_leaky(self.HRconv(strip)))
        return strip[:, :, 4 * (top - first) :][:, :, : 4 * STRIP]


class RRDB(nn.Module):
    """Three dense blocks, each and all of them added at a fifth."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for name in ("RDB1", "RDB2", "RDB3"):
            setattr(self, name, DenseBlock(features, growth))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.RDB3(self.RDB2(self.RDB1(features))) * 0.2 + features


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees what all before it have made."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for place in range(5):
            setattr(self, f"conv{place + 1}", _conv(features + place * growth, growth if place < 4 else features))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        made = [features]
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            made.append(_leaky(layer(torch.cat(made, dim=1))))
        return self.conv5(torch.cat(made, dim=1)) * 0.2 + features


def _conv(inside: int, outside: int) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, padding=1)


def _leaky(features: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(features, 0.2, inplace=True)


def _count(sizes: Sizes, prefix: str) -> int:
    """How many numbered parts there are under a name."""
    found = (re.match(rf"{re.escape(prefix)}\.(\d+)\.", name) for name in sizes)
    return 1 + max(int(match[1]) for match in found if match)
