"""The diffusers family, for whatever checkpoint diffusers' pipelines know. Adapters subclass `Model`.

loading: a pipeline read whole. options: what the command line adds to one. prompts: embeddings, counted and kept.
edit and animatediff: the family for models that edit their guide, and for AnimateDiff's motion modules.
"""

from .model import Model

__all__ = ["Model"]
