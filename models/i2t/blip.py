"""BLIP large, which takes the prompt as the caption's beginning."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "Salesforce/blip-image-captioning-large"
    parameters = 0.5
