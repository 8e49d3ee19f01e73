#!/usr/bin/env python3
"""Step 3, score: consistency and perception of reconstructions, the leaderboard, and the report page."""

from pathlib import Path

from cmcbench.board.leaderboard import build
from cmcbench.board.page.command import after_scoring
from cmcbench.runtime.cli import run
from cmcbench.runtime.messages import say
from cmcbench.score.command import GROUND_TRUTH
from cmcbench.score.command import main as score


def main(argv: list[str]) -> int:
    code, targets, options = score(argv)
    for results in dict.fromkeys(target.resolve().parent for target in targets):
        build.update(results)
        say(f"The leaderboard is {results / 'leaderboard.md'}, .csv and .tex.")
        if not options.no_report:
            after_scoring(results, Path(options.gt_path or GROUND_TRUTH))
    if options.submit and targets:
        from cmcbench.submission.submit import submit

        to = Path(options.submit_path) if options.submit_path else None
        submit(targets[0], Path(options.model_weight), to, options.submitter)
    return code


if __name__ == "__main__":
    run(main)
