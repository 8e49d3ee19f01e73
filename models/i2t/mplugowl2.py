"""mPLUG-Owl2 by its authors' code, which needs transformers 4.31 and so an environment of its own: --command."""

from .command import Model as Family


class Model(Family):
    default_dir = "MAGAer13/mplug-owl2-llama2-7b"
    parameters = 8.2
