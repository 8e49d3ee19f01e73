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
from tiny_t2i import WIDTH

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


def pasd(folder: Path) -> Path:
    """PASD: folders unet and controlnet as diffusers saves them, with the layers that its training alone used."""
    from models.t2i._restoration.pixel_attention import PixelUNet

    shared = {
        "block_out_channels": (16, 16),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "cross_attention_dim": WIDTH,
        "norm_num_groups": 8,
    }
    shape = (8, 8, 16, 16, 16, 16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = PixelUNet(**shared, up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), sample_size=32)
        control = diffusers.ControlNetModel(**shared, conditioning_embedding_out_channels=shape)
        embedding = control.controlnet_cond_embedding
        embedding.to_rgbs = torch.nn.ModuleList(torch.nn.Conv2d(width, 3, 3, padding=1) for width in shape[1:])
        calmed(shaken(unet, 1))
        shaken(control, 2)
    unet.save_pretrained(folder / "unet")
    control.register_to_config(return_rgbs=True, use_rrdb=False)
    control.save_pretrained(folder / "controlnet")
    return folder


def resaved(path: Path, change) -> None:
    """A safetensors file with its dictionary of tensors changed by `change`, which works in place."""
    from safetensors.torch import load_file

    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
