"""Qwen-VL-Chat's network: transformers' Qwen2 and CLIP's layers, and what they lack, the resampler.

Architecture: arXiv 2308.12966, section 2.1. Imported only once a checkpoint is loaded: it needs torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate
from transformers import CLIPVisionConfig, Qwen2Config, Qwen2ForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

POSITIONS = 256  # of the vision tower as it was first trained, at half the side
HEAD = 128  # width of a head of the resampler
EPS = 1e-6  # of every LayerNorm


def spread(positions: torch.Tensor, count: int) -> torch.Tensor:
    """(side * side, width) -> (count, width): a square of positions brought to another size, bicubic, in float32."""
    if len(positions) == count:
        return positions
    old, new = round(len(positions) ** 0.5), round(count**0.5)
    square = positions.float().unflatten(0, (old, old)).permute(2, 0, 1)[None]
    wide = interpolate(square, size=(new, new), mode="bicubic", align_corners=False)
    return wide[0].permute(1, 2, 0).flatten(0, 1).to(positions.dtype)


class Resampler(nn.Module):
    """One cross-attention: learned queries look at all patches. Positions go onto queries and keys, not onto values."""

    def __init__(self, queries: int, width: int, patch_width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(queries, width))
        self.pos_embed = nn.Parameter(torch.zeros(queries, width))  # sines, as the file has them
        self.kv_proj = nn.Linear(patch_width, width, bias=False) if patch_width != width else nn.Identity()
        self.attn = nn.MultiheadAttention(width, width // HEAD, batch_first=True)
        self.ln_q = nn.LayerNorm(width, eps=EPS)
        self.ln_kv = nn.LayerNorm(width, eps=EPS)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(images, patches, patch width) -> (images, queries, width)."""
        values = self.ln_kv(self.kv_proj(patches))
        keys = values + spread(self.pos_embed, values.shape[1])
        queries = (self.ln_q(self.query) + self.pos_embed).expand(len(patches), -1, -1)
        return self.attn(queries, keys, values, need_weights=False)[0]


class Vision(nn.Module):
    """A ViT without class token, the resampler, and a last projection."""

    def __init__(self, config: CLIPVisionConfig, queries: int, width: int) -> None:
        super().__init__()
        inner, patch = config.hidden_size, config.patch_size
        self.patch_embedding = nn.Conv2d(3, inner, patch, patch, bias=False)
        self.position_embedding = nn.Parameter(torch.zeros(POSITIONS, inner))
        self.pre_layernorm = nn.LayerNorm(inner, eps=EPS)
        self.layers = nn.ModuleList(CLIPEncoderLayer(config) for _ in range(config.num_hidden_layers))
        self.resampler = Resampler(queries, width, inner)
        self.post_layernorm = nn.LayerNorm(width, eps=EPS)
        self.proj = nn.Parameter(torch.zeros(width, width))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """pixels (images, 3, side, side), normalised -> (images, queries, language width)."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        states = self.pre_layernorm(patches + spread(self.position_embedding, patches.shape[1]))
        for layer in self.layers:
            states = layer(states, None)
        return self.post_layernorm(self.resampler(states)) @ self.proj


class QwenVL(Qwen2ForCausalLM):
    """Qwen, which below 2,048 tokens computes what Qwen2 does, with the vision tower before it."""

    def __init__(self, config: Qwen2Config, vision: CLIPVisionConfig, queries: int, image_token: int) -> None:
        super().__init__(config)
        self.image_token = image_token
        self.model.visual = Vision(vision, queries, config.hidden_size)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Qwen2's forward. pixel_values: one image a row; its places in the prompt have the id `image_token`."""
        begun = past_key_values is not None and past_key_values.get_seq_length() > 0
        if pixel_values is None or begun:  # after the prompt the image is in the cache
            return super().forward(input_ids=input_ids, past_key_values=past_key_values, **kwargs)
        states = self.get_input_embeddings()(input_ids)
        seen = self.model.visual(pixel_values).to(states.dtype)
        states = states.masked_scatter((input_ids == self.image_token).unsqueeze(-1), seen)
        kwargs.pop("inputs_embeds", None)
        return super().forward(inputs_embeds=states, past_key_values=past_key_values, **kwargs)
