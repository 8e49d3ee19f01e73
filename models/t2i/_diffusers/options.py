"""What the options of `load` do to a pipeline of diffusers, and which pipelines cannot honour which option.

An option that changes pictures is honoured or refused: diffusers itself only warns about most of what it ignores.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
from typing import Any

from ...base import ModelError
from .loading import one_line, quiet
from .lora import check as check_lora
from .prompts import CHUNKED

DENOISERS = ("unet", "transformer", "transformer_2", "controlnet")


def refuse(pipeline: Any, device: str, options: dict[str, Any]) -> None:
    """Raise ModelError for an option that a pipeline, class or object, cannot honour; needs no weights."""
    name, known = _class_name(pipeline), inspect.signature(pipeline.__call__).parameters
    guidance = options.get("guidance")
    if guidance is not None and not (math.isfinite(guidance) and guidance >= 0):
        raise ModelError(f"--guidance {guidance}: give a number from 0 up.")
    if guidance is not None and _scale(known) is None:
        raise ModelError(f"{name} has no guidance scale: leave out --guidance.")
    if _meant(options.get("negative_prompt")) and ("negative_prompt" not in known or _embedded(known)):
        raise ModelError(f"{name} takes no negative prompt: leave out --negative_prompt.")
    _refuse_lora(pipeline, options.get("lora"))
    _refuse_offload(device, options)
    if options.get("long_prompts"):
        if name not in CHUNKED:
            raise ModelError(f"--long_prompts is for Stable Diffusion 1, 2 and XL, and {name} is none: leave it out.")
        _need("compel", "--long_prompts", "compel>=2.5")


def guidance_arguments(pipe: Any, guidance: float | None, negative: str | None) -> tuple[dict[str, float], str | None]:
    """The guidance scale as the pipeline's argument (none: its own), and the negative prompt to encode.

    Raises ModelError where this checkpoint would ignore either, which only its configuration tells.
    """
    name, known = _class_name(pipe), inspect.signature(pipe.__call__).parameters
    scale = _scale(known)
    denoiser = next((part for part in (getattr(pipe, each, None) for each in DENOISERS) if part is not None), None)
    config = getattr(denoiser, "config", {})
    distilled = pipe.config.get("is_distilled") or (_embedded(known) and not config.get("guidance_embeds"))
    if distilled and guidance is not None:
        raise ModelError(f"this {name} is distilled to work without guidance: leave out --guidance.")
    if scale == "true_cfg_scale" and guidance is not None and negative is None:
        negative = " "  # without any the pipeline does not guide; the blank is what its model card gives
    if _meant(negative):
        value = guidance if guidance is not None else known[scale].default if scale else None
        if distilled or config.get("time_cond_proj_dim"):
            raise ModelError(
                f"this {name} is distilled to work without a negative prompt: leave out --negative_prompt."
            )
        if value is not None and value <= 1:
            raise ModelError(f"--negative_prompt has no effect at guidance {value:g}: give --guidance above 1.")
    return {} if guidance is None else {scale: guidance}, negative


def tile(pipe: Any) -> None:
    """Let the VAE work in tiles. Raises ModelError where it cannot."""
    try:
        pipe.vae.enable_tiling()
    except (AttributeError, NotImplementedError) as error:
        raise ModelError(f"the VAE of {_class_name(pipe)} cannot work in tiles: leave out --vae_tiling.") from error


def compile_denoiser(pipe: Any) -> None:
    """Compile the denoiser in place, so that the twin has it too; it happens at the first picture."""
    parts = [part for part in (getattr(pipe, each, None) for each in DENOISERS) if part is not None]
    if not parts:
        raise ModelError(f"{_class_name(pipe)} has no denoiser that can be compiled: leave out --compile.")
    for part in parts:
        part.compile()


def place(pipes: list[Any], kind: str | None, device: str, name: str) -> None:
    """Bring pipelines that share their modules onto the device, offloaded where `kind` says so. Raises ModelError."""
    try:
        with quiet("diffusers"):
            if kind:
                offload(pipes, kind, device)
            else:
                pipes[0].to(device)  # and so the twin, which shares the modules
    except (AssertionError, RuntimeError) as error:  # torch asserts that it was built for the device
        raise ModelError(f"cannot put {name} on '{device}': {one_line(error)} Choose another --device.") from error


def offload(pipes: list[Any], kind: str, device: str) -> None:
    """Keep the modules in the CPU's memory but for those at work: whole ("model") or layer by layer ("sequential")."""
    if kind == "sequential":  # lives in the modules alone, which the pipelines share
        pipes[0].enable_sequential_cpu_offload(device=device)
        return
    # A pipeline that has not enabled it itself leaves its last module on the GPU. Each call takes the hooks away that
    # another pipeline has set, so twins do not get in each other's way.
    for pipe in pipes:
        pipe.enable_model_cpu_offload(device=device)


def _refuse_lora(pipeline: Any, lora: str | None) -> None:
    if lora is None:
        return
    if not hasattr(pipeline, "load_lora_weights"):
        raise ModelError(f"diffusers has no LoRA for {_class_name(pipeline)}: leave out --lora.")
    _need("peft", "--lora", "peft>=0.20")
    check_lora(lora)


def _refuse_offload(device: str, options: dict[str, Any]) -> None:
    kind = options.get("offload")
    if kind and not device.startswith("cuda"):
        raise ModelError(f"--offload {kind} needs an Nvidia or AMD GPU (--device cuda), not '{device}': leave it out.")
    if kind == "sequential" and options.get("compile"):
        raise ModelError(
            "--offload sequential moves layer by layer, so --compile has no whole to work on: leave one out."
        )


def _scale(known: Any) -> str | None:
    """The parameter that is the guidance scale: of Qwen-Image's two it is the one that has a value of its own."""
    named = [name for name in ("guidance_scale", "true_cfg_scale") if name in known]
    return next((name for name in named if known[name].default is not None), named[0] if named else None)


def _embedded(known: Any) -> bool:
    """Whether guidance is an input of the denoiser (Flux), so that a negative prompt would not be looked at."""
    return "true_cfg_scale" in known and _scale(known) == "guidance_scale"


def _meant(negative: str | None) -> bool:
    """Whether a negative prompt says anything: a blank is only what makes Qwen-Image guide at all."""
    return bool(negative and negative.strip())


def _need(package: str, flag: str, requirement: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ModelError(f"{flag} needs the package {package}: pip install '{requirement}'.")


def _class_name(pipeline: Any) -> str:
    return getattr(pipeline, "__name__", None) or type(pipeline).__name__
