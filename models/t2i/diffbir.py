"""DiffBIR, which restores the reference, by its authors' code in an environment of its own: --command."""

from .command import Model as Family


class Model(Family):
    # Known without asking the program, so that a wrong mode is refused before anything starts
    modes = frozenset({"full", "image"})
    accepts_strength = False
