"""The diffusers family: decoders that diffusers' auto pipelines know, and InstructPix2Pix.

One checkpoint serves all modes: text mode by its text-to-image pipeline, the others by the image-to-image twin, which
shares its modules. Pre-processing, guidance and scheduler are those of the published script and of the checkpoint.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...base import Job, ModelError, T2IModel
from . import lora, steps
from . import options as settings
from .checkpoint import INSTRUCT, find
from .loading import image_twin, load_pipeline, overflowed, parameter_names, quiet
from .prompts import Prompts

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image


class Model(T2IModel):
    """Any such checkpoint, from a folder or from the hub; its modes are those that its pipelines can do."""

    def inspect(self, model_dir: str | None) -> None:
        self._checkpoint = find(model_dir or self.default_dir)
        self.revision = self._checkpoint.revision
        text, image = self._checkpoint.text, self._checkpoint.image
        self.accepts_strength = image is None or "strength" in parameter_names(image.__call__)
        guided = {"full", "image", "pixel"} if self.accepts_strength else {"full", "image"}
        self.modes = frozenset(({"text"} if text else set()) | (guided if image else set()))
        # Other edit pipelines (Kontext, FLUX.2, Qwen-Image-Edit) take a list of images for several guides of one.
        self.max_batch = None if self.accepts_strength or image.__name__ in INSTRUCT else 1

    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        self.inspect(model_dir)
        name, text, image = self._checkpoint.name, self._checkpoint.text, self._checkpoint.image
        for pipeline, used in ((text, "text" in modes), (image, modes != {"text"})):
            if pipeline and used:  # before minutes of reading weights
                settings.refuse(pipeline, device, options)
        self._pipes = self._assemble(dtype, modes)
        if options.get("steps"):
            steps.check(self._pipes, options["steps"], options.get("strengths") or ())
        pipes = list({id(pipe): pipe for pipe in self._pipes.values()}.values())
        negative = options.get("negative_prompt") or None
        self._guidance = {}
        for pipe in pipes:
            settings.refuse(pipe, device, options)
            pipe.set_progress_bar_config(disable=True)
            self._guidance[id(pipe)], negative = settings.guidance_arguments(pipe, options.get("guidance"), negative)
        self._prompts = Prompts(pipes[0], negative, bool(options.get("long_prompts")))
        if options.get("lora"):
            commit = lora.add(pipes[0], options["lora"])
            self.identity = {"lora_revision": commit} if commit else {}
        if options.get("vae_tiling"):
            settings.tile(pipes[0])
        if options.get("compile"):
            settings.compile_denoiser(pipes[0])
        settings.place(pipes, options.get("offload"), device, name)

    def _assemble(self, dtype: torch.dtype, modes: frozenset[str]) -> dict[str, Any]:
        """The pipelines for jobs without ("text") and with a guide ("image"), on the CPU."""
        name, offline, text, image, revision = self._checkpoint
        pipe = load_pipeline(text if "text" in modes else image, name, dtype, offline, revision)
        twin = "text" in modes and modes != {"text"} and image is not text
        return {"text": pipe, "image": image_twin(pipe) if twin else pipe}

    def generate(self, jobs: list[Job]) -> list[Image.Image]:
        """As the contract says. Raises ModelError for a strength that leaves no step, and for non-finite pixels."""
        first = jobs[0]
        assert len({(job.size, job.strength, job.steps, job.guide is None) for job in jobs}) == 1, "jobs must be alike"
        pipe = self._pipes["text" if first.guide is None else "image"]
        made = {}
        for places, prompts in self._prompts.groups(pipe, [job.prompt for job in jobs]):
            made.update(zip(places, self._make(pipe, [jobs[place] for place in places], prompts)))
        return [made[place] for place in range(len(jobs))]

    def _make(self, pipe: Any, jobs: list[Job], prompts: dict[str, Any]) -> list[Image.Image]:
        import torch

        first = jobs[0]
        arguments = {
            **prompts,
            **self._guidance[id(pipe)],
            "num_inference_steps": first.steps,
            # On the CPU and one an image: the noise is then the same on every device and in every batch.
            "generator": [torch.Generator("cpu").manual_seed(job.seed) for job in jobs],
            "output_type": "np",  # PIL would turn NaN into black
        }
        multiple = _multiple(pipe)
        size = tuple(max(multiple, side - side % multiple) for side in first.size)
        if first.guide is not None:
            guide_size = size if _needs_exact_guide(pipe) else first.size
            arguments["image"] = [job.guide.resize(guide_size) for job in jobs]  # PIL's default, as published: bicubic
            if self.accepts_strength:
                arguments["strength"] = first.strength
                if int(first.steps * first.strength) < 1:  # as the pipelines count; SD and SDXL crash without a step
                    raise ModelError(f"--steps {first.steps} x --strength {first.strength} leaves no step: raise one.")
        # With a guide, SD and SDXL take no size and floor the guide's; SD3 and Flux ignore the guide's and need one.
        known = parameter_names(pipe.__call__)
        if "height" in known:
            arguments["width"], arguments["height"] = size
        if "_auto_resize" in known:  # Kontext would take the nearest of its own sizes, of an area of its own
            arguments["_auto_resize"], arguments["max_area"] = False, size[0] * size[1]
        with quiet("diffusers", "transformers"):
            images = self._call(pipe, arguments)
        broken = ", ".join(job.name for job, image in zip(jobs, images, strict=True) if not math.isfinite(image.sum()))
        if broken:
            raise ModelError(overflowed(broken, pipe.dtype))
        return pipe.numpy_to_pil(images)

    def _call(self, pipe: Any, arguments: dict[str, Any]) -> np.ndarray:
        """The images that the pipeline makes, as numbers from 0 to 1: image, row, column, channel."""
        return pipe(**arguments).images


def _needs_exact_guide(pipe: Any) -> bool:
    """Whether a guide whose sides are no multiples would be cropped (FLUX.2) or stop the run (Kandinsky)."""
    return "movq" in pipe.components or pipe.__class__.__name__.startswith("Flux2")


def _multiple(pipe: Any) -> int:
    """What width and height must be divisible by: the VAE's scale, times the patches that a transformer works on."""
    if "movq" in pipe.components:  # Kandinsky's UNet halves what is an eighth three times, and takes no odd sides
        return 64
    config = pipe.transformer.config if getattr(pipe, "transformer", None) else {}
    patch = config.get("patch_size") or max(config.get("all_patch_size") or [1])
    if hasattr(pipe, "_pack_latents"):  # Flux and its kin pack 2x2 latents outside the transformer
        patch = max(patch, 2)
    return math.lcm(8, getattr(pipe, "vae_scale_factor", 8) * patch)  # SD and SDXL ask for 8 whatever the VAE
