"""Every captioner that transformers loads by itself: LLaVA, Qwen2.5-VL, InstructBLIP, BLIP, SmolVLM, InternVL, ...

The checkpoint's own files say which class, processor and chat template to use. Whatever would end in captions that
have nothing to do with the image is refused at load: random weights, a foreign layout, an image that does not arrive.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ... import sources
from ...base import Caption, I2TModel, ModelError, first_line
from .._budget import Budget, Spent, no_caption
from .._refusals import is_refusal
from .._thoughts import MARKERS, Unended, caption_in, is_open
from . import checkpoint, llava_layout, template

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from transformers import BatchFeature

# Classes whose `generate` hands over to a part of the model: that part's settings count.
GENERATING_PART = {"blip": "text_decoder", "blip-2": "language_model", "instructblip": "language_model"}
OWN_PROMPTS = {"florence2": "florence2"}  # model type without instructions -> the adapter that knows its prompts


class Model(I2TModel):
    """A captioner with transformers' own classes, greedy: the same image and prompt give the same caption."""

    _tokenizer_use = threading.Lock()  # tokenizers refuse ("already borrowed") to be set up while they are in use

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, **options: Any) -> None:
        """Load, then prove that images arrive. Options used: trust_remote_code (bool), max_tokens (int or None),
        no_probe (bool), prompt (str) and words (int). Raises ModelError.
        """
        name, trust = model_dir or self.default_dir, bool(options.get("trust_remote_code", False))
        if not name:
            raise ModelError("--model_dir is missing: the folder or hub name of the checkpoint.")
        folder = checkpoint.fetch(name, checkpoint.SMALL_FILES)
        self.revision = sources.commit_of(folder)
        config, name = checkpoint.read_config(folder), checkpoint.pinned(name, folder)
        if config.get("model_type") in OWN_PROMPTS and type(self)._request is Model._request:
            own = OWN_PROMPTS[config["model_type"]]
            raise ModelError(f"{name} follows no instructions, only its own task prompts: add --model_name {own}.")
        if llava_layout.recognises(config):
            self.model, self.processor = llava_layout.load(name, config, device, dtype)
            tower = getattr(self.processor, "tower_revision", None)  # of another repository
            self.revision = "+".join(filter(None, (self.revision, tower))) or None
        else:
            checkpoint.check_layout(config, name, trust)
            folder = checkpoint.fetch(name, checkpoint.WEIGHTS)
            self.model = checkpoint.load_model(folder, device, dtype, trust)
            self.processor = checkpoint.load_processor(folder, self.model, trust)
        self.template = template.chat_template(self.processor)
        self._be_greedy()
        self._budget = Budget(options.get("max_tokens"))
        asked = self._request(options.get("prompt") or "What is it?", options.get("words") or 10)
        prompt = template.rendered(self.processor, self.template, asked, name)
        self._opening = "<think>" if is_open(prompt) else ""  # that the template has begun, for the model to end
        self.identity = {"rendered_prompt": template.digest(prompt)} if self.template else {}
        self._special = set(self.processor.tokenizer.all_special_ids)
        if not options.get("no_probe"):
            self._prove_sight(name)

    def caption(self, images: list[Image.Image], prompt: str, words: int) -> list[Caption | ModelError]:
        """Captions in order, an error in place of one that declines. usage: output_tokens, with the one that ended
        them.

        Images may differ in size. In float32 a batch equals its images one by one.
        """
        return self.caption_prepared(self._asked(images, prompt, words), images, prompt, words)

    def prepare(self, images: list[Image.Image], prompt: str, words: int) -> BatchFeature | None:
        """The batch on the model's device; None for a subclass with a `caption` of its own."""
        own = type(self).caption is not Model.caption
        return None if own else self._asked(images, prompt, words)

    def caption_prepared(
        self, prepared: BatchFeature, images: list[Image.Image], prompt: str, words: int
    ) -> list[Caption | ModelError]:
        """As `caption`, from inputs that `prepare` made."""
        answers, tokens, room = self._ask(prepared, words)
        cut = [place for place, answer in enumerate(answers) if isinstance(answer, _Cut)]
        again = [place for place in cut if self._budget.spent(words, tokens, room)]
        if again:
            inputs = self._asked([images[place] for place in again], prompt, words)
            more, tokens, room = self._ask(inputs, words)
            for place, answer in zip(again, more, strict=True):
                answers[place] = answer
                if isinstance(answer, Spent):
                    self._budget.spent(words, tokens, room)
        if not all(isinstance(answer, Spent) for answer in answers):
            self._budget.answered()
        self.stopped = self._budget.stop
        return [answer.caption or no_caption(tokens) if isinstance(answer, _Cut) else answer for answer in answers]

    def _asked(self, images: list[Image.Image], prompt: str, words: int) -> BatchFeature:
        with self._tokenizer_use:
            return self._inputs(images, self._request(prompt, words))

    def _ask(self, inputs: BatchFeature, words: int) -> tuple[list[Caption | ModelError], int, int]:
        """The answers, a _Cut for one whose tokens ended after a thought; the most tokens of each, and the room for
        them."""
        echo = inputs["input_ids"].clone()  # BLIP's generate writes into them
        room = self._room(echo.shape[1])
        tokens = min(self._budget.tokens(words), room)
        rows = self.model.generate(**inputs, max_new_tokens=tokens)
        return [self._judged(row) for row in rows[:, self._preface(rows, echo) :].tolist()], tokens, room

    def _request(self, prompt: str, words: int) -> str:
        """What the model is asked: the benchmark's prompt, but for models with prompts of their own."""
        return prompt

    def _be_greedy(self) -> None:
        """Keep the checkpoint's token ids and drop its sampling, beams and penalties; note what ends a caption."""
        from transformers import GenerationConfig

        config, tokenizer = self.model.config, self.processor.tokenizer
        self.part = getattr(self.model, GENERATING_PART.get(config.model_type, "itself"), self.model)
        ids = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad")}
        for source in (self.model.generation_config, self.part.generation_config):
            set_ids = {key: value for key, value in source.to_dict().items() if value is not None}
            ids |= {key: value for key, value in set_ids.items() if key.endswith(("_token_id", "suppress_tokens"))}
        self.part.generation_config = GenerationConfig(do_sample=False, num_beams=1, **ids)
        # BLIP's generate brings its own end token.
        ends = config.text_config.sep_token_id if config.model_type == "blip" else ids["eos_token_id"]
        self.ends = set(ends if isinstance(ends, list) else [ends])

    def _prove_sight(self, name: str) -> None:
        """Raise ModelError unless two images with one prompt give the first token different logits."""
        import torch
        from PIL import Image

        images = Image.new("RGB", (256, 256), "navy"), Image.linear_gradient("L").convert("RGB")
        settings = {"max_new_tokens": 1, "return_dict_in_generate": True, "output_logits": True}
        try:
            runs = [
                self.model.generate(**self._inputs([image], self._request("What is it?", 10)), **settings)
                for image in images
            ]
        except Exception as error:
            lack = "" if self.template is not None else ", which has no chat template for images,"
            raise ModelError(f"{name}{lack} fails on a test image: {first_line(error)}") from error
        first, second = (run.logits[0].float() for run in runs)
        if torch.isnan(first).any() or torch.isnan(second).any():
            raise ModelError(f"{name} computes NaN in {self.model.dtype}: choose another --dtype, fp32 is the safest.")
        allowed = torch.isfinite(first - second)  # some classes forbid tokens by -inf
        if (first - second)[allowed].abs().max() <= 1e-5 * first[allowed].abs().max():
            reason = "two different images give the same logits. Its processor's files do not fit its weights"
            raise ModelError(f"{name} is blind: {reason}: take a complete, current copy of the checkpoint.")

    def _inputs(self, images: list[Image.Image], prompt: str) -> BatchFeature:
        """The batch on the model's device. Every processor takes nested images, some take nothing else for a batch."""
        if not self.template:
            nested, texts = [[image] for image in images], [prompt] * len(images)
            batch = self.processor(images=nested, text=texts, padding=True, return_tensors="pt")
        else:
            chats = [template.messages(prompt, image) for image in images]
            how = {"add_generation_prompt": True, "processor_kwargs": {"padding": True}}
            tensors = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
            batch = self.processor.apply_chat_template(chats, self.template, **how, **tensors)
        return batch.to(self.model.device, self.model.dtype)

    def _room(self, prompt_tokens: int) -> int:
        """How many tokens can be generated before the model's last position."""
        config = self.part.config
        positions = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None) or 1 << 30
        room = positions - (0 if config.is_encoder_decoder else prompt_tokens)
        if room < 1:
            raise ModelError(f"image and prompt take {prompt_tokens} tokens, the model has only {positions} positions.")
        return room

    def _preface(self, rows: torch.Tensor, prompt: torch.Tensor) -> int:
        """How many ids at the start of the rows are not caption: the start token, or the prompt if it is echoed."""
        if self.part.config.is_encoder_decoder:
            return 1
        if self.model.config.model_type == "blip":  # replaces the prompt's [CLS], drops its [SEP]
            prompt = prompt[:, :-1].index_fill(1, prompt.new_zeros(1), self.model.config.text_config.bos_token_id)
        length = prompt.shape[1]
        return length if rows[:, :length].equal(prompt) else 0

    def _judged(self, ids: list[int]) -> Caption | ModelError:
        """The caption in a row of generated ids, or why there is none."""
        answer = self._read(ids)
        is_cut = answer.finish_reason == "length"
        try:
            text = caption_in(self._opening + answer.text)
        except Unended as error:
            return _Cut(None) if is_cut else error
        caption = Caption(text, answer.finish_reason, answer.usage)
        if is_cut and text != answer.text:
            return _Cut(caption if text else None)
        return ModelError(f"refused: {text[:80]}") if is_refusal(text) else caption

    def _read(self, ids: list[int]) -> Caption:
        """All that a row of generated ids says; it ends with an end token and padding, or at the budget."""
        end = next((place for place, token in enumerate(ids) if token in self.ends), None)
        reason, tokens = ("length", len(ids)) if end is None else ("stop", end + 1)
        tokenizer, ids = self.processor.tokenizer, ids[:end]
        special = [token for token in ids if token in self._special]
        marks = {token for token in set(special) if MARKERS.fullmatch(tokenizer.convert_ids_to_tokens(token))}
        if marks:  # they part thought and caption, and would be skipped
            ids = [token for token in ids if token not in self._special or token in marks]
        with self._tokenizer_use:
            text = tokenizer.decode(ids, skip_special_tokens=not marks).strip()
        return Caption(text, reason, {"output_tokens": tokens})


class _Cut(Spent):
    """The tokens ended within a thought, or after one within the caption that is kept here."""

    def __init__(self, caption: Caption | None) -> None:
        super().__init__()
        self.caption = caption
