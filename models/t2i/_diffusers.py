"""The diffusers family: decoders that diffusers' auto pipelines know, and InstructPix2Pix.

One checkpoint serves all modes: text mode by its text-to-image pipeline, the others by the image-to-image twin, which
shares its modules. Pre-processing, guidance and scheduler are those of the published script and of the checkpoint.
"""

from __future__ import annotations

import inspect
import json
import logging
import math
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Optional

from ..base import Job, ModelError, T2IModel

if TYPE_CHECKING:
    import torch
    from PIL import Image

INDEX = "model_index.json"
# Edit pipelines that are in none of diffusers' auto mappings. They take one guide an image, so they can be batched.
INSTRUCT = ("StableDiffusionInstructPix2PixPipeline", "StableDiffusionXLInstructPix2PixPipeline")
# Pipelines in the auto mappings that want a mask or a control image, or that do not give one picture a prompt.
UNFIT = re.compile("Control|Inpaint|Layered|Helios")
# How diffusers says that the files of a variant are not there, rather than damaged.
ABSENT = re.compile("no such modeling files|no file named|necessary `safetensors`")


class Model(T2IModel):
    """Any such checkpoint, from a folder or from the hub; its modes are those that its pipelines can do."""

    def inspect(self, model_dir: Optional[str]) -> None:
        _, _, text, image = self._checkpoint = _find(model_dir or self.default_dir)
        self.accepts_strength = image is None or "strength" in _parameters(image.__call__)
        guided = {"full", "image", "pixel"} if self.accepts_strength else {"full", "image"}
        self.modes = frozenset(({"text"} if text else set()) | (guided if image else set()))
        # Other edit pipelines (Kontext, FLUX.2, Qwen-Image-Edit) take a list of images for several guides of one.
        self.max_batch = None if self.accepts_strength or image.__name__ in INSTRUCT else 1

    def load(
        self, model_dir: Optional[str], device: str, dtype: "torch.dtype", modes: frozenset[str], **options: Any
    ) -> None:
        self.inspect(model_dir)
        name, offline, text, image = self._checkpoint
        pipe = _load(text if "text" in modes else image, name, dtype, offline)
        try:
            with _quiet("diffusers"):
                pipe.to(device)
        except (AssertionError, RuntimeError) as error:  # torch asserts that it was built for the device
            raise ModelError(f"cannot put {name} on '{device}': {_one_line(error)} Choose another --device.") from error
        self._pipes = {"text": pipe, "image": pipe}
        if "text" in modes and modes != {"text"} and image is not text:
            self._pipes["image"] = _twin(pipe)
        for one in self._pipes.values():
            one.set_progress_bar_config(disable=True)

    def generate(self, jobs: list[Job]) -> "list[Image.Image]":
        """As the contract says. Raises ModelError for a strength that leaves no step, and for non-finite pixels."""
        import torch

        first = jobs[0]
        assert len({(job.size, job.strength, job.steps, job.guide is None) for job in jobs}) == 1, "jobs must be alike"
        pipe = self._pipes["text" if first.guide is None else "image"]
        arguments = {
            "prompt": [job.prompt for job in jobs],  # a list of our own, since Z-Image changes it
            "num_inference_steps": first.steps,
            # On the CPU and one an image: the noise is then the same on every device and in every batch.
            "generator": [torch.Generator("cpu").manual_seed(job.seed) for job in jobs],
            "output_type": "np",  # PIL would turn NaN into black
        }
        if first.guide is not None:
            arguments["image"] = [job.guide.resize(job.size) for job in jobs]  # PIL's default, as published: bicubic
            if self.accepts_strength:
                arguments["strength"] = first.strength
                if int(first.steps * first.strength) < 1:  # as the pipelines count; SD and SDXL crash without a step
                    raise ModelError(f"--steps {first.steps} x --strength {first.strength} leaves no step: raise one.")
        # With a guide, SD and SDXL take no size and floor the guide's; SD3 and Flux ignore the guide's and need one.
        if "height" in _parameters(pipe.__call__):
            multiple = _multiple(pipe)
            arguments["width"], arguments["height"] = (max(multiple, side - side % multiple) for side in first.size)
        with _quiet("diffusers", "transformers"):
            images = pipe(**arguments).images
        broken = ", ".join(job.name for job, image in zip(jobs, images, strict=True) if not math.isfinite(image.sum()))
        if broken:
            raise ModelError(f"pixels that are no numbers in {broken}: {pipe.dtype} overflowed. Use --dtype fp32.")
        return pipe.numpy_to_pil(images)


