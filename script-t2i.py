#!/usr/bin/env python3
"""Step 2, decode: reconstructions from captions and references."""

from cmcbench.decode.command import main
from cmcbench.runtime.cli import run

if __name__ == "__main__":
    run(main)
