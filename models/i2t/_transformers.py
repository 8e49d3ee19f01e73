"""Every captioner that transformers loads by itself: LLaVA, Qwen2.5-VL, InstructBLIP, BLIP, SmolVLM, InternVL, ...

The checkpoint's own files say which class, processor and chat template to use. Whatever would end in captions that
have nothing to do with the image is refused at load: random weights, a foreign layout, an image that does not arrive.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import Caption, I2TModel, ModelError

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from transformers import BatchFeature, PreTrainedModel, ProcessorMixin

# A caption must end where the model ends it. The longest published one has 2,565 characters although 10 words were
# asked for: at a poor 2.5 characters a token that is 1,026 tokens. A request for many more words gets more.
LEAST_TOKENS, TOKENS_PER_WORD = 1056, 8

SMALL_FILES = ["*.json", "*.jinja", "*.txt", "*.model", "*.py"]  # what a checkpoint is judged by before its weights
WEIGHTS = ["model*.safetensors"]
# Classes whose `generate` hands over to a part of the model: that part's settings count.
GENERATING_PART = {"blip": "text_decoder", "blip-2": "language_model", "instructblip": "language_model"}
ELSEWHERE = "serve it in its own environment and use an OpenAI-compatible adapter"
QWEN_VL = (
    "Qwen-VL-Chat cannot run here: its remote code fails in generate under transformers 5. Its successors run: "
    "--model_dir Qwen/Qwen2.5-VL-3B-Instruct, or a Qwen3-VL. For the published model itself, " + ELSEWHERE + "."
)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _fetch(model_dir: str, patterns: list[str]) -> Path:
    """The checkpoint's folder; of a hub name the files that match `patterns`, from the cache or downloaded."""
    if (folder := Path(model_dir).expanduser()).is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    reasons = {
        HFValidationError: "a hub name has the form OWNER/NAME",
        GatedRepoError: "on the hub it asks for a licence: accept it there, then run `hf auth login`",
        RepositoryNotFoundError: "the hub has no such model, or keeps it private",
    }
    try:
        return Path(snapshot_download(model_dir, allow_patterns=patterns))
    except Exception as error:
        remedy = f"Where there is a network: hf download {model_dir} --local-dir FOLDER, then --model_dir FOLDER"
        reason = reasons.get(type(error), f"the hub gave no copy ({_first_line(error)}). {remedy}")
        raise ModelError(f"--model_dir '{model_dir}' is no folder here, and {reason}.") from error


def _read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json. Raises ModelError for a folder that is no transformers checkpoint."""
    if (folder / "model_index.json").is_file():
        raise ModelError(f"{folder} is a diffusers pipeline, a text-to-image model: give it to script-t2i.py instead.")
    if not (path := folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json: --model_dir must be a checkpoint in the transformers format.")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path} holds no JSON object ({_first_line(error)}): download it again.") from error


def _check_layout(config: dict[str, Any], name: str, trust_remote_code: bool) -> None:
    """Raise ModelError for a checkpoint that transformers would not load, or would load wrongly without a word."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    kind, classes = str(config.get("model_type")), str(config.get("architectures"))
    remote = config.get("auto_map") or {}
    if kind == "qwen" and "visual" in config:
        raise ModelError(QWEN_VL)
    if kind == "share4v" or "Share4V" in classes:
        reason = "is ShareGPT4V in its authors' layout: convert it to LLaVA's, or use llava-hf/llava-1.5-7b-hf"
    # As a "llava" this would load as a default LlavaConfig with random weights.
    elif kind.startswith("llava_llama") or "LlavaLlama" in classes or "mm_vision_tower" in config:
        reason = "is LLaVA in its authors' layout: use the converted one, llava-hf/llava-1.5-7b-hf (or -13b-hf)"
    elif kind in KNOWN or (trust_remote_code and "AutoModelForImageTextToText" in remote):
        return
    elif "AutoModelForImageTextToText" in remote:
        reason = f"('{kind}') needs the code in its repository: read it, then add --trust_remote_code"
    else:
        offer = f"its remote code has {', '.join(remote)}" if remote else "no image-to-text class of it"
        reason = f"('{kind}') is not for transformers {transformers.__version__} ({offer}): {ELSEWHERE}"
    raise ModelError(f"{name} {reason}.")


def _load_model(folder: Path, device: str, dtype: torch.dtype, trust_remote_code: bool) -> PreTrainedModel:
    """The model with all its weights, in evaluation mode."""
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    if not any(folder.glob("*.safetensors")):
        remedy = "take a safetensors copy, or convert it (from_pretrained, save_pretrained) if you trust it"
        raise ModelError(f"{folder} holds no *.safetensors; pickles (*.bin) can run code and are not loaded: {remedy}.")
    logging.set_verbosity_error()
    logging.disable_progress_bar()  # after the download, whose progress one wants to see
    how = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": trust_remote_code}
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True, **how)
        model.to(device)
    except Exception as error:
        why = f"{_first_line(error)}. Are its files complete, and is there memory for it?"
        raise ModelError(f"{folder} does not load on {device} as {dtype}: {why}") from error
    if missing := sorted(report["missing_keys"]):
        what = f"{len(missing)} of the model's weights ({missing[0]}, ...), they would be random"
        raise ModelError(f"{folder} lacks {what}: fetch it again, or take one converted for transformers.")
    return model


