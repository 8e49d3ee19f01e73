"""RealVisXL 4.0, the benchmark's default decoder: an SDXL checkpoint for photographs."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "SG161222/RealVisXL_V4.0"
    parameters = 3.5
