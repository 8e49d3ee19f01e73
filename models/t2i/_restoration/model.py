"""The base class of restoration decoders: options, prompts, seeds, and checks that all of them share.

A subclass says what its authors' numbers are, puts its parts together and restores a batch. Its parts stand in one of
diffusers' pipelines, which is never called: it holds modules, moves them, and encodes prompts.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base import Job, ModelError, T2IModel
from .._diffusers import options as settings
from .._diffusers.loading import overflowed, quiet
from .._diffusers.prompts import Prompts
from . import checkpoint

if TYPE_CHECKING:
    import torch
    from PIL import Image

TRAINED = 1000  # timesteps of Stable Diffusion's noise schedule


class Model(T2IModel):
    # Known without asking the checkpoint, so that a wrong mode is refused before anything is read
    modes = frozenset({"full", "image"})
    accepts_strength = False
    image_prompt = ""  # the authors have no caption there, and none of their systems needs one
    guidance: float  # the authors' scale, 1 for none
    fewest_steps = 1  # 2 for a schedule that goes from the noisiest time to 0: a single step is at 0
    negative = ""  # the authors' negative prompt
    parts_beside: tuple[str, ...] = ()  # attributes that hold networks of its own, which always stay on the device

    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        """As the contract says. Options used: guidance, negative_prompt, long_prompts, offload, vae_tiling, compile,
        base (str or None),
        and steps (int), to refuse too many."""
        self.inspect(model_dir)
        self._set_guidance(options)
        if options.get("steps"):
            self._check_steps(options["steps"])
        with quiet("bitsandbytes"):
            from diffusers import StableDiffusionControlNetPipeline
        settings.refuse(StableDiffusionControlNetPipeline, device, options)  # before minutes of reading weights
        base = options.get("base") or self.base
        self._pipe = self._assemble(dtype, base)
        for part in ("vae", "text_encoder", "unet", *self.parts_beside):
            getattr(self._pipe, part, getattr(self, part, None)).eval().requires_grad_(False)
        self._prompts = Prompts(self._pipe, self.negative, bool(options.get("long_prompts")))
        # Picture by picture: less memory, and on a CPU torch rounds a group norm of several pictures in another way,
        # which the steps to 8 bits would enlarge
        self._pipe.vae.enable_slicing()
        if options.get("vae_tiling"):
            settings.tile(self._pipe)
        if options.get("compile"):
            settings.compile_denoiser(self._pipe)
        settings.place([self._pipe], options.get("offload"), device, model_dir or self.default_dir or "")
        for part in self.parts_beside:
            getattr(self, part).to(device)

    @property
    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    def _check_steps(self, steps: int) -> None:
        if not self.fewest_steps <= steps <= TRAINED:
            raise ModelError(f"--steps {steps}: {self._name} takes {self.fewest_steps} to {TRAINED}.")

    def _set_guidance(self, options: dict[str, Any]) -> None:
        """Take guidance scale and negative prompt from the options. Raises ModelError for what has no effect."""
        if options.get("lora"):
            raise ModelError(f"{self._name} takes no LoRA: its denoiser is no stock UNet. Leave out --lora.")
        given = options.get("guidance")
        if given is not None:
            self.guidance = given
        if options.get("negative_prompt"):
            self.negative = options["negative_prompt"]
            if self.guidance <= 1:
                raise ModelError(
                    f"--negative_prompt has no effect at guidance {self.guidance:g}: give --guidance above 1."
                )

    @abstractmethod
    def _assemble(self, dtype: torch.dtype, base: str) -> Any:
        """The pipeline that holds tokenizer, text encoder, VAE, UNet, scheduler (and a ControlNet), on the CPU.

        What stands in it beside a pipeline's own parts goes into attributes, which `parts_beside` names.
        """

    @abstractmethod
    def _restore(self, jobs: list[Job], text: torch.Tensor, unwanted: torch.Tensor) -> list[Image.Image]:
        """The restored pictures of jobs of one size, made without gradients.

        text, unwanted: embeddings of the prompts and of the negative prompt, (n, tokens, width), on the device.
        """

    def _tell(self, second: Path | None, base_revision: str | None) -> None:
        """Keep what --model_dir and --base alone do not tell: a second file of weights, the commit of a hub's base."""
        found = {"second_file": second and checkpoint.told(second), "base_revision": base_revision}
        self.identity = {key: value for key, value in found.items() if value}

    def prompt(self, caption: str) -> str:
        """What the text encoder gets for a caption, which is "" in image mode. The authors' words stand in it."""
        return caption

    def generate(self, jobs: list[Job]) -> list[Image.Image]:
        """As the contract says. Raises ModelError for a job without a guide and for pixels that are no numbers."""
        import torch

        if missing := [job.name for job in jobs if job.guide is None]:
            raise ModelError(f"{missing[0]}: there is no reference to restore; run it with --mode full or image.")
        assert len({(job.size, job.steps) for job in jobs}) == 1, "jobs must be alike"
        made: dict[int, Image.Image] = {}
        with torch.inference_mode(), quiet("diffusers", "transformers"):
            for places, prompts in self._prompts.groups(self._pipe, [self.prompt(job.prompt) for job in jobs]):
                chosen = [jobs[place] for place in places]
                made.update(
                    zip(
                        places,
                        self._restore(chosen, prompts["prompt_embeds"], prompts["negative_prompt_embeds"]),
                        strict=True,
                    )
                )
            self._pipe.maybe_free_model_hooks()
        return [made[place] for place in range(len(jobs))]

    def _guided(
        self,
        network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        latents: torch.Tensor,
        text: torch.Tensor,
        unwanted: torch.Tensor,
    ) -> torch.Tensor:
        """`network(latents, embeddings)` under classifier-free guidance (arXiv 2207.12598), in one call of both."""
        import torch

        if self.guidance <= 1:
            return network(latents, text)
        both = network(torch.cat([latents, latents]), torch.cat([unwanted, text]))
        away, towards = both.chunk(2)
        return away + self.guidance * (towards - away)

    def _controlled(
        self, latents: torch.Tensor, control: torch.Tensor, time: torch.Tensor, text: torch.Tensor
    ) -> torch.Tensor:
        """What the UNet answers with the ControlNet's residuals, (n, channels, height, width)."""
        down, middle = self._pipe.controlnet(latents, time, text, control, return_dict=False)
        return self._pipe.unet(
            latents,
            time,
            text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]

    def _check_numbers(self, pixels: torch.Tensor, jobs: Sequence[Job]) -> None:
        """Raise ModelError where a picture overflowed, which conversion to 8 bits would hide."""
        broken = [job.name for job, each in zip(jobs, pixels) if not math.isfinite(each.sum())]
        if broken:
            raise ModelError(overflowed(", ".join(broken), self._pipe.vae.dtype))
