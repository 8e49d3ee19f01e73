"""Encoders whose authors' files are read as they were published, in networks of ours: no remote code, no pickled code.

model: what such an adapter has beyond the transformers family. sampling: the published way to draw tokens, by image.
"""

from .model import Model, squashed
from .sampling import Sampling

__all__ = ["Model", "Sampling", "squashed"]
