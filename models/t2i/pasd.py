"""PASD: restores the reference by Stable Diffusion 1.5 with a ControlNet and attention to the reference's pixels.

The authors caption the picture themselves; here full mode's caption stands in that place, and image mode has none.
`--model_dir` is their checkpoint (plain PASD: folders unet and controlnet), `--base` a Stable Diffusion 1.5.
Apache-2.0 (code and weights), on Stable Diffusion 1.5's CreativeML OpenRAIL-M. arXiv 2308.14469.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import Job, ModelError
from ._diffusers.loading import load_pipeline
from ._restoration import Model as Family
from ._restoration import checkpoint, colour, pictures
from ._restoration.tiles import tiled

if TYPE_CHECKING:
    import torch
    from PIL import Image

SHORT = 768  # px that a picture's short side is enlarged to
ADDED_NOISE = 900  # the timestep whose noise the start gets besides
# Latents of more than TILE x TILE go through the denoiser in tiles: pictures of 2560x2560 px, or longer and narrower
TILE, OVERLAP, BATCH = 320, 8, 4
ROOTS = ("", "checkpoint-100000", "pasd/checkpoint-100000", "runs/pasd/checkpoint-100000")


class Model(Family):
    default_dir = "yangtao9009/PASD"
    base = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    also = (base,)
    parameters = 1.8
    steps = 20
    guidance = 9.0
    negative = "blurry, dotted, noise, raster lines, unclear, lowres, over-smoothed"

    def inspect(self, model_dir: str | None) -> None:
        """Raises ModelError for a checkpoint that is not plain PASD's, as far as its configurations tell."""
        name = model_dir or self.default_dir or ""
        self._folder = checkpoint.Folder(name, ROOTS, "unet/config.json")
        self._unet, self._control = self._folder.config("unet"), self._folder.config("controlnet")
        self.revision = self._folder.revision
        if self._unet.get("addition_embed_type") or self._unet.get("cross_attention_dim") == 2048:
            raise ModelError(f"{name} is a PASD-SDXL, which is not run here: give plain PASD's checkpoint.")
        if self._control.get("use_rrdb"):
            raise ModelError(f"{name} is a pasd_rrdb, which is not run here: give plain PASD's checkpoint.")

    def prompt(self, caption: str) -> str:
        return ", ".join(text for text in (caption, "clean, high-resolution, 8k") if text)

    def _assemble(self, dtype: torch.dtype, base: str) -> Any:
        import diffusers

        from ._restoration.pixel_attention import PixelUNet

        stable = checkpoint.find_base(base, "this PASD", self._unet.get("cross_attention_dim", 0))
        self._tell(None, stable.revision)
        files = {part: self._folder.weights(part) for part in ("unet", "controlnet")}
        _refuse_others(self._folder.name, *(checkpoint.sizes(path) for path in files.values()))
        unet = checkpoint.stock(diffusers.UNet2DConditionModel, self._unet)
        control = checkpoint.stock(diffusers.ControlNetModel, self._control)
        own = {
            "unet": checkpoint.build(lambda: PixelUNet(**unet), files["unet"], dtype),
            "controlnet": checkpoint.build(
                lambda: diffusers.ControlNetModel(**control),
                files["controlnet"],
                dtype,
                drop=[r"controlnet_cond_embedding\.to_rgbs\..*"],  # pictures to train it by
            ),
        }
        stock = load_pipeline(
            diffusers.StableDiffusionPipeline, stable.name, dtype, stable.offline, stable.revision, unet=None
        ).components
        scheduler = diffusers.UniPCMultistepScheduler.from_config(
            stock["scheduler"].config,
            timestep_spacing="linspace",  # its own, since Stable Diffusion 1.5 names none
        )
        parts = {**stock, **own, "scheduler": scheduler}
        return diffusers.StableDiffusionControlNetPipeline(**parts, requires_safety_checker=False)

    def _restore(self, jobs: list[Job], text: torch.Tensor, unwanted: torch.Tensor) -> list[Image.Image]:
        pipe, scheduler = self._pipe, self._pipe.scheduler
        multiple = pipe.vae_scale_factor
        guides = [_enlarged(guide, multiple) for guide in pictures.guides(jobs)]
        control = pictures.to_tensor(guides).to(text.device, pipe.unet.dtype)
        scheduler.set_timesteps(jobs[0].steps, device=text.device)
        latents = self._start(control, pictures.generators(jobs))
        for time in scheduler.timesteps:
            noise = self._noise(latents, control, time, text, unwanted)
            latents = scheduler.step(noise, time, latents).prev_sample
        pixels = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample / 2 + 0.5
        self._check_numbers(pixels, jobs)
        made = pictures.to_tensor(pictures.to_pictures(pixels, truncate=False))
        return pictures.to_pictures(colour.wavelet(made, pictures.to_tensor(guides)), truncate=True)

    def _start(self, control: torch.Tensor, sources: list[torch.Generator]) -> torch.Tensor:
        """The reference's latent under noise twice over: that of the first timestep, and that of ADDED_NOISE.

        The scheduler takes a timestep that is none of its own for its last one, so that the second adds next to
        nothing; so it does for the authors since diffusers 0.25, whose results have been made with it.
        """
        pipe = self._pipe
        posterior = pipe.vae.encode(control * 2 - 1).latent_dist
        latents = posterior.mean + posterior.std * pictures.noise(sources, posterior.mean)
        latents = latents * pipe.vae.config.scaling_factor
        for time in (pipe.scheduler.timesteps[:1], pipe.scheduler.timesteps.new_tensor([ADDED_NOISE])):
            noise = pictures.noise(sources, latents)
            latents = pipe.scheduler.add_noise(latents, noise, time.expand(len(latents)))
        return latents

    def _noise(
        self,
        latents: torch.Tensor,
        control: torch.Tensor,
        time: torch.Tensor,
        text: torch.Tensor,
        unwanted: torch.Tensor,
    ) -> torch.Tensor:
        """What the denoiser takes for noise in `latents`, in tiles where these are large."""
        from torch.nn import functional as F

        def network(latents: torch.Tensor, control: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            pixels = F.pixel_shuffle(control, scale)
            return self._guided(
                lambda both, words: self._denoised(both, pixels, time, words), latents, text[rows], unwanted[rows]
            )

        scale = control.shape[-1] // latents.shape[-1]
        height, width = latents.shape[2:]
        size = min(TILE, height, width) if height * width > TILE * TILE else max(height, width)
        # A latent's place holds all of its pixels, so that both are cut alike
        return tiled(network, [latents, F.pixel_unshuffle(control, scale)], size, size - OVERLAP, BATCH)

    def _denoised(
        self, latents: torch.Tensor, control: torch.Tensor, time: torch.Tensor, text: torch.Tensor
    ) -> torch.Tensor:
        control = control.repeat(len(latents) // len(control), 1, 1, 1)  # both halves of guidance see it
        return self._controlled(latents, control, time, text)


def _enlarged(guide: Image.Image, multiple: int) -> Image.Image:
    """The guide with its short side at SHORT px or more, and both sides whole multiples."""
    from PIL import Image

    width, height = guide.size
    short, long = min(guide.size), int(SHORT * max(guide.size) / min(guide.size))
    if short < SHORT:
        size = (SHORT, long) if width < height else (long, SHORT)
        pictures.refuse_large(size)
        guide = guide.resize(size, Image.Resampling.BILINEAR)
    width, height = guide.size
    return guide.resize((width // multiple * multiple, height // multiple * multiple))


def _refuse_others(name: str, unet: dict[str, list[int]], control: dict[str, list[int]]) -> None:
    """Refuse what the configurations do not tell apart, by the names of the weights."""
    other = None
    if any("attn2_plus" in key for key in unet):
        other = "is a pasd_light"
    elif any(".preprocesser." in key for key in control):
        other = "is a pasd_rrdb"
    elif not any(".pixel_attentions." in key for key in unet):
        other = "has no pixel attention: it is a stock UNet, not PASD's"
    if other:
        raise ModelError(f"{name} {other}, which is not run here: give plain PASD's checkpoint.")
