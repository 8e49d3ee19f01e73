"""The flags of script-t2i.py."""

from __future__ import annotations

import argparse

from ..bitstream.inputs import GROUND_TRUTH
from ..protocol import MODES, SEED, STEPS
from ..runtime.cli import add_choice, add_compute, bits_per_pixel, parser, positive

CAPTIONS = "./Text/gpt4v.csv"
MODEL = "real"


def decode_parser() -> argparse.ArgumentParser:
    """The command line of the decode step."""
    options = parser("Decode: reconstructions from captions and references.", "decode")
    options.add_argument(
        "--mode", choices=(*MODES, "all"), default="full", help="what the decoder gets; all: every mode it has"
    )
    options.add_argument("--input_path", default=CAPTIONS, help="captions, a CSV with the columns name and text")
    options.add_argument("--model_name", default=MODEL, help="decoder")
    options.add_argument(
        "--model_dir",
        default=None,
        help="checkpoint: a folder, hub name, or NAME@REVISION (None: the model's own; real: SG161222/RealVisXL_V4.0)",
    )
    options.add_argument("--ref_dir", default="./Ref/", help="folder with image/ and pixel/")
    options.add_argument(
        "--ground_truth",
        default=None,
        help=f"read for sizes and names only, never for pixels; none: without one (None: {GROUND_TRUTH})",
    )
    options.add_argument(
        "--strength",
        type=float,
        nargs="+",
        default=[0],
        help="img2img strength; 0: the mode's own; several: a sweep, RESULT@strength=VALUE each",
    )
    options.add_argument(
        "--bpp",
        type=bits_per_pixel,
        nargs="+",
        default=None,
        help=(
            "a sweep over references that script-i2t.py --bpp made beside --ref_dir: RESULT@bpp=VALUE each (None:"
            " --ref_dir itself)"
        ),
    )
    options.add_argument(
        "--base",
        metavar="FOLDER_FILE_OR_HUB_NAME",
        default=None,
        help="checkpoint that PASD, DiffBIR or a motion module is put into (None: the model's own choice)",
    )
    options.add_argument(
        "--steps", type=positive, default=None, help=f"inference steps (None: the model's own number, else {STEPS})"
    )
    options.add_argument(
        "--seed",
        type=int,
        nargs="+",
        default=[SEED],
        help="with an image's name it gives the image's noise; several: a result each, RESULT@seed=VALUE",
    )
    options.add_argument("--output_path", default="./Result/", help="folder that results go to")
    options.add_argument(
        "--result_name",
        default=None,
        help="folder in --output_path (None: MODEL_NAME for gpt4v's captions, else MODEL_NAME+CAPTIONS)",
    )
    options.add_argument("--guidance", type=float, default=None, help="guidance scale (None: the checkpoint's own)")
    options.add_argument(
        "--negative_prompt", metavar="TEXT", default=None, help="what the pictures should not show (none as published)"
    )
    options.add_argument(
        "--lora", metavar="FOLDER_FILE_OR_HUB_NAME", default=None, help="LoRA weights to load into the model"
    )
    options.add_argument(
        "--long_prompts", action="store_true", help="use prompts beyond CLIP's 77 tokens whole instead of cutting them"
    )
    add_choice(options)
    add_compute(options)
    options.add_argument(
        "--offload",
        choices=("model", "sequential"),
        default=None,
        help="keep parts in the CPU's memory; slower, fits small GPUs",
    )
    options.add_argument("--vae_tiling", action="store_true", help="decode in tiles, for large pictures on small GPUs")
    options.add_argument("--compile", action="store_true", help="compile the denoiser: minutes of start, then faster")
    options.add_argument("--overwrite", action="store_true", help="replace the chosen images")
    return options
