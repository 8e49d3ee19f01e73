"""Tiny checkpoints of the restoration decoders, with random weights, in their authors' own layouts.

Every builder takes the folder to write, returns what `--model_dir` takes, needs no network and gives the same weights
each time. The pictures mean nothing. Where an architecture allows it, latents are 32 times smaller than the picture
instead of 8, so that the sizes that the authors work at are cheap.
"""

from __future__ import annotations

from pathlib import Path

import diffusers
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_ldm import bsrnet, filled, ldm_control, ldm_text, ldm_unet, ldm_vae, swinir
from tiny_t2i_blocks import WIDTH, clip_tokenizer

SPREAD = 0.02  # of what is added to every weight, since much of a control begins as zeros


def guide(width: int, height: int) -> Image.Image:
    """A picture of slopes and stripes, the same everywhere: no library's noise is in it."""
    y, x = np.mgrid[:height, :width]
    channels = (x * 255 // width, y * 255 // height, (x // 7 + y // 5) % 2 * 128 + 64)
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def shaken(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """The module with noise on all of its weights, under a seed of its own."""
    source = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.data += SPREAD * torch.randn(weight.shape, generator=source)
    return module.eval()


def calmed(unet: torch.nn.Module) -> torch.nn.Module:
    """The UNet with small answers: guidance on random ones would make latents of hundreds, and rounding errors show."""
    for weight in unet.conv_out.parameters():
        weight.data *= 0.1
    return unet


def pasd(folder: Path, channels: tuple[int, ...] = (16, 16), layers: int = 1, levels: int = 6) -> Path:
    """PASD: folders unet and controlnet as diffusers saves them, with the layers that its training alone used.

    channels: of the levels. layers: blocks a level. levels: of the VAE that goes with it.
    """
    from models.t2i._restoration.pixel_attention import PixelUNet

    attentive = len(channels) - 1
    shared = {
        "block_out_channels": channels,
        "down_block_types": ("CrossAttnDownBlock2D",) * attentive + ("DownBlock2D",),
        "layers_per_block": layers,
        "attention_head_dim": 2,
        "cross_attention_dim": WIDTH,
        "norm_num_groups": 8,
    }
    shape = (8, 8, 16, 16, 16, 16)[:levels]
    ups = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * attentive
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = PixelUNet(**shared, up_block_types=ups, sample_size=32)
        control = diffusers.ControlNetModel(**shared, conditioning_embedding_out_channels=shape)
        embedding = control.controlnet_cond_embedding
        embedding.to_rgbs = torch.nn.ModuleList(torch.nn.Conv2d(width, 3, 3, padding=1) for width in shape[1:])
        calmed(shaken(unet, 1))
        shaken(control, 2)
    unet.save_pretrained(folder / "unet")
    control.register_to_config(return_rgbs=True, use_rrdb=False)
    control.save_pretrained(folder / "controlnet")
    return folder


CHANNELS, TEXT = (64, 128), 64  # of DiffBIR's tiny networks: a head has 64 channels
CONTROLS = {"v2": "v2.pth", "v1": "v1_general.pth", "v2.1": "DiffBIR_v2.1.pt"}
CLEANERS = {"v2": "BSRNet.pth", "v1": "general_swinir_v1.ckpt", "v2.1": "realesrgan_s4_swinir_100k.pth"}


def diffbir(
    folder: Path,
    version: str,
    channels: tuple[int, ...] = CHANNELS,
    layers: int = 1,
    bsrnet_size: tuple[int, int, int] = (8, 2, 4),
) -> Path:
    """DiffBIR's ControlNet and what cleans, in its authors' files. Returns the ControlNet's.

    channels: of the levels, multiples of 64. layers: blocks a level. bsrnet_size: v2's features, blocks and growth.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(filled(ldm_control(channels, TEXT, layers), 1), folder / CONTROLS[version])
    if version == "v2":
        torch.save(filled(bsrnet(*bsrnet_size), 2), folder / CLEANERS[version])
    else:
        weights = {f"module.{name}": value for name, value in filled(swinir(12, 2, 2), 2).items()}
        lightning(weights, folder / CLEANERS[version])
    return folder / CONTROLS[version]


def sd21(
    folder: Path, channels: tuple[int, ...] = CHANNELS, layers: int = 1, text: int = TEXT, levels: int = 6
) -> Path:
    """A Stable Diffusion 2.1 base in one file, as it was published, with the tokenizer beside it.

    channels, layers: as in `diffbir`. text: how wide its embeddings are. levels: of the VAE, which shrinks by
    2 ** (levels - 1).
    """
    tokenizer = clip_tokenizer()
    tokenizer.save_pretrained(folder / "tokenizer")
    parts = {
        "model.diffusion_model.": ldm_unet(channels, text, layers),
        "first_stage_model.": ldm_vae(32, levels),
        "cond_stage_model.model.": ldm_text(text, 3, len(tokenizer)),
    }
    weights = {"betas": torch.zeros(1000), "posterior_mean_coef1": torch.zeros(1000)}
    for seed, (prefix, sizes) in enumerate(parts.items()):
        made = filled(sizes, 3 + seed)
        for last in ("out.2.weight", "out.2.bias"):
            if last in made:  # small answers, as `calmed` says
                made[last] *= 0.1
        weights |= {prefix + name: value for name, value in made.items()}
    lightning(weights, folder / "sd21.ckpt")
    return folder / "sd21.ckpt"


def lightning(weights: dict[str, torch.Tensor], path: Path) -> None:
    """What Lightning saves: the weights under state_dict, and the class of a callback as a key beside them."""
    import sys
    import types

    name = "pytorch_lightning.callbacks.model_checkpoint"
    callback = type("ModelCheckpoint", (), {"__module__": name})
    before = {part: sys.modules.get(part) for part in _parents(name)}
    for part in before:
        sys.modules[part] = types.ModuleType(part)
    sys.modules[name].ModelCheckpoint = callback
    try:
        torch.save({"state_dict": weights, "epoch": 3, "callbacks": {callback: {"monitor": "loss"}}}, path)
    finally:
        for part, module in before.items():
            if module is None:
                del sys.modules[part]
            else:
                sys.modules[part] = module


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def resaved(path: Path, change) -> None:
    """A safetensors file with its dictionary of tensors changed by `change`, which works in place."""
    from safetensors.torch import load_file

    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
