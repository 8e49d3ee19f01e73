"""python -m cmcbench, or cmcbench where it is installed: the three steps, and all that is around them."""

from __future__ import annotations

import importlib
from pathlib import Path

from . import __version__
from .errors import BadInput
from .runtime.cli import run
from .runtime.messages import did_you_mean, say

STEPS = {  # the three steps; script-i2t.py, script-t2i.py and script-evaluate.py are the same code
    "encode": ("encode.command", "step 1: captions (and references) from the ground truth"),
    "decode": ("decode.command", "step 2: reconstructions from captions and references"),
    "evaluate": ("", "step 3: scores, the leaderboard, and the report page"),
}
COMMANDS = {  # name -> module with a function main(argv) -> exit code, what it is for
    "download": ("data.download", "the published ground truth, references, TOPIQ weights and captions"),
    "prepare": (
        "data.prepare",
        "a test set that you have downloaded (Kodak, CLIC, ...) as ground truth of a stated size",
    ),
    "compare": ("board.compare.command", "which differences of two or more targets are significant"),
    "leaderboard": ("board.leaderboard.build", "rebuilds the leaderboard of a results folder and prints it"),
    "report": ("board.page.command", "the page of all scored targets: Result/report/index.html, opens from disk"),
    "pack": (
        "bitstream.pack",
        "captions and references as one small file an image and mode, the bits that are counted",
    ),
    "unpack": ("bitstream.unpack", "from packed files what their decoder needs"),
    "codec": (
        "anchors.codec",
        "codecs as targets, also learned ones: Result/CODEC@RATE with their streams",
    ),
    "import": ("anchors.imports", "anybody's reconstructions and their bits as a target"),
    "doctor": ("doctor.command", "what is there, what is missing, and the command that mends each"),
    "models": ("doctor.models", "encoders, decoders, learned codecs, and whether this machine has what one needs"),
    "accept": ("submission.accept", "checks submissions, installs them under Result and keeps Result/accepted.csv"),
    "board": ("board.public.command", "the static public site of the accepted submissions"),
    "verify": ("submission.verify", "checks a submission: its file, its arithmetic, and with pictures at hand these"),
    "curves": ("board.curves.command", "rate-distortion curves, BD-rates and costs of scored targets"),
}


def main(argv: list[str]) -> int:
    """Run a subcommand. Returns its exit code."""
    known = STEPS | COMMANDS
    if argv and argv[0] in ("-V", "--version"):
        print(f"cmcbench {__version__}")
        return 0
    if not argv or argv[0] in ("-h", "--help", "help"):
        print("usage: cmcbench COMMAND [--help]        (python -m cmcbench COMMAND is the same)\n")
        for name, (_, purpose) in known.items():
            print(f"  {name:<12}{purpose}")
        print("\nscript-i2t.py, script-t2i.py and script-evaluate.py are encode, decode and evaluate.")
        return 0
    if argv[0] == "evaluate":
        return evaluate(argv[1:])
    if argv[0] not in known:
        raise BadInput(
            f"there is no command {ascii(argv[0])}.{did_you_mean(argv[0], known)} There are: {', '.join(known)}."
        )
    module = importlib.import_module(f".{known[argv[0]][0]}", __package__)
    return module.main(argv[1:])


def evaluate(argv: list[str]) -> int:
    """Step 3: score, then renew leaderboard and report of each results folder, then --submit. Returns the exit code."""
    from .board.leaderboard import build
    from .board.page.command import after_scoring
    from .score.command import GROUND_TRUTH
    from .score.command import main as score

    code, targets, options = score(argv)
    if targets and not options.boards:
        parent = targets[0].resolve().parent
        say(f"note: no leaderboard and no report is written beside {targets[0]}; they are with: --results {parent}")
    for results in options.boards if targets else ():
        build.update(results)
        say(f"The leaderboard is {results / 'leaderboard.md'}, .csv and .tex.")
        if not options.no_report:
            after_scoring(results, Path(options.gt_path or GROUND_TRUTH))
    if options.submit and targets:
        from .submission.submit import submit

        to = Path(options.submit_path) if options.submit_path else None
        submit(targets[0], Path(options.model_weight), to, options.submitter)
    return code


def program() -> None:
    """The `cmcbench` command that an installation brings."""
    run(main)


if __name__ == "__main__":
    program()
