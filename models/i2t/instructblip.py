"""InstructBLIP with Vicuna, the benchmark's InstructBLIP row. It has no chat template and takes the plain prompt."""

from ._transformers import Model as Family


class Model(Family):
    default_dir = "Salesforce/instructblip-vicuna-7b"
    parameters = 7.9