def _load_processor(folder: Path, model: PreTrainedModel, trust_remote_code: bool) -> ProcessorMixin:
    """The processor, with the fields that older checkpoints leave to the model's configuration."""
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:
        raise ModelError(f"the processor in {folder} does not load: {_first_line(error)}") from error
    if not (hasattr(processor, "image_processor") and hasattr(processor, "tokenizer")):
        raise ModelError(f"{folder} lacks preprocessor_config.json or its tokenizer's files: download it again.")
    unset = {key for key, value in vars(processor).items() if value is None}
    for key in unset & {"num_query_tokens", "vision_feature_select_strategy"}:
        setattr(processor, key, getattr(model.config, key))  # without the queries BLIP-2 would silently drop the image
    if "patch_size" in unset:
        vision = model.config.vision_config
        processor.patch_size = vision.patch_size
        processor.num_additional_image_tokens = int(vision.model_type == "clip_vision_model")  # CLIP's CLS
    processor.tokenizer.padding_side = "left"  # with padding on the right, captions would go on from padding
    processor.tokenizer.pad_token = processor.tokenizer.pad_token or processor.tokenizer.eos_token
    return processor


def _chat_template(processor: ProcessorMixin) -> str | None:
    """The chat template that places an image, None where the model wants a plain prompt."""
    for owner in (processor, processor.tokenizer):
        template = getattr(owner, "chat_template", None)
        template = template.get("default") if isinstance(template, dict) else template
        if template and "image" in template:  # a language model's own would print the list of parts as text
            return template
    return None


class Model(I2TModel):
    """A captioner with transformers' own classes, greedy: the same image and prompt give the same caption."""

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, **options: Any) -> None:
        """Load, then prove that images arrive. Option used: trust_remote_code (bool). Raises ModelError."""
        name, trust = model_dir or self.default_dir, bool(options.get("trust_remote_code", False))
        if not name:
            raise ModelError("--model_dir is missing: the folder or hub name of the checkpoint.")
        if name.lower() == "qwen/qwen-vl-chat" and not Path(name).is_dir():
            raise ModelError(QWEN_VL)  # known before anything is downloaded
        _check_layout(_read_config(_fetch(name, SMALL_FILES)), name, trust)
        folder = _fetch(name, WEIGHTS)
        self.model = _load_model(folder, device, dtype, trust)
        self.processor = _load_processor(folder, self.model, trust)
        self.template = _chat_template(self.processor)
        self._be_greedy()
        self._prove_sight(name)

    def caption(self, images: list[Image.Image], prompt: str, words: int) -> list[Caption]:
        """Captions in order. usage: output_tokens, the tokens generated, with the one that ended them.

        Images may differ in size. In float32 a batch equals its images one by one.
        """
        inputs = self._inputs(images, prompt)
        echo = inputs["input_ids"].clone()  # BLIP's generate writes into them
        rows = self.model.generate(**inputs, max_new_tokens=self._budget(words, echo.shape[1]))
        return [self._read(row) for row in rows[:, self._preface(rows, echo) :].tolist()]

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
            runs = [self.model.generate(**self._inputs([image], "What is it?"), **settings) for image in images]
        except Exception as error:
            lack = "" if self.template else ", which has no chat template for images,"
            raise ModelError(f"{name}{lack} fails on a test image: {_first_line(error)}") from error
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
            parts = [[{"type": "image", "image": image}, {"type": "text", "text": prompt}] for image in images]
            chats = [[{"role": "user", "content": content}] for content in parts]
            how = {"add_generation_prompt": True, "processor_kwargs": {"padding": True}}
            tensors = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
            batch = self.processor.apply_chat_template(chats, self.template, **how, **tensors)
        return batch.to(self.model.device, self.model.dtype)

    def _budget(self, words: int, prompt_tokens: int) -> int:
        """The most tokens to generate: plenty for the words, but never past the model's last position."""
        config = self.part.config
        positions = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None) or 1 << 30
        room = positions - (0 if config.is_encoder_decoder else prompt_tokens)
        if room < 1:
            raise ModelError(f"image and prompt take {prompt_tokens} tokens, the model has only {positions} positions.")
        return min(max(LEAST_TOKENS, TOKENS_PER_WORD * words), room)

    def _preface(self, rows: torch.Tensor, prompt: torch.Tensor) -> int:
        """How many ids at the start of the rows are not caption: the start token, or the prompt if it is echoed."""
        if self.part.config.is_encoder_decoder:
            return 1
        if self.model.config.model_type == "blip":  # replaces the prompt's [CLS], drops its [SEP]
            prompt = prompt[:, :-1].index_fill(1, prompt.new_zeros(1), self.model.config.text_config.bos_token_id)
        length = prompt.shape[1]
        return length if rows[:, :length].equal(prompt) else 0

    def _read(self, ids: list[int]) -> Caption:
        """The caption in a row of generated ids; it ends with an end token and padding, or at the budget."""
        end = next((place for place, token in enumerate(ids) if token in self.ends), None)
        text = self.processor.tokenizer.decode(ids[:end], skip_special_tokens=True).strip()
        reason, tokens = ("length", len(ids)) if end is None else ("stop", end + 1)
        return Caption(text, reason, {"output_tokens": tokens})
