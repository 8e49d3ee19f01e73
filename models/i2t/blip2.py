"""BLIP-2 with OPT."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "Salesforce/blip2-opt-2.7b"
    parameters = 3.7
