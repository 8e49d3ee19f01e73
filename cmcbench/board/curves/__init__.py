"""Rate-distortion curves of scored targets, and the Bjontegaard deltas between them.

Others use `collect` and `curves_of`, which return the curves of a results folder and of targets.
"""

from .collect import collect, curves_of

__all__ = ["collect", "curves_of"]
