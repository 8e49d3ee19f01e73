"""The networks of CDC with x-prediction (Yang and Mandt, NeurIPS 2023, arXiv 2209.06950), under its checkpoint's names.

Shapes are batch x channels x height x width. `width` is the channels of the finest level: 64 in the authors' files.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import softplus

FINEST = 1e-5  # added to a variance
LEAK = 0.2


class ChannelNorm(nn.Module):
    """Mean and variance over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(1, keepdim=True)
        return centred / (x.var(1, unbiased=False, keepdim=True) + FINEST).sqrt() * self.g + self.b


class Block(nn.Module):
    def __init__(self, inward: int, outward: int, kernel: int = 3) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(inward, outward, kernel, padding=kernel // 2), ChannelNorm(outward), nn.ReLU()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(x)


class ResnetBlock(nn.Module):
    def __init__(self, inward: int, outward: int, time: int | None = None, kernel: int = 3) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.LeakyReLU(LEAK), nn.Linear(time, outward)) if time else None
        self.block1, self.block2 = Block(inward, outward, kernel), Block(outward, outward)
        self.res_conv = nn.Conv2d(inward, outward, 1) if inward != outward else nn.Identity()

    def forward(self, x: torch.Tensor, time: torch.Tensor | None = None) -> torch.Tensor:
        hidden = self.block1(x)
        if self.mlp is not None:
            hidden = hidden + self.mlp(time)[:, :, None, None]
        return self.block2(hidden) + self.res_conv(x)


class Named(nn.Module):
    """A module under the name that the checkpoint has for it."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self._inner = name
        self.add_module(name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, self._inner)(x)


def down(inward: int) -> nn.Module:
    return Named("conv", nn.Conv2d(inward, inward, 3, 2, 1))


def up(inward: int, outward: int) -> nn.Module:
    return Named("conv", nn.ConvTranspose2d(inward, outward, 4, 2, 1))


class LinearAttention(nn.Module):
    """Attention whose cost grows with the pixels, not with their square: one head, as wide as the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.to_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (each.flatten(2) for each in self.to_qkv(x).chunk(3, 1))
        context = key.softmax(-1) @ value.transpose(1, 2)
        return self.to_out((context.transpose(1, 2) @ (query * x.shape[1] ** -0.5)).view_as(x))


class Attention(nn.Module):
    """What the checkpoint calls fn.norm and fn.fn, added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fn = nn.ModuleDict({"norm": ChannelNorm(channels), "fn": LinearAttention(channels)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.fn["fn"](self.fn["norm"](x))


class Layer(nn.Module):
    """A layer of the prior's chain: one affine map for each channel."""

    def __init__(self, channels: int, inward: int, outward: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 1, 1, inward, outward))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1, 1, outward))


class Prior(nn.Module):
    """The density of the hyper latents, one for each channel (Ballé et al., arXiv 1802.01436, appendix 6.1)."""

    widths = (1, 3, 3, 3, 1)

    def __init__(self, channels: int) -> None:
        super().__init__()
        pairs = list(zip(self.widths, self.widths[1:]))
        self.affine = nn.ModuleList(Layer(channels, *pair) for pair in pairs)
        self.a = nn.ParameterList(nn.Parameter(torch.zeros(channels, 1, 1, 1, outward)) for _, outward in pairs[:-1])
        self._medians = nn.Parameter(torch.zeros(1, channels, 1, 1))

    @property
    def medians(self) -> torch.Tensor:
        """1 x channels x 1 x 1: what is taken off before rounding."""
        return self._medians

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """The logits of the cumulative distribution. x: channels x values."""
        x = x[:, None, None, :].transpose(2, 3).unsqueeze(-1)  # channels x 1 x values x 1 x 1
        for place, layer in enumerate(self.affine):
            x = x @ softplus(layer.weight) + layer.bias
            if place < len(self.a):
                x = x + self.a[place].tanh() * x.tanh()
        return x[:, 0, :, 0, 0]


