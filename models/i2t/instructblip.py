"""InstructBLIP with Vicuna, the benchmark's InstructBLIP row. It has no chat template and takes the plain prompt."""

from . import _transformers


class Model(_transformers.Model):
    default_dir = "Salesforce/instructblip-vicuna-7b"
    parameters = 7.9
