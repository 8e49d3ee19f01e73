"""Every captioner that transformers loads by itself: LLaVA, Qwen-VL, InstructBLIP, BLIP, SmolVLM, InternVL, Gemma, ...

The checkpoint's own files say which class, processor and chat template to use. What would end in captions that have
nothing to do with the image is refused at load: random weights, a foreign layout, an image that does not arrive.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from ..base import Caption, I2TModel, ModelError

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from transformers import BatchFeature, GenerationConfig, PreTrainedModel, ProcessorMixin

# A caption must end where the model ends it. The longest published one has 2,565 characters although 10 words were
# asked for; at a poor 2.5 characters a token that is 1,026 tokens, and a request for more words gets more.
LEAST_TOKENS, TOKENS_PER_WORD = 1024, 8

SMALL_FILES = ["*.json", "*.jinja", "*.txt", "*.model", "*.py"]  # configuration, tokenizer, templates, remote code
WEIGHTS = ["model*.safetensors"]

QWEN_VL = (
    "Qwen-VL-Chat cannot run here: its remote code was written for transformers 4 and fails in generate under "
    "transformers 5. Its successors run: --model_dir Qwen/Qwen2.5-VL-3B-Instruct (or Qwen/Qwen3-VL-4B-Instruct). "
    "For the published model itself, serve it in its own environment and use an OpenAI-compatible adapter."
)
# Classes whose `generate` hands over to a part of the model, and that part, whose settings then count.
GENERATING_PART = {
    "blip": "text_decoder", "blip-2": "language_model", "instructblip": "language_model", "kosmos-2": "text_model",
}


def _fetch(model_dir: str, patterns: list[str]) -> Path:
    """The checkpoint's folder; of a hub name the files that match `patterns`, downloaded or from the cache."""
    folder = Path(model_dir).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    missing = f"'{model_dir}' is not a folder here"
    try:
        return Path(snapshot_download(model_dir, allow_patterns=patterns))
    except HFValidationError as error:
        raise ModelError(f"{missing}, and a name on the hub has the form OWNER/NAME. Correct --model_dir.") from error
    except GatedRepoError as error:
        raise ModelError(f"{missing}; on the hub it asks for a licence: accept it there, then `hf auth login`.") from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"{missing}, and the hub has no such model (misspelt, or private). Correct --model_dir.") from error
    except Exception as error:
        raise ModelError(
            f"{missing}, and the hub gave no complete copy: {_first_line(error)} Check the name and the network, or "
            f"download it where there is one (hf download {model_dir} --local-dir FOLDER) and give --model_dir FOLDER."
        ) from error


def _first_line(error: BaseException) -> str:
    """The first line of an error, for a message of one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json. Raises ModelError for a folder that is no transformers checkpoint."""
    path = folder / "config.json"
    if (folder / "model_index.json").is_file():
        raise ModelError(f"{folder} is a diffusers pipeline, a text-to-image model: give it to script-t2i.py instead.")
    if not path.is_file():
        raise ModelError(f"{folder} has no config.json: --model_dir must be a folder in the hub's transformers format.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON ({_first_line(error)}): download the file again.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} must hold a JSON object, found {type(config).__name__}: download the file again.")
    return config


