"""Colour fixes: a diffusion model shifts colours, and the picture that it started from knows the right ones.

Both are those of StableSR's paper (arXiv 2305.07015, section 3.3), which PASD and DiffBIR use too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LEVELS = 5  # of the wavelet: blurs of radius 1, 2, 4, 8, 16 px


def wavelet(picture: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """The details of `picture` on the low frequencies of `colours`, both (n, 3, h, w) and of one range of values."""
    return picture - _blurred(picture) + _blurred(colours)


def adain(picture: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """`picture` with each channel's mean and deviation of `colours`, both (n, c, h, w) and of one range of values.

    Adaptive instance normalisation (arXiv 1703.06868, equation 8); variances are unbiased and get 1e-5 more.
    """
    mean, deviation = _statistics(picture)
    wanted_mean, wanted_deviation = _statistics(colours)
    return (picture - mean) / deviation * wanted_deviation + wanted_mean


def _blurred(picture: torch.Tensor) -> torch.Tensor:
    """What the a trous wavelet transform leaves: the binomial kernel 1-2-1, its taps 1, 2, 4, ... px apart."""
    from torch.nn import functional as F

    channels = picture.shape[1]
    row = picture.new_tensor([0.25, 0.5, 0.25])
    kernel = (row[:, None] * row).expand(channels, 1, 3, 3)
    for level in range(LEVELS):
        radius = 2**level
        padded = F.pad(picture, (radius,) * 4, mode="replicate")
        picture = F.conv2d(padded, kernel, groups=channels, dilation=radius)
    return picture


def _statistics(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = picture.mean(dim=(2, 3), keepdim=True)
    return mean, (picture.var(dim=(2, 3), keepdim=True) + 1e-5).sqrt()
