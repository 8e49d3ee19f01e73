"""python -m cmcbench: what is none of the three steps."""

from __future__ import annotations

import importlib

from .errors import BadInput
from .runtime.cli import run

COMMANDS = {  # name -> module with a function main(argv) -> exit code, what it is for
    "download": ("data.download", "the published ground truth, references, TOPIQ weights and captions"),
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
    "verify": ("submission.verify", "checks a submission: its file, its arithmetic, and with pictures at hand these"),
    "curves": ("board.curves.command", "rate-distortion curves, BD-rates and costs of scored targets"),
}


def main(argv: list[str]) -> int:
    """Run a subcommand. Returns its exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: python -m cmcbench COMMAND [--help]\n")
        for name, (_, purpose) in COMMANDS.items():
            print(f"  {name:<12}{purpose}")
        print("\nThe three steps are script-i2t.py, script-t2i.py and script-evaluate.py.")
        return 0
    if argv[0] not in COMMANDS:
        raise BadInput(f"there is no command {ascii(argv[0])}. There are: {', '.join(COMMANDS)}.")
    module = importlib.import_module(f".{COMMANDS[argv[0]][0]}", __package__)
    return module.main(argv[1:])


if __name__ == "__main__":
    run(main)
