#!/usr/bin/env python3
"""Step 1, encode: captions (and references) from the ground truth."""

from cmcbench.encode.command import main
from cmcbench.runtime.cli import run

if __name__ == "__main__":
    run(main)