def _check_layout(config: dict[str, Any], name: str, trust_remote_code: bool) -> None:
    """Raise ModelError for a checkpoint that transformers would not load, or would load wrongly without a word."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    kind = str(config.get("model_type"))
    classes = " ".join(map(str, config.get("architectures") or []))
    if kind == "qwen" and "visual" in config:
        raise ModelError(QWEN_VL)
    if kind == "share4v" or "Share4V" in classes:
        raise ModelError(
            f"{name} is ShareGPT4V in its authors' own layout, which transformers does not load. Convert it to LLaVA's "
            f"(its vision tower is a repository of its own), or run --model_dir llava-hf/llava-1.5-7b-hf."
        )
    # transformers would read this as a default LlavaConfig, find none of its weights, and caption at random
    if kind.startswith("llava_llama") or "mm_vision_tower" in config or "LlavaLlamaForCausalLM" in classes:
        raise ModelError(
            f"{name} is LLaVA in its authors' own layout. Use the converted one: --model_dir llava-hf/llava-1.5-7b-hf "
            f"(13B: llava-hf/llava-1.5-13b-hf, 1.6: llava-hf/llava-v1.6-vicuna-7b-hf)."
        )
    remote = config.get("auto_map") or {}
    if kind in KNOWN or (trust_remote_code and "AutoModelForImageTextToText" in remote):
        return
    if "AutoModelForImageTextToText" in remote:
        raise ModelError(f"{name} ('{kind}') needs the code in its repository: read it, then add --trust_remote_code.")
    reason = f"its remote code offers {', '.join(remote)} only" if remote else "it is not an image-to-text model there"
    raise ModelError(
        f"transformers {transformers.__version__} cannot caption with {name} ('{kind}'): {reason}. Use another "
        f"checkpoint, or serve it in its own environment and use an OpenAI-compatible adapter."
    )


def _load_weights(folder: Path, dtype: "torch.dtype", trust_remote_code: bool) -> "PreTrainedModel":
    """The model, complete, on the CPU. Pickled weights are not read: a pickle can run code."""
    from transformers import AutoModelForImageTextToText

    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder} holds no *.safetensors weights, and pickled ones (*.bin) are not loaded since they can run code. "
            f"Use a safetensors copy, or convert it where you trust it: from_pretrained(...).save_pretrained(FOLDER)."
        )
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True, trust_remote_code=trust_remote_code
        )
    except Exception as error:
        raise ModelError(
            f"{folder} does not load: {_first_line(error)} Weights cut short or of another model: download it again."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"{folder} lacks {len(missing)} of the model's weights, {missing[0]} first; they would be random. "
            f"Download the checkpoint again, or use one converted for transformers."
        )
    return model.eval()


def _load_processor(folder: Path, model: "PreTrainedModel", trust_remote_code: bool) -> "ProcessorMixin":
    """The processor, padding on the left, with the fields that older checkpoints left to the model's config."""
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:
        raise ModelError(f"the processor of {folder} does not load: {_first_line(error)}") from error
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise ModelError(f"{folder} lacks preprocessor_config.json or its tokenizer's files: download it again.")
    config = model.config
    if hasattr(processor, "num_query_tokens") and processor.num_query_tokens is None:
        processor.num_query_tokens = config.num_query_tokens  # without it BLIP-2 drops the image and says nothing
    if hasattr(processor, "patch_size") and processor.patch_size is None:
        processor.patch_size = config.vision_config.patch_size
        processor.num_additional_image_tokens = int(config.vision_config.model_type == "clip_vision_model")  # CLS
    if hasattr(processor, "vision_feature_select_strategy") and processor.vision_feature_select_strategy is None:
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
    processor.tokenizer.padding_side = "left"  # on the right, generation would go on from padding
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _chat_template(processor: "ProcessorMixin") -> Any:
    """The chat template that places an image, None where the model wants a plain prompt."""
    own, text = getattr(processor, "chat_template", None), getattr(processor.tokenizer, "chat_template", None)
    # A language model's template knows no images: it would print the conversation's list into the prompt.
    return own or (text if "image" in str(text) else None)


def _greedy(sources: "list[GenerationConfig]", tokenizer: Any) -> "GenerationConfig":
    """Plain greedy decoding: the token ids of `sources` (a later one wins), but no sampling, beams or penalties."""
    from transformers import GenerationConfig

    kept = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad")}
    for source in sources:
        for key, value in source.to_dict().items():
            if value is not None and key.endswith(("_token_id", "suppress_tokens")):
                kept[key] = value
    return GenerationConfig(do_sample=False, num_beams=1, **kept)


def _probe_images() -> "list[Image.Image]":
    """Two small images that no model can take for one another: dark with a bright square, bright with dark stripes."""
    from PIL import Image

    dark, bright = Image.new("RGB", (112, 112), (10, 10, 60)), Image.new("RGB", (112, 112), (250, 220, 40))
    dark.paste((255, 255, 255), (30, 30, 70, 70))
    for x in range(0, 112, 16):
        bright.paste((0, 90, 0), (x, 0, x + 6, 112))
    return [dark, bright]


