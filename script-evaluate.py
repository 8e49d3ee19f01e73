#!/usr/bin/env python3
"""Step 3, score: consistency and perception of reconstructions, the leaderboard, and the report page."""

from cmcbench.__main__ import evaluate
from cmcbench.runtime.cli import run

if __name__ == "__main__":
    run(evaluate)
