"""The restoration family: decoders that restore the reference, by a diffusion model and a control of their own.

model: the family's base class. colour: colour fixes. tiles: a network over a large picture, in batches of tiles.
pictures: pictures as tensors and back, enlarging, padding, noise of an image's own.
"""

from .model import Model

__all__ = ["Model"]
