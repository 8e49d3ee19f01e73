"""StableSR's networks (Wang et al., IJCV 2024, arXiv 2305.07015), as additions to diffusers' UNet and autoencoder.

A structure encoder looks at the reference's latent and at the time; a SPADE in each of the UNet's resnets lets its maps
through. Controllable feature wrapping (CFW) brings the encoder's features into the autoencoder's decoder. Parameters
bear the names that they have in the authors' files, but for the resnets', which are diffusers' blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.resnet import ResnetBlock2D
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel

LEVELS = (1, 1, 2, 2)  # of the structure encoder: widths in multiples of the first
ATTENTIVE = 3  # of them the first have attention, with HEADS heads each
HEADS = 4
FUSED = (2, 1)  # levels of the autoencoder whose features are fused: those at 1/4 and 1/2 of the picture's size


class Spade(nn.Module):
    """Spatially-adaptive normalisation (Park et al. 2019): norm(h) * (1 + gamma(s)) + beta(s), all of h's shape.

    h: (n, channels, y, x); s, the structure: (n, structure, y, x).
    """

    def __init__(self, channels: int, structure: int, hidden: int, groups: int) -> None:
        super().__init__()
        self.param_free_norm = nn.GroupNorm(groups, channels)  # it has parameters, whatever its name says
        self.mlp_shared = nn.Sequential(nn.Conv2d(structure, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, h: torch.Tensor, structure: torch.Tensor) -> torch.Tensor:
        seen = self.mlp_shared(structure)
        return self.param_free_norm(h) * (1 + self.mlp_gamma(seen)) + self.mlp_beta(seen)


class SelfAttention(nn.Module):
    """Attention among all places of a map, added to it; q, k and v of a head lie together in one convolution."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        flat = self.norm(h).flatten(2)
        heads = self.qkv(flat).unflatten(1, (HEADS, 3, -1)).transpose(-1, -2)  # n, heads, 3, places, channels
        seen = functional.scaled_dot_product_attention(*heads.contiguous().unbind(2))  # otherwise several times slower
        return h + self.proj_out(seen.transpose(-1, -2).flatten(1, 2)).view_as(h)


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return self.op(h)


class StructureEncoder(nn.Module):
    """The down half of a UNet over the reference's latent and the time: one map a size, largest first."""

    def __init__(self, width: int, structure: int, latent: int, groups: int) -> None:
        super().__init__()
        self.width, embedded = width, 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, embedded), nn.SiLU(), nn.Linear(embedded, embedded))

        def resnet(into: int, out: int) -> ResnetBlock2D:
            return ResnetBlock2D(
                in_channels=into, out_channels=out, temb_channels=embedded, groups=groups, eps=1e-5, dropout=0.0
            )

        blocks, kept, channels = [nn.ModuleList([nn.Conv2d(latent, width, 3, padding=1)])], [], width
        for level, multiple in enumerate(LEVELS):
            for _ in range(2):
                attention = [SelfAttention(multiple * width, groups)] if level < ATTENTIVE else []
                blocks.append(nn.ModuleList([resnet(channels, multiple * width), *attention]))
                channels = multiple * width
            kept.append(channels)
            if level + 1 < len(LEVELS):
                blocks.append(nn.ModuleList([Downsample(channels)]))
        self.input_blocks = nn.ModuleList(blocks)
        self.middle_block = nn.ModuleList(
            [resnet(channels, channels), SelfAttention(channels, groups), resnet(channels, channels)]
        )
        self.fea_tran = nn.ModuleList([resnet(channels, structure) for channels in kept])

    def forward(self, latent: torch.Tensor, timestep: torch.Tensor) -> list[torch.Tensor]:
        """latent: (n, 4, y, x). timestep: (n,), of the 1,000. Returns (n, structure, y / 2^k, x / 2^k), k from 0."""
        sines = get_timestep_embedding(timestep, self.width, flip_sin_to_cos=True, downscale_freq_shift=0)
        time = self.time_embed(sines.to(latent.dtype))
        h, found = latent, []
        for block in [*self.input_blocks, self.middle_block]:
            if isinstance(block[0], Downsample):
                found.append(h)
            for layer in block:
                h = layer(h, time) if isinstance(layer, ResnetBlock2D) else layer(h)
        found.append(h)
        return [tran(feature, time) for tran, feature in zip(self.fea_tran, found, strict=True)]


