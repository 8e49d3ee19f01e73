"""The options of script-evaluate.py."""

from __future__ import annotations

import argparse

from ..files.submitted import submitter
from ..runtime.cli import add_choice, parser, positive
from .metrics.clipsim import DEFAULT_CLIP
from .metrics.dinov2 import BASE, LARGE
from .metrics.registry import FR_ORDERS, PRECISIONS

DEFAULT_TARGET = "real"
GROUND_TRUTH = "./GT/"


def command_line() -> argparse.ArgumentParser:
    options = parser("Score: consistency (FR) and perception (NR) of reconstructions.", "evaluate")
    options.add_argument("--model_weight", default="./Weight/", help="folder of topiq-fr.pth and topiq-nr.pth")
    options.add_argument(
        "--target",
        nargs="+",
        default=[DEFAULT_TARGET],
        help="folders in --results to score; patterns such as 'real*', or all. With --target_path: the name to print",
    )
    options.add_argument("--results", default="./Result/", help="folder that holds the targets")
    options.add_argument(
        "--target_path",
        default="",
        help="a folder anywhere instead: one that holds full/, image/, pixel/, text/, or simply images",
    )
    options.add_argument("--gt_path", default="", help=f"folder of the ground truth (empty: {GROUND_TRUTH})")
    options.add_argument(
        "--modes", default="", help="only these modes, separated by commas (empty: all that are there)"
    )
    options.add_argument(
        "--metrics",
        default="topiq",
        help=(
            "separated by commas: topiq, paper (the paper's eight), field (what papers on learned compression print),"
            " clipsim, clipscore, dino, ocr_cer, fid, kid, fid256, or any pyiqa metric of single images, e.g."
            " ms_ssim,piqe (docs/metrics.md lists them)"
        ),
    )
    options.add_argument(
        "--clip_model",
        default=DEFAULT_CLIP,
        help="the CLIP checkpoint of clipsim and clipscore: a folder or a name on the hub",
    )
    options.add_argument(
        "--dino_model",
        default="",
        help=f"the DINOv2 checkpoint of dino and fid_dinov2: a folder or a name on the hub (empty: {BASE}, {LARGE})",
    )
    options.add_argument(
        "--captions",
        metavar="FILE.csv",
        default="",
        help="the captions that were sent, for clipscore (empty: the file that each target's manifest names)",
    )
    options.add_argument(
        "--fr_order",
        choices=FR_ORDERS,
        default="published",
        help="TOPIQ FR is not symmetric: published gives the ground truth first, pyiqa the reconstruction first",
    )
    options.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="of TOPIQ's networks; lower ones are faster, move scores by about 0.01 and have columns of their own",
    )
    options.add_argument("--i2t_table", action="store_true", help="also print Overall as in the table of I2T models")
    options.add_argument("--device", default="auto", help="auto (the GPU if there is one), cpu, cuda, cuda:1")
    options.add_argument(
        "--batch_size",
        type=positive,
        default=None,
        help="pictures of one size scored together (None: what a GPU's memory allows; on a CPU one)",
    )
    options.add_argument(
        "--no_report",
        action="store_true",
        help="leave the report page, report/index.html in the results folder, as it is",
    )
    options.add_argument(
        "--submit",
        action="store_true",
        help="then check the result and pack it into one file for the benchmark's maintainers",
    )
    options.add_argument(
        "--submit_path",
        metavar="FILE.zip",
        default="",
        help="where that file goes (empty: submission.zip in the target's folder)",
    )
    submitter.add_flags(options)
    options.add_argument("--overwrite", action="store_true", help="score everything again instead of what has changed")
    add_choice(options)
    return options
