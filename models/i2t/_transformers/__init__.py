"""The transformers family, for whatever captioner transformers loads by itself. Adapters subclass `Model`.

checkpoint: its files, judged before they are loaded. llava_layout: checkpoints in LLaVA's own layout, converted.
"""

from .model import Model

__all__ = ["Model"]
