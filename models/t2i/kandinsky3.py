"""Kandinsky 3."""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "kandinsky-community/kandinsky-3"
    parameters = 11.9
