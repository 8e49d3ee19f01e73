"""Tiny checkpoints of the real text-to-image architectures, with random weights, in the hub's folder format.

Every builder takes the folder to write, returns it, needs no network and gives the same bytes each time. The images
mean nothing. The VAEs shrink by 16 or 32 instead of 8, so that the benchmark's working size (long side 1024) is cheap.
"""

from tiny_t2i_language import flux2, flux2_dev, qwen_image, qwen_image_edit, qwen_image_edit_plus, sana, z_image
from tiny_t2i_transformers import flux, flux_kontext, pixart, sd3
from tiny_t2i_unets import (
    animatediff,
    instructpix,
    kandinsky3,
    motion_adapter,
    pg25,
    sd15,
    sdxl,
    sdxl_instructpix,
    ssd1b,
)

__all__ = [
    "sd3",
    "flux",
    "pixart",
    "flux_kontext",
    "sana",
    "flux2",
    "flux2_dev",
    "z_image",
    "qwen_image",
    "qwen_image_edit",
    "qwen_image_edit_plus",
    "sd15",
    "instructpix",
    "sdxl",
    "ssd1b",
    "sdxl_instructpix",
    "pg25",
    "kandinsky3",
    "motion_adapter",
    "animatediff",
]
