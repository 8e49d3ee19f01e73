"""SSD-1B, Segmind's distilled SDXL."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "segmind/SSD-1B"
    parameters = 2.2
