#!/usr/bin/env python3
"""Step 3, score: consistency and perception of reconstructions, and the leaderboard."""

from cmcbench.board import leaderboard
from cmcbench.options import run
from cmcbench.report import say
from cmcbench.score.command import main as score


def main(argv: list[str]) -> int:
    code, targets, options = score(argv)
    for results in dict.fromkeys(target.resolve().parent for target in targets):
        leaderboard.update(results)
        say(f"The leaderboard is {results / 'leaderboard.md'} and .csv.")
    return code


if __name__ == "__main__":
    run(main)
