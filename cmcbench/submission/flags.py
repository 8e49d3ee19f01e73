"""The flags that verify and accept share: what the receiver has at hand."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import BadInput
from ..runtime.cli import positive
from .checks.redecode import Decoding
from .inspection import Means


def add_means(options: argparse.ArgumentParser, *pictures: str) -> None:
    """pictures: the names of the flag of the reconstructions' folder."""
    options.add_argument(
        *pictures,
        dest="pictures",
        metavar="FOLDER",
        nargs="+",
        default=[],
        help="the reconstructions, a folder with full/, image/, ... in it; of several submissions one each",
    )
    options.add_argument("--ground_truth", metavar="FOLDER", default="", help="the benchmark's ground truth")
    options.add_argument(
        "--model_weight", metavar="FOLDER", default="", help="TOPIQ's weights: score a random sample again"
    )
    options.add_argument(
        "--sample", metavar="N", type=positive, default=None, help="pictures to score again (None: 16)"
    )
    options.add_argument("--seed", type=int, default=None, help="of the choice (None: a new one, which is said)")
    options.add_argument("--device", default="auto", help="auto (the GPU if there is one), cpu, cuda, cuda:1")
    options.add_argument(
        "--decode",
        metavar="N",
        type=positive,
        default=None,
        help="make N pictures anew, from the submission's captions and settings, and compare (None: none)",
    )
    options.add_argument("--ref_dir", metavar="FOLDER", default="", help="for --decode: the benchmark's references")
    options.add_argument(
        "--model_dir",
        metavar="FOLDER_OR_HUB_NAME",
        default="",
        help="for --decode: the decoder's checkpoint (empty: the decoder's own)",
    )


def means_of(options: argparse.Namespace, files: list[str], flag: str) -> list[Means]:
    """What is at hand for each of the files. flag: of the reconstructions. Raises BadInput."""
    if options.pictures and len(options.pictures) != len(files):
        raise BadInput(f"{flag} names {len(options.pictures)} folder(s) for {len(files)} submission(s); give one each.")
    if options.model_weight and not (options.pictures and options.ground_truth):
        raise BadInput(f"--model_weight is for scoring a sample again, which needs {flag} and --ground_truth too.")
    if options.decode and not (options.pictures and options.ground_truth):
        raise BadInput(f"--decode makes pictures anew, which needs {flag} and --ground_truth too.")
    if (options.ref_dir or options.model_dir) and not options.decode:
        raise BadInput("--ref_dir and --model_dir are for making pictures anew; give --decode N as well.")
    if not (options.model_weight or options.decode) and (options.sample is not None or options.seed is not None):
        raise BadInput(
            f"--sample and --seed choose what is scored again; give {flag}, --ground_truth and --model_weight too."
        )
    for name, folder in (
        *((flag, each) for each in options.pictures),
        ("--ground_truth", options.ground_truth),
        ("--model_weight", options.model_weight),
        ("--ref_dir", options.ref_dir),
    ):
        if folder and not Path(folder).is_dir():
            raise BadInput(f"{name} {folder}: there is no such folder.")
    pictures: list[str | None] = options.pictures or [None] * len(files)
    truth, weights = (Path(folder) if folder else None for folder in (options.ground_truth, options.model_weight))
    references = Path(options.ref_dir) if options.ref_dir else None
    how = Decoding(options.decode, references, options.model_dir, options.device) if options.decode else None
    return [
        Means(each and Path(each), truth, weights, options.sample or 16, options.seed, options.device, how, flag)
        for each in pictures
    ]
