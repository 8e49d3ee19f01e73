"""Loading a pipeline of diffusers whole: either variant, safetensors only, no filters, nothing missing."""

from __future__ import annotations

import inspect
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base import ModelError

if TYPE_CHECKING:
    import torch

# How diffusers says that the files of a variant are not there, rather than damaged.
ABSENT = re.compile("no such modeling files|no file named|necessary `safetensors`")


def load_pipeline(
    pipeline: Any, name: str, dtype: torch.dtype, offline: bool, revision: str | None = None, **parts: Any
) -> Any:
    """The pipeline with its weights in `dtype`, on the CPU. Raises ModelError for missing or damaged files.

    revision: the commit on the hub. parts: components to take in place of the checkpoint's, whose files are then not
    read; None for none at all.
    """
    import torch

    problems: list[Exception] = []
    # Many repositories hold fp16 files beside the others, some hold nothing else; diffusers looks for one kind only.
    for variant in ("fp16", None) if dtype == torch.float16 else (None, "fp16"):
        options = {"dtype": dtype, "variant": variant, "local_files_only": offline, **_filters_off(pipeline)}
        options |= {"revision": revision} if revision else {}
        options |= parts
        try:
            with quiet("diffusers", "transformers") as reports:
                pipe = pipeline.from_pretrained(name, use_safetensors=True, **options)  # a pickle could run code
        except Exception as error:  # damage raises whatever the reader of the file raises
            problems.append(error)
            if not ABSENT.search(str(error)):
                break
        else:
            _check_complete(pipe, reports, name)
            return pipe
    raise ModelError(why_not_loaded(name, problems)) from problems[-1]


def _filters_off(pipeline: Any) -> dict[str, Any]:
    """Options without the safety checker, which blackens pictures, and the watermark, which changes every one."""
    known = parameter_names(pipeline.__init__)
    options = {"safety_checker": None, "feature_extractor": None} if "safety_checker" in known else {}
    options.update(requires_safety_checker=False, add_watermarker=False)
    return {key: value for key, value in options.items() if key in known}


def image_twin(pipe: Any) -> Any:
    from diffusers import AutoPipelineForImage2Image  # shares the modules

    with quiet("diffusers"):  # the twin's own from_pipe would cast every module, also those to be kept in fp32
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
            text = getattr(module, "tokenizer", module)  # FLUX.2 dev has a processor in its place
            gaps += [part] if len(text) < words / 2 else []
    if gaps:
        raise ModelError(f"{name} is incomplete. It lacks {', '.join(gaps)[:300]}: download it again.")


def why_not_loaded(name: str, problems: list[Exception]) -> str:
    texts = [one_line(problem) for problem in problems]
    damage = [text for text in texts if not ABSENT.search(text)]
    pickled = {file.parent.name for file in Path(name).glob("*/*.bin") if not any(file.parent.glob("*.safetensors"))}
    if not damage and (pickled or "`safetensors`" in texts[-1]):  # a folder's, or the hub's
        where = ", ".join(sorted(pickled)) or "some parts"
        return f"{name} has only pickles (.bin) of {where}, which can run code: have them saved as safetensors."
    absent = [text for text in texts if "modeling files" not in text]  # a part tells more than a variant
    return f"cannot load {name}: {(damage or absent or texts)[0]} Mend the folder or download the model again."


def parameter_names(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".") + "."


def overflowed(names: str, dtype: torch.dtype) -> str:
    """What to say of pictures whose pixels are no numbers, by the type that the model computes in."""
    kind = str(dtype).removeprefix("torch.")
    remedy = "fetch the checkpoint again, its weights may be damaged" if kind == "float32" else "use --dtype fp32"
    return f"pixels that are no numbers in {names}: {kind} overflowed; {remedy}."


@contextmanager
def quiet(*names: str) -> Iterator[list[str]]:
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