def _find(name: Optional[str]) -> tuple[str, bool, Any, Any]:
    """A checkpoint's folder or hub name, whether only the hub's cache can serve, and its pipelines as below.

    Raises ModelError where there is no checkpoint, or none that the family can run.
    """
    if not name:
        raise ModelError("no checkpoint given: name one with --model_dir FOLDER_OR_HUB_NAME.")
    folder, offline = Path(name).expanduser(), False
    if folder.is_dir():
        name, index = str(folder), folder / INDEX
        if not index.is_file():
            kind = "a single model (an I2T model?)" if (folder / "config.json").is_file() else "no diffusers checkpoint"
            raise ModelError(f"{folder} has no {INDEX}, so it is {kind}: give the folder of a whole T2I pipeline.")
    elif re.fullmatch(r"\w[\w.-]*/[\w.-]+", name):
        index, offline = _from_hub(name)
    else:
        raise ModelError(f"there is no folder '{name}'. --model_dir takes a folder or a hub name, ORGANISATION/MODEL.")
    try:
        config = json.loads(Path(index).read_text(encoding="utf-8"))
        class_name = config["_class_name"]
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ModelError(f"{index} is damaged ({type(error).__name__}: {error}). Download {name} again.") from error
    text, image = _pipelines(class_name, config)
    if text is image is None:
        why = "not text-to-image or image-to-image to diffusers, or code of its own, which is not run"
        raise ModelError(f"{name} is a {class_name}: {why}. It needs an adapter in models/t2i/.")
    return name, offline, text, image