class Model(I2TModel):
    """A captioner with transformers' own classes, greedy: the same image and prompt give the same caption."""

    def load(self, model_dir: Optional[str], device: str, dtype: "torch.dtype", **options: Any) -> None:
        """Load, then prove that images arrive. Option used: trust_remote_code (bool). Raises ModelError."""
        name, trust = model_dir or self.default_dir, bool(options.get("trust_remote_code", False))
        if not name:
            raise ModelError("--model_dir is missing: the folder or hub name of the checkpoint.")
        if name.lower() == "qwen/qwen-vl-chat" and not Path(name).is_dir():
            raise ModelError(QWEN_VL)  # before anything is downloaded
        from transformers.utils import logging

        _check_layout(_read_config(_fetch(name, SMALL_FILES)), name, trust)
        folder = _fetch(name, WEIGHTS)
        logging.set_verbosity_error()  # after the download, whose progress a user wants to see
        logging.disable_progress_bar()
        self.model = _load_weights(folder, dtype, trust).to(device)
        self.processor = _load_processor(folder, self.model, trust)
        self.template = _chat_template(self.processor)
        self._be_greedy()
        self._prove_sight(name)

    def caption(self, images: "list[Image.Image]", prompt: str, words: int) -> list[Caption]:
        """Captions in order. usage: output_tokens, the generated tokens with the one that ended them.

        Images may differ in size. In float32 a batch equals its images one by one.
        """
        inputs = self._inputs(images, prompt)
        prompt_ids = inputs["input_ids"].clone()  # BLIP's generate writes into them
        rows = self._generate(inputs, max_new_tokens=self._budget(words, prompt_ids.shape[1]))
        return [self._read(row) for row in rows[:, self._preface(rows, prompt_ids) :].tolist()]

    def _be_greedy(self) -> None:
        """Give the part that generates a greedy configuration, and note the ids that end a caption."""
        config = self.model.config
        self.part = getattr(self.model, GENERATING_PART.get(config.model_type, "no part"), self.model)
        sources = [self.model.generation_config, self.part.generation_config]
        self.part.generation_config = _greedy(sources, self.processor.tokenizer)
        ends = self.part.generation_config.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [ends])
        if config.model_type == "blip":
            self.ends = {config.text_config.sep_token_id}  # its generate passes this one itself

    def _prove_sight(self, name: str) -> None:
        """Raise ModelError unless two images with one prompt give different logits of the first token."""
        import torch

        try:
            first, second = (
                self._generate(
                    self._inputs([image], "Describe the image."),
                    max_new_tokens=1, return_dict_in_generate=True, output_logits=True,
                ).logits[0].float()
                for image in _probe_images()
            )
        except Exception as error:
            template = "" if self.template else " (the checkpoint has no chat template that takes images)"
            raise ModelError(f"{name} cannot caption a test image{template}: {_first_line(error)}") from error
        if torch.isnan(first).any() or torch.isnan(second).any():
            raise ModelError(f"{name} computes NaN in {self.model.dtype}: use another --dtype (float32 always works).")
        finite = torch.isfinite(first) & torch.isfinite(second)  # some classes forbid tokens with -inf
        if (first - second)[finite].abs().max() <= 1e-5 * first[finite].abs().max():
            raise ModelError(
                f"{name} gives two different images the same logits: the image does not reach the language model. "
                f"Its processor files do not fit its weights: use a complete, current copy of the checkpoint."
            )

    def _inputs(self, images: "list[Image.Image]", prompt: str) -> "BatchFeature":
        """The processed batch on the model's device, padded on the left. Every class takes one list of images a text."""
        if self.template:
            text = {"type": "text", "text": prompt}
            batch = self.processor.apply_chat_template(
                [[{"role": "user", "content": [{"type": "image", "image": image}, text]}] for image in images],
                chat_template=self.template if isinstance(self.template, str) else None,
                add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
                processor_kwargs={"padding": True},
            )
        else:
            nested, texts = [[image] for image in images], [prompt] * len(images)
            batch = self.processor(images=nested, text=texts, padding=True, return_tensors="pt")
        return batch.to(self.model.device, self.model.dtype)

    def _generate(self, inputs: "BatchFeature", **settings: Any) -> Any:
        import torch

        with torch.inference_mode():
            return self.model.generate(**inputs, **settings)

    def _budget(self, words: int, prompt_length: int) -> int:
        """The most tokens to generate: plenty for the words, but never past the model's last position."""
        config = self.part.config
        positions = getattr(config.get_text_config(), "max_position_embeddings", None) or 1 << 30
        room = positions - (0 if config.is_encoder_decoder else prompt_length)
        if room < 1:
            raise ModelError(f"image and prompt take {prompt_length} tokens, the model has {positions} positions only.")
        return min(max(LEAST_TOKENS, TOKENS_PER_WORD * words), room)

    def _preface(self, rows: "torch.Tensor", prompt_ids: "torch.Tensor") -> int:
        """How many ids at the start of each row are not the model's: the start token, or the prompt where it is echoed."""
        if self.part.config.is_encoder_decoder:
            return 1
        length = prompt_ids.shape[1]
        if self.model.config.model_type == "blip":  # it replaces [CLS] and drops the [SEP] at the end
            return length - 1 if rows[:, 1 : length - 1].equal(prompt_ids[:, 1:-1]) else 0
        return length if rows[:, :length].equal(prompt_ids) else 0

    def _read(self, ids: list[int]) -> Caption:
        """The caption in one row of generated ids, which ends with an end token and padding, or at the budget."""
        end = next((place for place, token in enumerate(ids) if token in self.ends), None)
        text = self.processor.tokenizer.decode(ids[:end], skip_special_tokens=True).strip()
        tokens = len(ids) if end is None else end + 1
        return Caption(text, "length" if end is None else "stop", {"output_tokens": tokens})
