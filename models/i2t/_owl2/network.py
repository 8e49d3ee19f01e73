"""mPLUG-Owl2's network: transformers' CLIP and Llama, and what they lack, the visual abstractor and the doubled layers.

Architecture: arXiv 2311.04257, sections 3.1 and 3.2. Parameters have the names of the authors' files where they are
not transformers' own. Imported only once a checkpoint is loaded: it needs torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention, silu
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.llama.modeling_llama import LlamaRMSNorm

IMAGE = -200  # stands for an image's token among the ids: no id of the vocabulary
NORM_EPS = 1e-5  # of the abstractor's three outer norms; the one inside its MLP has the configuration's


def sines(places: torch.Tensor, width: int) -> torch.Tensor:
    """(places, width): sine, then cosine, at width / 2 frequencies from 1 to 1/10,000 (arXiv 1706.03762)."""
    frequencies = 10_000.0 ** -(torch.arange(width // 2) / (width / 2))
    angles = places[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def grid_sines(side: int, width: int) -> torch.Tensor:
    """(1 + side * side, width): zeros for the class token, then of each patch its column's and its row's sines."""
    places = torch.arange(side)
    columns, rows = places.repeat(side), places.repeat_interleave(side)
    patches = torch.cat([sines(columns, width // 2), sines(rows, width // 2)], dim=1)
    return torch.cat([torch.zeros(1, width), patches])


class Places(nn.Module):
    """Places of queries and of image tokens, added to queries and keys. The authors' files hold them as computed."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.register_buffer("q_pos_embed", sines(torch.arange(config["num_learnable_queries"]), width))
        self.register_buffer("k_pos_embed", grid_sines(config["grid_size"], width))


class Attention(Places):
    """Attention of the queries to themselves and to the image's tokens; values carry no places."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        width = config["hidden_size"]
        self.heads = config["num_attention_heads"]
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, queries: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """queries (batch, queries, width), tokens (batch, queries + image tokens, width) -> as queries."""
        own = self.q_pos_embed.to(queries.dtype)
        both = torch.cat([own, self.k_pos_embed.to(queries.dtype)])
        parts = self.query(queries + own), self.key(tokens + both), self.value(tokens)
        seen = scaled_dot_product_attention(*(self._split(part) for part in parts))
        return seen.transpose(1, 2).flatten(2)

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        return states.unflatten(2, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """A gated MLP with a norm inside: w2(norm(silu(w1 x) * w3 x))."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.w1 = nn.Linear(width, inner)
        self.w2 = nn.Linear(inner, width)
        self.w3 = nn.Linear(width, inner)
        self.ffn_ln = nn.LayerNorm(inner, eps=config["layer_norm_eps"])

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.w2(self.ffn_ln(silu(self.w1(states)) * self.w3(states)))


class AbstractorLayer(nn.Module):
    """One layer of the abstractor. The residual starts from the normalised queries, not from the queries."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.attention = Attention(config)
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.normk = nn.LayerNorm(width, eps=NORM_EPS)
        self.out_proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = FeedForward(config)

    def forward(self, queries: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        queries = self.norm1(queries)
        tokens = torch.cat([queries, self.normk(image)], dim=1)
        queries = queries + self.out_proj(self.attention(queries, tokens))
        return queries + self.mlp(self.norm2(queries))


class Abstractor(nn.Module):
    """An image's tokens -> as many as there are learned queries, at the language model's width, and a last one."""

    def __init__(self, config: dict[str, Any], language_width: int) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.layers = nn.ModuleList(AbstractorLayer(config) for _ in range(config["num_hidden_layers"]))
        self.query_embeds = nn.Parameter(torch.zeros(1, config["num_learnable_queries"], width))
        self.visual_fc = nn.Linear(width, language_width)
        self.vit_eos = nn.Parameter(torch.zeros(1, 1, language_width))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """image: (batch, 1 + patches, width) -> (batch, queries + 1, language_width)."""
        queries = self.query_embeds.expand(len(image), -1, -1)
        for layer in self.layers:
            queries = layer(queries, image)
        return torch.cat([self.visual_fc(queries), self.vit_eos.expand(len(image), -1, -1)], dim=1)


class Modality:
    """Which positions of the batch in hand are an image's: bool, (batch, tokens), or None where all are text."""

    image: torch.Tensor | None = None


class Doubled(nn.Module):
    """A layer of Llama in two copies: the first for positions of text, the second for positions of an image."""

    def __init__(self, modality: Modality, build: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.modality = modality
        self.multiway = nn.ModuleList([build(), build()])

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        text = self.multiway[0](states)
        if self.modality.image is None:  # every step after the prompt
            return text
        return torch.where(self.modality.image.unsqueeze(-1), self.multiway[1](states), text)


class Owl2(LlamaForCausalLM):
    """Llama with doubled keys, values and norms, a CLIP and the abstractor between them."""

    def __init__(self, config: LlamaConfig, vision: CLIPVisionConfig, abstractor: dict[str, Any]) -> None:
        super().__init__(config)
        self.modality = Modality()
        self.image_tokens = abstractor["num_learnable_queries"] + 1
        self.model.vision_model = CLIPVisionModel(vision)
        self.model.visual_abstractor = Abstractor(abstractor, config.hidden_size)
        for layer in self.model.layers:
            self._double(layer, config)

    def _double(self, layer: nn.Module, config: LlamaConfig) -> None:
        """Replace the layer's keys, values and norms by two of each, not initialised."""
        width, attention = config.hidden_size, layer.self_attn
        inner = config.num_key_value_heads * attention.head_dim
        for name in ("k_proj", "v_proj"):
            build = lambda: nn.Linear(width, inner, bias=config.attention_bias)  # noqa: E731
            setattr(attention, name, Doubled(self.modality, build))
        for name in ("input_layernorm", "post_attention_layernorm"):
            build = lambda: LlamaRMSNorm(width, eps=config.rms_norm_eps)  # noqa: E731
            setattr(layer, name, Doubled(self.modality, build))

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """pixels (images, 3, side, side), normalised -> (images, image_tokens, language width)."""
        vision = self.model.vision_model
        states = vision(pixels).last_hidden_state
        return self.model.visual_abstractor(vision.post_layernorm(states))  # CLIP's own normalises the first alone

    def forward(
        self, input_ids: torch.Tensor | None = None, pixel_values: torch.Tensor | None = None, **kwargs: Any
    ) -> CausalLMOutputWithPast:
        """Llama's forward. pixel_values: one image a row; its tokens are those whose id is IMAGE, in the prompt."""
        if pixel_values is None:
            return super().forward(input_ids=input_ids, **kwargs)
        image = input_ids == IMAGE
        states = self.get_input_embeddings()(input_ids.masked_fill(image, 0))
        states = states.masked_scatter(image.unsqueeze(-1), self.see(pixel_values).to(states.dtype))
        self.modality.image = image
        try:
            return super().forward(inputs_embeds=states, **kwargs)
        finally:
            self.modality.image = None