def _from_hub(name: str) -> tuple[str, bool]:
    """The path of a hub model's index in the cache, and whether the hub did not answer. Raises ModelError."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    nowhere = f"there is no folder '{name}' here and no {INDEX} of that name on the hub. Check --model_dir"
    try:
        get_hf_file_metadata(hf_hub_url(name, INDEX))  # asks once; the download alone would retry for half a minute
        return hf_hub_download(name, INDEX), False
    except HfHubHTTPError as error:
        raise ModelError(f"{nowhere}, or log in for a private or gated model: {_one_line(error)}") from error
    except Exception as error:  # no network, in the many shapes that it takes
        try:
            return hf_hub_download(name, INDEX, local_files_only=True), True
        except Exception:
            raise ModelError(f"{nowhere} and the network, or download it elsewhere: {_one_line(error)}") from error


def _pipelines(class_name: Any, config: dict[str, Any]) -> tuple[Any, Any]:
    """The classes (text-to-image, image-to-image) for a checkpoint of that class, None where there is none."""
    with _quiet("bitsandbytes"):
        import diffusers
        from diffusers.pipelines import auto_pipeline as auto
    if class_name in INSTRUCT:
        return None, getattr(diffusers, class_name)
    if not isinstance(class_name, str) or UNFIT.search(class_name):  # a list names code that comes with it
        return None, None
    mappings = auto.AUTO_TEXT2IMAGE_PIPELINES_MAPPING, auto.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING
    text, image = (auto._get_task_class(mapping, class_name, throw_error_if_not_exist=False) for mapping in mappings)
    # SDXL's refiner bears the class of SDXL's twin, but it cannot start from a text.
    return (None if config.get("requires_aesthetics_score") else text), image


def _load(pipeline: Any, name: str, dtype: "torch.dtype", offline: bool) -> Any:
    """The pipeline with its weights in `dtype`, on the CPU. Raises ModelError for missing or damaged files."""
    import torch

    problems: list[Exception] = []
    # Many repositories hold fp16 files beside the others, some hold nothing else; diffusers looks for one kind only.
    for variant in ("fp16", None) if dtype == torch.float16 else (None, "fp16"):
        options = {"dtype": dtype, "variant": variant, "local_files_only": offline, **_filters_off(pipeline)}
        try:
            with _quiet("diffusers", "transformers") as reports:
                pipe = pipeline.from_pretrained(name, use_safetensors=True, **options)  # a pickle could run code
        except Exception as error:  # damage raises whatever the reader of the file raises
            problems.append(error)
            if not ABSENT.search(str(error)):
                break
        else:
            _check_complete(pipe, reports, name)
            return pipe
    raise ModelError(_why_not_loaded(name, problems)) from problems[-1]


def _filters_off(pipeline: Any) -> dict[str, Any]:
    """Options without the safety checker, which blackens pictures, and the watermark, which changes every one."""
    known = _parameters(pipeline.__init__)
    options = {"safety_checker": None, "feature_extractor": None} if "safety_checker" in known else {}
    options.update(requires_safety_checker=False, add_watermarker=False)
    return {key: value for key, value in options.items() if key in known}


def _twin(pipe: Any) -> Any:
    from diffusers import AutoPipelineForImage2Image  # shares the modules

    with _quiet("diffusers"):  # the twin's own from_pipe would cast every module, also those to be kept in fp32
        return AutoPipelineForImage2Image.from_pipe(pipe, **_filters_off(pipe))


def _check_complete(pipe: Any, reports: list[str], name: str) -> None:
    """Refuse a checkpoint with gaps, which the libraries fill with random weights or an empty vocabulary."""
    gaps = re.findall(r"^(.+?) +\| .*MISSING", "\n".join(reports), re.MULTILINE)  # transformers' report
    for part, module in pipe.components.items():
        if hasattr(module, "named_parameters"):  # diffusers leaves what is missing without data
            gaps += [f"{part}.{key}" for key, weight in module.named_parameters() if weight.is_meta]
        encoder = getattr(pipe, part.replace("tokenizer", "text_encoder"), None)
        if part.startswith("tokenizer") and module is not None and encoder is not None:
            words = getattr(encoder.config.get_text_config(), "vocab_size", 0)
            gaps += [part] if len(module) < words / 2 else []
    if gaps:
        raise ModelError(f"{name} is incomplete. It lacks {', '.join(gaps)[:300]}: download it again.")


def _why_not_loaded(name: str, problems: list[Exception]) -> str:
    texts = [_one_line(problem) for problem in problems]
    damage = [text for text in texts if not ABSENT.search(text)]
    pickled = {file.parent.name for file in Path(name).glob("*/*.bin") if not any(file.parent.glob("*.safetensors"))}
    if not damage and (pickled or "`safetensors`" in texts[-1]):  # a folder's, or the hub's
        where = ", ".join(sorted(pickled)) or "some parts"
        return f"{name} has only pickles (.bin) of {where}, which can run code: have them saved as safetensors."
    absent = [text for text in texts if "modeling files" not in text]  # a part tells more than a variant
    return f"cannot load {name}: {(damage or absent or texts)[0]} Mend the folder or download the model again."


def _multiple(pipe: Any) -> int:
    """What width and height must be divisible by: the VAE's scale, times the patches that a transformer works on."""
    config = pipe.transformer.config if getattr(pipe, "transformer", None) else {}
    patch = config.get("patch_size") or max(config.get("all_patch_size") or [1])
    if hasattr(pipe, "_pack_latents"):  # Flux and its kin pack 2x2 latents outside the transformer
        patch = max(patch, 2)
    return math.lcm(8, getattr(pipe, "vae_scale_factor", 8) * patch)  # SD and SDXL ask for 8 whatever the VAE


def _parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def _one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".") + "."


@contextmanager
def _quiet(*names: str) -> Iterator[list[str]]:
    """Hold back Python's warnings and what the named loggers say, which goes into the list that it yields."""
    kept: list[str] = []
    keeper = logging.Handler()
    keeper.emit = lambda record: kept.append(record.getMessage())
    before = [(one, one.handlers, one.propagate, one.level) for one in map(logging.getLogger, names)]
    for logger, *_ in before:
        logger.handlers, logger.propagate = [keeper], False
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield kept
    finally:
        for logger, logger.handlers, logger.propagate, level in before:
            logger.setLevel(level)
