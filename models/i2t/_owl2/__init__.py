"""mPLUG-Owl2 from its authors' files.

model: the adapter. layout: config.json judged, weights renamed. network: CLIP, abstractor, Llama with doubled layers.
pieces: the tokenizer. network needs torch and is imported only when a checkpoint is loaded.
"""

from .model import Model

__all__ = ["Model"]
