"""Prompts as embeddings: encoded once for all modes, and whole where CLIP would cut them.

A caption is encoded alone, whatever the batch it comes in, so its embedding does not depend on its neighbours.
"""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

from ...base import ModelError
from .loading import quiet

if TYPE_CHECKING:
    import torch

# What `encode_prompt` returns, in its order, as arguments of `__call__`; None for what that makes for itself.
SD = ("prompt_embeds", "negative_prompt_embeds")
POOLED = (*SD, "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
FLUX = ("prompt_embeds", "pooled_prompt_embeds", None)
MASKED = ("prompt_embeds", "prompt_attention_mask", "negative_prompt_embeds", "negative_prompt_attention_mask")
# Those that tests have found to give the same picture either way. Every other pipeline gets the prompt itself.
FAMILIES = {
    "StableDiffusionPipeline": SD,
    "StableDiffusionImg2ImgPipeline": SD,
    "StableDiffusionControlNetPipeline": SD,
    "StableDiffusionInstructPix2PixPipeline": SD,
    "AnimateDiffPipeline": SD,
    "AnimateDiffVideoToVideoPipeline": SD,
    "StableDiffusionXLPipeline": POOLED,
    "StableDiffusionXLImg2ImgPipeline": POOLED,
    "StableDiffusionXLInstructPix2PixPipeline": POOLED,
    "StableDiffusion3Pipeline": POOLED,
    "StableDiffusion3Img2ImgPipeline": POOLED,
    "FluxPipeline": FLUX,
    "FluxImg2ImgPipeline": FLUX,
    "FluxKontextPipeline": FLUX,
    "PixArtSigmaPipeline": MASKED,
    "SanaPipeline": MASKED,
}
CHUNKED = {name for name, row in FAMILIES.items() if row is SD or "XL" in name}  # all their encoders are CLIP's
CLIP = 77  # tokens that CLIP sees, those for start and end included
# Of embeddings kept in the CPU's memory: 3,400 captions of SDXL in fp16, 250 of Flux in bf16
LIMIT = 2**30


class Prompts:
    """The prompt arguments of pipelines that share their text encoders."""

    def __init__(self, pipe: Any, negative: str | None, long_prompts: bool, limit: int = LIMIT) -> None:
        """Raises ModelError where all of a prompt is seen without `long_prompts`. limit: bytes of embeddings to
        keep.
        """
        self._pipe, self._negative, self._long = pipe, negative, long_prompts
        self._room = limit
        self._kept: dict[str, dict[str, torch.Tensor]] = {}
        self._unwanted: dict[str, torch.Tensor] | None = None  # of the negative prompt, once for all
        self._cuts = all(_sees(pipe, name) <= CLIP for name in _encoders(pipe))
        self._said = False
        if long_prompts and not self._cuts:
            raise ModelError(
                f"an encoder of this {type(pipe).__name__} sees more than CLIP's {CLIP} tokens: leave out"
                " --long_prompts."
            )
        if negative is not None:
            self._watch(negative, "the negative prompt")

    def groups(self, pipe: Any, prompts: list[str]) -> list[tuple[list[int], dict[str, Any]]]:
        """Calls that make all of `prompts`: the places in it, and the pipeline's arguments for these.

        Embeddings of one call are of one length, which is 77 tokens or a multiple of it where prompts are used whole.
        """
        for prompt in prompts if not self._said else ():
            self._watch(prompt, "a prompt")
        if type(pipe).__name__ not in FAMILIES:
            negative = {} if self._negative is None else {"negative_prompt": [self._negative] * len(prompts)}
            return [(list(range(len(prompts))), {"prompt": list(prompts), **negative})]  # Z-Image changes the list
        groups: dict[int, list[int]] = {}
        rows = [self._row(pipe, prompt) for prompt in prompts]
        for place, row in enumerate(rows):
            groups.setdefault(row["prompt_embeds"].shape[1], []).append(place)
        return [(places, _stack([rows[place] for place in places], pipe)) for places in groups.values()]

    def _row(self, pipe: Any, prompt: str) -> dict[str, torch.Tensor]:
        """Everything that the pipeline takes in place of this prompt and the negative one: tensors of one row."""
        row = self._kept.get(prompt)
        if row is None:
            row = self._encode(pipe, prompt)
            size = sum(value.nbytes for value in row.values())
            # Nothing makes room for a newcomer: modes go through the same captions in the same order, and a cache too
            # small for all of them would drop each just before it is asked for again.
            if size <= self._room:
                self._room -= size
                self._kept[prompt] = row
        row = {**row, **self._unwanted}
        wanted, unwanted = row["prompt_embeds"], row.get("negative_prompt_embeds")
        if unwanted is not None and wanted.shape[1] != unwanted.shape[1]:
            length = max(wanted.shape[1], unwanted.shape[1])
            row["prompt_embeds"], row["negative_prompt_embeds"] = (
                self._pad(each, length) for each in (wanted, unwanted)
            )
        return row

    def _encode(self, pipe: Any, prompt: str) -> dict[str, torch.Tensor]:
        """The prompt's own tensors, in the CPU's memory; at the first call the negative ones are kept besides."""
        import torch

        with torch.no_grad(), quiet("diffusers", "transformers"):
            row = _encoded(pipe, prompt, self._negative, guided=self._unwanted is None)
            if self._unwanted is None:
                self._unwanted = {name: row.pop(name).cpu() for name in list(row) if name.startswith("negative")}
                if self._is_long(self._negative):
                    self._unwanted["negative_prompt_embeds"] = self._whole(self._negative).cpu()
            if self._is_long(prompt):
                row["prompt_embeds"] = self._whole(prompt)  # what is pooled stays that of the first 77 tokens
        return {key: value.cpu() for key, value in row.items()}

    def _whole(self, text: str) -> torch.Tensor:
        """The embeddings of all of a text, in chunks of 77 tokens that end where a sentence or a word does."""
        import torch
        from compel import EmbeddingsProvider, ReturnedEmbeddingsType

        pooled = FAMILIES[type(self._pipe).__name__] is POOLED
        kind = "PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED" if pooled else "LAST_HIDDEN_STATES_NORMALIZED"
        device, parts = self._pipe._execution_device, []
        for name in _encoders(self._pipe):
            tokenizer, encoder = _tokenizer(self._pipe, name), getattr(self._pipe, name)
            provider = EmbeddingsProvider(
                tokenizer, encoder, truncate=False, returned_embeddings_type=ReturnedEmbeddingsType[kind], device=device
            )
            # Below compel's parser, which would take a caption's brackets and signs for weights
            tokens = provider.get_token_ids_and_expand_weights([text], [1.0], device)
            parts.append(provider.build_weighted_embedding_tensor(*tokens, device=device))
        return torch.cat(parts, dim=-1)

    def _pad(self, embeddings: torch.Tensor, length: int) -> torch.Tensor:
        import torch

        if embeddings.shape[1] == length:
            return embeddings
        with torch.no_grad(), quiet("diffusers", "transformers"):
            # SDXL's embedding of no negative prompt is zeros
            filler = (
                self._whole("").to(embeddings.device) if embeddings.any() else torch.zeros_like(embeddings[:, :CLIP])
            )
        return torch.cat([embeddings, filler.repeat(1, (length - embeddings.shape[1]) // CLIP, 1)], dim=1)

    def _is_long(self, text: str | None) -> bool:
        return self._long and text is not None and self._tokens(text) > CLIP

    def _tokens(self, text: str) -> int:
        with quiet("transformers"):  # which warns of a text that is too long
            return max(len(_tokenizer(self._pipe, name)(text).input_ids) for name in _encoders(self._pipe))

    def _watch(self, text: str, what: str) -> None:
        """Say once a run that a text is cut, at the first one."""
        if not self._cuts or self._long or not _encoders(self._pipe):
            return
        tokens = self._tokens(text)
        if tokens > CLIP:
            self._said = what == "a prompt" or self._said
            logging.getLogger("cmcbench").warning(
                f"note: {what} has {tokens} tokens, of which CLIP sees {CLIP}; the rest has no effect, here and in all "
                "that are longer. --long_prompts uses them whole."
            )


def _encoded(pipe: Any, prompt: str, negative: str | None, guided: bool) -> dict[str, torch.Tensor]:
    """What the pipeline's encoders make of a prompt, by the names of the pipeline's arguments; negative ones if
    `guided`.
    """
    # InstructPix2Pix has the older form only, which returns the prompt and twice the negative one in one batch
    encode = getattr(pipe, "encode_prompt", None) or pipe._encode_prompt
    call = inspect.signature(pipe.__call__).parameters
    known = inspect.signature(encode).parameters
    arguments = {name: call[name].default for name in known if name in call}  # as the pipeline itself would ask
    arguments.update(prompt=prompt, device=pipe._execution_device, num_images_per_prompt=1)
    if "do_classifier_free_guidance" in known:
        arguments["do_classifier_free_guidance"] = guided
    if negative is not None and "negative_prompt" in known:
        arguments["negative_prompt"] = negative
    values = encode(**arguments)
    if not isinstance(values, tuple):
        values = values.split(1)[:2]
    names = FAMILIES[type(pipe).__name__]
    return {
        name: value
        for name, value in zip(names, values)
        if name and value is not None and (guided or "negative" not in name)
    }


def _stack(rows: list[dict[str, torch.Tensor]], pipe: Any) -> dict[str, Any]:
    import torch

    stacked = {name: torch.cat([row[name] for row in rows]).to(pipe._execution_device) for name in rows[0]}
    if "negative_prompt_embeds" in stacked:
        stacked["negative_prompt"] = None  # PixArt's default is a text, which would stand against the embeddings
    return stacked


def _encoders(pipe: Any) -> list[str]:
    names = [name for name in pipe.components if name.startswith("text_encoder")]
    return [name for name in names if getattr(pipe, name) is not None]


def _tokenizer(pipe: Any, encoder: str) -> Any:
    return getattr(pipe, encoder.replace("text_encoder", "tokenizer"), None)


def _sees(pipe: Any, encoder: str) -> float:
    """How many tokens of a prompt an encoder gets to see, as its tokenizer says."""
    seen = getattr(_tokenizer(pipe, encoder), "model_max_length", None)
    return seen if isinstance(seen, (int, float)) else float("inf")
