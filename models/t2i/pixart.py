"""PixArt-Sigma, which has no image-to-image pipeline: text mode only."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS"
    parameters = 5.5
    modes = frozenset({"text"})