class Compressor(nn.Module):
    """Pictures to latents of a sixteenth of their sides, hyper latents of a 64th, and latents to the denoiser's
    context.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        coded = [3, *(width * factor for factor in (1, 2, 3, 4))]
        deepest = coded[-1]
        self.enc = nn.ModuleList(
            nn.ModuleList([ResnetBlock(inward, outward, kernel=3 if place else 7), down(outward)])
            for place, (inward, outward) in enumerate(zip(coded, coded[1:]))
        )
        back = [*coded[:0:-1], width]
        self.dec = nn.ModuleList(
            nn.ModuleList([ResnetBlock(inward, outward), up(outward, outward)])
            for inward, outward in zip(back, back[1:])
        )
        self.hyper_enc = nn.ModuleList(
            nn.ModuleList([nn.Conv2d(deepest, deepest, *shape), activation])
            for shape, activation in (
                ((3, 1, 1), nn.LeakyReLU(LEAK)),
                ((5, 2, 2), nn.LeakyReLU(LEAK)),
                ((5, 2, 2), nn.Identity()),
            )
        )
        self.hyper_dec = nn.ModuleList(
            [
                nn.ModuleList([nn.ConvTranspose2d(deepest, deepest, 5, 2, 2, 1), nn.LeakyReLU(LEAK)]),
                nn.ModuleList([nn.ConvTranspose2d(deepest, deepest, 5, 2, 2, 1), nn.LeakyReLU(LEAK)]),
                nn.ModuleList([nn.Conv2d(deepest, 2 * deepest, 3, 1, 1), nn.Identity()]),
            ]
        )
        self.prior = Prior(deepest)

    def latents(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents and hyper latents of pictures in [-1, 1], not rounded."""
        latent = _through(self.enc, x)
        return latent, _through(self.hyper_enc, latent)

    def distribution(self, hyper: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and scale of the latents, from rounded hyper latents."""
        mean, scale = _through(self.hyper_dec, hyper).chunk(2, 1)
        return mean, scale

    def context(self, latent: torch.Tensor) -> list[torch.Tensor]:
        """What the denoiser's levels get, the finest first."""
        found = []
        for pair in self.dec:
            latent = _through([pair], latent)
            found.append(latent)
        return found[::-1]


def _through(layers: Sequence[Sequence[nn.Module]], x: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        for part in layer:
            x = part(x)
    return x


class Denoiser(nn.Module):
    """A UNet of six levels; the context joins the first four. Its output is the picture, in [-1, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sides = [3, *(width * factor for factor in range(1, 7))]
        joined = [width, width, 2 * width, 3 * width, 0, 0]
        last = len(joined) - 1
        self.time_mlp = nn.Sequential(nn.Linear(1, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.downs = nn.ModuleList(
            nn.ModuleList(
                [
                    ResnetBlock(inward + joined[place], outward, width, 3 if place else 7),
                    ResnetBlock(outward, outward, width),
                    Attention(outward),
                    down(outward) if place < last else nn.Identity(),
                ]
            )
            for place, (inward, outward) in enumerate(zip(sides, sides[1:]))
        )
        deepest = sides[-1]
        self.mid_block1, self.mid_block2 = (ResnetBlock(deepest, deepest, width) for _ in range(2))
        self.mid_attn = Attention(deepest)
        self.ups = nn.ModuleList(
            nn.ModuleList(
                [
                    ResnetBlock(2 * outward, inward, width),
                    ResnetBlock(inward, inward, width),
                    Attention(inward),
                    up(inward, inward),
                ]
            )
            for inward, outward in list(zip(sides[1:], sides[2:]))[::-1]
        )
        self.final_conv = nn.Sequential(ChannelNorm(width), nn.Conv2d(width, 3, 7, padding=3))

    def forward(self, x: torch.Tensor, time: torch.Tensor, context: Sequence[torch.Tensor]) -> torch.Tensor:
        """time: batch x 1, in [0, 1)."""
        step = self.time_mlp(time)
        kept = []
        for place, (first, second, attention, smaller) in enumerate(self.downs):
            x = torch.cat([x, context[place]], 1) if place < len(context) else x
            x = attention(second(first(x, step), step))
            kept.append(x)
            x = smaller(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, step)), step)
        for first, second, attention, larger in self.ups:
            x = larger(attention(second(first(torch.cat([x, kept.pop()], 1), step), step)))
        return self.final_conv(x)


class Networks(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.denoise_fn, self.context_fn = Denoiser(width), Compressor(width)
