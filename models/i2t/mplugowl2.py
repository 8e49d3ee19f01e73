"""mPLUG-Owl2 on Llama 2, read from its authors' files in this environment."""

from ._owl2 import Model as Family


class Model(Family):
    default_dir = "MAGAer13/mplug-owl2-llama2-7b"
    parameters = 8.2
