"""SmolVLM, small enough for a laptop."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "HuggingFaceTB/SmolVLM-Instruct"
    parameters = 2.2
    dtype = "bf16"
