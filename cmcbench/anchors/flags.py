"""What python -m cmcbench codec is asked."""

from __future__ import annotations

import argparse
import math
import os

from models import names

from ..codecs import FAMILY
from ..errors import BadInput
from ..protocol import SEED
from ..runtime.cli import add_choice, add_program, bits_per_pixel, parser, positive
from ..runtime.messages import did_you_mean

FLOORS = ("downscale", "report")
NO_VVC444 = "libvvenc codes 4:2:0 alone; VTM codes VVC in 4:4:4, by --command: docs/learned-codecs.md has the program."
DESCRIPTION = (
    "Codecs as targets: Result/CODEC@RATE/image, the streams that are counted, and rates.csv. Picture codecs come with"
    " this program; learned ones are models, or programs of your own by --command."
)


def arguments(argv: list[str]) -> argparse.Namespace:
    """The options, those that contradict each other refused. Raises BadInput."""
    options = parser(DESCRIPTION, "codec")
    units = ", ".join(f"{name} {codec.unit}" for name, codec in FAMILY.items())
    options.add_argument(
        "names",
        nargs="*",
        metavar="CODEC",
        help=f"one or more of: {', '.join(FAMILY)}; or one learned codec of: {', '.join(names('codec'))}, or the .py"
        " file of your own",
    )
    rate = options.add_mutually_exclusive_group()
    rate.add_argument(
        "--bpp",
        nargs="+",
        type=bits_per_pixel,
        metavar="RATE",
        help="bits per pixel that each picture may take at most",
    )
    rate.add_argument(
        "--quality",
        nargs="+",
        type=_number,
        metavar="VALUE",
        help=f"its own setting instead ({units}; a learned codec's quality)",
    )
    options.add_argument(
        "--floor",
        choices=FLOORS,
        default=FLOORS[0],
        help=(
            "where a codec cannot go as low as --bpp: downscale the picture by 2, then 4, and leave it out if that is"
            " not enough; report: code it at the codec's lowest rate, above --bpp, and say so"
        ),
    )
    options.add_argument("--ground_truth", default="./GT/", help="folder of the images")
    options.add_argument("--output_path", default="./Result/", help="folder that results go to")
    options.add_argument(
        "--jobs",
        metavar="N",
        type=positive,
        default=os.cpu_count() or 1,
        help="images coded at the same time, by picture codecs",
    )
    options.add_argument("--overwrite", action="store_true", help="replace the chosen images")
    add_choice(options)
    learned = options.add_argument_group("learned codecs")
    learned.add_argument("--name", default=None, help="what the target is called (None: as the codec)")
    learned.add_argument("--model_dir", default=None, help="checkpoint: a file, a folder or a hub name")
    learned.add_argument("--seed", type=int, default=SEED, help="of a decoder that draws noise")
    add_program(learned)
    chosen = options.parse_args(argv)
    if not is_learned(chosen) and chosen.bpp is None and chosen.quality is None:
        options.error("one of the arguments --bpp --quality is required")
    _check(chosen)
    return chosen


def is_learned(options: argparse.Namespace) -> bool:
    """Whether a learned codec is asked for. Raises BadInput for a codec that is neither, and for both kinds at once."""
    others = [name for name in options.names if name not in FAMILY]
    for name in others:
        if not name.endswith(".py") and name.partition(":")[0] not in names("codec"):
            hint = f" {NO_VVC444}" if name == "vvc444" else did_you_mean(name, [*FAMILY, *names("codec")])
            raise BadInput(
                f"there is no codec {ascii(name[:80])}.{hint} There are: {', '.join(FAMILY)}; learned:"
                f" {', '.join(names('codec'))}."
            )
    learned = [*others, *([] if others or options.command is None else ["--command"])]
    if len(learned) > 1 or (learned and len(options.names) > len(others)):
        raise BadInput(f"{learned[0]} runs alone: name one learned codec, and no other codec beside it.")
    if not learned and not options.names:
        raise BadInput("no codec is named. Name one, or give your program with --command.")
    return bool(learned)


def _check(options: argparse.Namespace) -> None:
    if not is_learned(options):
        for flag in ("name", "model_dir"):
            if getattr(options, flag) is not None:
                raise BadInput(f"--{flag} is for learned codecs: leave it out.")
        return
    if options.bpp is not None:
        raise BadInput("--bpp is for picture codecs. A learned codec has qualities of its own: give --quality.")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value
