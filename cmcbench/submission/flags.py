"""The flags that verify and accept share: what the receiver has at hand."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import BadInput
from ..runtime.cli import positive
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


def means_of(options: argparse.Namespace, files: list[str], flag: str) -> list[Means]:
    """What is at hand for each of the files. flag: of the reconstructions. Raises BadInput."""
    if options.pictures and len(options.pictures) != len(files):
        raise BadInput(f"{flag} names {len(options.pictures)} folder(s) for {len(files)} submission(s); give one each.")
    if options.model_weight and not (options.pictures and options.ground_truth):
        raise BadInput(f"--model_weight is for scoring a sample again, which needs {flag} and --ground_truth too.")
    if not options.model_weight and (options.sample is not None or options.seed is not None):
        raise BadInput(
            f"--sample and --seed choose what is scored again; give {flag}, --ground_truth and --model_weight too."
        )
    for name, folder in (
        *((flag, each) for each in options.pictures),
        ("--ground_truth", options.ground_truth),
        ("--model_weight", options.model_weight),
    ):
        if folder and not Path(folder).is_dir():
            raise BadInput(f"{name} {folder}: there is no such folder.")
    pictures: list[str | None] = options.pictures or [None] * len(files)
    truth, weights = (Path(folder) if folder else None for folder in (options.ground_truth, options.model_weight))
    return [
        Means(each and Path(each), truth, weights, options.sample or 16, options.seed, options.device, flag)
        for each in pictures
    ]
