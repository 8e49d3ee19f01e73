"""ShareGPT4V, the benchmark's ShareGPT row, in its authors' layout: LLaVA 1.5 with a vision tower of its own."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "Lin-Chen/ShareGPT4V-7B"
    parameters = 7.1