class Denoiser(nn.Module):
    """A UNet of Stable Diffusion 2.1 whose resnets' main branches end with a SPADE of the structure encoder's maps."""

    def __init__(self, unet: UNet2DConditionModel, width: int, structure: int, hidden: int) -> None:
        """width, structure, hidden: channels of the structure encoder's first level, of its maps, inside a SPADE."""
        super().__init__()
        groups = unet.config.norm_num_groups
        self.unet = unet
        self.structure = StructureEncoder(width, structure, unet.config.in_channels, groups)
        self._maps: dict[int, torch.Tensor] = {}  # of the call at work, by their width
        for resnet in [module for module in unet.modules() if isinstance(module, ResnetBlock2D)]:
            resnet.spade = Spade(resnet.out_channels, structure, hidden, groups)
            resnet.conv2.register_forward_hook(self._modulated_by(resnet.spade))

    def _modulated_by(self, spade: Spade):
        return lambda conv, inputs, h: spade(h, self._maps[h.shape[-1]])

    def forward(
        self, noisy: torch.Tensor, timestep: torch.Tensor, text: torch.Tensor, reference: torch.Tensor
    ) -> torch.Tensor:
        """The noise in `noisy`, of its shape (n, 4, y, x), which is also `reference`'s. text: (n, 77, channels)."""
        self._maps = {one.shape[-1]: one for one in self.structure(reference, timestep)}
        try:
            return self.unet(noisy, timestep, encoder_hidden_states=text, return_dict=False)[0]
        finally:
            self._maps = {}


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it (Wang et al. 2018, ESRGAN), added to the input at 0.2."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        for place in range(4):
            setattr(self, f"conv{place + 1}", nn.Conv2d(channels + place * growth, growth, 3, padding=1))
        self.conv5 = nn.Conv2d(channels + 4 * growth, channels, 3, padding=1)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        seen = h
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, functional.leaky_relu(conv(seen), 0.2)], dim=1)
        return h + 0.2 * self.conv5(seen)


class RRDB(nn.Module):
    """Three dense blocks, added to the input at 0.2."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(channels, growth) for _ in range(3))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return h + 0.2 * self.rdb3(self.rdb2(self.rdb1(h)))


class Fusion(nn.Module):
    """Controllable feature wrapping: decoded + weight * f(encoded and decoded), (n, channels, y, x) each."""

    def __init__(self, channels: int, growth: int, groups: int) -> None:
        super().__init__()
        size = {"out_channels": channels, "temb_channels": None, "groups": groups, "eps": 1e-6, "dropout": 0.0}
        self.encode_enc_1 = ResnetBlock2D(in_channels=2 * channels, **size)
        self.encode_enc_2 = nn.Sequential(RRDB(channels, growth), RRDB(channels, growth))
        self.encode_enc_3 = ResnetBlock2D(in_channels=channels, **size)

    def forward(self, encoded: torch.Tensor, decoded: torch.Tensor, weight: float) -> torch.Tensor:
        both = self.encode_enc_1(torch.cat([encoded, decoded], dim=1), None)
        return decoded + weight * self.encode_enc_3(self.encode_enc_2(both), None)


class Wrapping:
    """CFW for an autoencoder of Stable Diffusion: what its encoder saw goes into its next decoding.

    Tiles of an autoencoder that works in tiles are fused one by one: both halves go through them in the same order.
    """

    def __init__(self, vae: AutoencoderKL, growth: int, weight: float) -> None:
        """Adds the fusions to `vae`'s decoder. weight: 0 is the plain autoencoder, 1 the most of the reference."""
        self._seen: dict[int, list[torch.Tensor]] = {level: [] for level in FUSED}
        self._weight = weight
        encoder, decoder = vae.encoder, vae.decoder
        for level in FUSED:
            channels = vae.config.block_out_channels[level]
            fusion = Fusion(channels, growth, vae.config.norm_num_groups)
            setattr(decoder, f"fusion_layer_{level}", fusion)
            encoder.down_blocks[level].resnets[-1].register_forward_hook(self._keep(level))
            decoder.up_blocks[-1 - level].resnets[-1].register_forward_hook(self._fuse(level, fusion))

    def forget(self) -> None:
        """Let go of what was seen in an encoding whose decoding never came."""
        for seen in self._seen.values():
            seen.clear()

    def _keep(self, level: int):
        return lambda resnet, inputs, encoded: self._seen[level].append(encoded)

    def _fuse(self, level: int, fusion: Fusion):
        return lambda resnet, inputs, decoded: fusion(self._seen[level].pop(0), decoded, self._weight)
