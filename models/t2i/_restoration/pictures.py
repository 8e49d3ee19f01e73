"""Pictures as tensors and back, and what restoration does to their size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...base import Job, ModelError

if TYPE_CHECKING:
    import torch
    from PIL import Image

MOST = (
    1 << 24
)  # px to work at: what is a strip 30 times as long as high becomes enormous where short sides are enlarged


def guides(jobs: Sequence[Job]) -> list[Image.Image]:
    """The jobs' references at the size to work at, by Pillow's default filter (bicubic) as for every decoder."""
    sized = [job.guide.convert("RGB") for job in jobs if job.guide is not None]
    return [guide if guide.size == job.size else guide.resize(job.size) for guide, job in zip(sized, jobs, strict=True)]


def to_tensor(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """RGB pictures of one size as (n, 3, h, w), float32 from 0 to 1, on the CPU."""
    import numpy as np
    import torch

    pixels = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255


def to_pictures(pixels: torch.Tensor, truncate: bool) -> list[Image.Image]:
    """(n, 3, h, w) from 0 to 1, cut off outside, as RGB pictures. truncate: towards 0, else to the nearest of 255."""
    from PIL import Image

    scaled = (pixels.float() * 255).clamp(0, 255)
    whole = scaled.floor() if truncate else scaled.round()
    return [Image.fromarray(each) for each in whole.byte().permute(0, 2, 3, 1).cpu().numpy()]


def with_short_side(size: tuple[int, int], short: int) -> tuple[int, int]:
    """(width, height) with the short side brought to `short`, the long one in proportion and cut to whole pixels."""
    width, height = size
    if width == height:
        return short, short
    # One product after one quotient, as the authors' code has it: another order ends a pixel away for some sizes
    made = (int(width * (short / height)), short) if height < width else (short, int(height * (short / width)))
    refuse_large(made)
    return made


def refuse_large(size: tuple[int, int]) -> None:
    """Raises ModelError for a size that no memory holds the layers of."""
    if size[0] * size[1] > MOST:
        raise ModelError(f"its short side enlarged, it would have {size[0]}x{size[1]} px, and {MOST:,} px are the most")


def enlarged(pixels: torch.Tensor, short: int) -> torch.Tensor:
    """(n, c, h, w) with its short side enlarged to `short` by a bicubic filter, or as it is where that is longer."""
    height, width = pixels.shape[2:]
    return pixels if min(height, width) >= short else resized(pixels, with_short_side((width, height), short))


def resized(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(n, c, h, w) at `size`, (width, height), by torch's bicubic filter with antialiasing."""
    from torch.nn import functional as F

    if tuple(pixels.shape[2:]) == size[::-1]:
        return pixels
    return F.interpolate(pixels, size=size[::-1], mode="bicubic", antialias=True)


def padded(pixels: torch.Tensor, multiple: int) -> torch.Tensor:
    """(n, c, h, w) with both sides padded with zeros at their end to multiples."""
    from torch.nn import functional as F

    height, width = pixels.shape[2:]
    return F.pad(pixels, (0, -width % multiple, 0, -height % multiple))


def generators(jobs: Sequence[Job]) -> list[torch.Generator]:
    """The source of each image's noise, on the CPU: the same on every device and in every batch."""
    import torch

    return [torch.Generator("cpu").manual_seed(job.seed) for job in jobs]


def noise(sources: Sequence[torch.Generator], like: torch.Tensor) -> torch.Tensor:
    """Normal noise in the shape, type and place of `like`, (n, ...), each image's from its own source in float32."""
    import torch

    drawn = [torch.randn(like.shape[1:], generator=source) for source in sources]
    return torch.stack(drawn).to(like)
