"""PASD's UNet: Stable Diffusion 1.5's, whose way up also attends to the pixels of the control (arXiv 2308.14469).

Imports torch and diffusers: to be imported when work starts.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn


class UpBlock(nn.Module):
    """A stock up block, with or without text attention, with pixel attention after it. Names are the checkpoint's."""

    def __init__(self, stock: nn.Module, skips: list[int], heads: int, groups: int) -> None:
        """skips: channels of what comes over from the way down, for each resnet."""
        super().__init__()
        self.resnets, self.upsamplers = stock.resnets, stock.upsamplers
        self.has_cross_attention = hasattr(stock, "attentions")  # by which the stock UNet hands the text over
        if self.has_cross_attention:
            self.attentions = stock.attentions
        self.pixel_attentions = nn.ModuleList(
            Transformer2DModel(
                heads,
                resnet.out_channels // heads,
                in_channels=resnet.out_channels,
                cross_attention_dim=skip,
                norm_num_groups=groups,
            )
            for resnet, skip in zip(self.resnets, skips, strict=True)
        )
        self.control: tuple[torch.Tensor, ...] = ()

    def forward(
        self,
        hidden_states: torch.Tensor,
        res_hidden_states_tuple: tuple[torch.Tensor, ...],
        temb: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        upsample_size: Any = None,
        **unused: Any,
    ) -> torch.Tensor:
        for place, (resnet, pixels) in enumerate(zip(self.resnets, self.pixel_attentions)):
            skip, control = res_hidden_states_tuple[-1 - place], self.control[-1 - place]
            hidden_states = resnet(torch.cat([hidden_states, skip], dim=1), temb)
            if self.has_cross_attention:
                hidden_states = self.attentions[place](hidden_states, encoder_hidden_states, return_dict=False)[0]
            tokens = control.flatten(2).transpose(1, 2)  # (n, h * w, c)
            hidden_states = pixels(hidden_states, tokens, return_dict=False)[0]
        for upsampler in self.upsamplers or ():
            hidden_states = upsampler(hidden_states, upsample_size)
        return hidden_states


class PixelUNet(UNet2DConditionModel):
    """Takes a stock UNet's configuration. Always wants the ControlNet's residuals, which it adds to the skips too."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        heads = self.config.num_attention_heads or self.config.attention_head_dim  # the latter holds the former
        heads = list(reversed([heads] * len(self.up_blocks) if isinstance(heads, int) else heads))
        channels = self.config.block_out_channels[-1]
        for number, block in enumerate(self.up_blocks):
            inside = [channels] + [resnet.out_channels for resnet in block.resnets]
            skips = [resnet.in_channels - before for resnet, before in zip(block.resnets, inside)]
            self.up_blocks[number] = UpBlock(block, skips, heads[number], self.config.norm_num_groups)
            channels = inside[-1]

    def forward(self, *args: Any, down_block_additional_residuals: Any, **kwargs: Any) -> Any:
        left = list(down_block_additional_residuals)
        for block in self.up_blocks:
            count = len(block.resnets)
            block.control, left = tuple(left[-count:]), left[:-count]
        return super().forward(*args, down_block_additional_residuals=down_block_additional_residuals, **kwargs)
