"""python -m cmcbench verify: whether a submission can be believed, as far as its file and the pictures at hand show
it.
"""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from ..errors import BadInput, RunFailed
from ..published import dataset
from ..runtime.cli import parser, positive
from ..runtime.messages import printable
from . import archive
from .checks.documents import Opened, open_all
from .checks.faults import Faults
from .checks.pictures import SAME, Sample, check_ground_truth, check_reconstructions, check_weights, rescore
from .checks.plausibility import check
from .rules import FILES


def main(argv: list[str]) -> int:
    """Verify a submission. Returns 0 where it is accepted and 1 where faults were found. Raises BadInput for no
    submission.
    """
    options = _parser().parse_args(argv)
    _check_flags(options)
    faults, failed = Faults(), None
    opened = open_all(archive.read(Path(options.file), FILES), faults)
    if opened is None:
        _tell("note: what the files say was not compared with each other; they must first be readable and whole.")
    else:
        check(opened, faults)
        _describe(opened)
        try:
            _pictures(opened, options, faults)
        except RunFailed as error:
            failed = error  # what was found before it is told all the same
    for line in faults.lines():
        _tell(f"fault: {line}")
    if failed:
        raise failed
    _tell(f"refused: {len(faults)} fault(s)" if len(faults) else "accepted")
    return 1 if len(faults) else 0


def _tell(line: str) -> None:
    print(printable(line))


def _check_flags(options: argparse.Namespace) -> None:
    if options.model_weight and not (options.results and options.ground_truth):
        raise BadInput("--model_weight is for scoring a sample again, which needs --results and --ground_truth too.")
    if not options.model_weight and (options.sample is not None or options.seed is not None):
        raise BadInput(
            "--sample and --seed choose what is scored again; give --results, --ground_truth and --model_weight too."
        )
    for flag in ("results", "ground_truth", "model_weight"):
        if getattr(options, flag) and not Path(getattr(options, flag)).is_dir():
            raise BadInput(f"--{flag} {getattr(options, flag)}: there is no such folder.")


def _describe(opened: Opened) -> None:
    submission = opened.submission
    tables = {table: submission["overall"][table] for table in ("t2i", "i2t")}
    overall = ", ".join(f"{value:.4f} ({table})" for table, value in tables.items() if value is not None)
    _tell(
        f"{submission['target']}: {submission['images']} images in {', '.join(submission['modes'])}; Overall"
        f" {overall or 'none'}"
    )
    for deviation in submission["deviations"]:
        _tell(f"deviation: {deviation}")
    for name, why in sorted(submission["absent"].items()):
        _tell(f"absent: {name}: {why}")
    for metric, known in dataset.published_weights().items():
        if not known["sha256"]:
            told = submission["weights"][metric]["sha256"]
            _tell(
                f"note: {metric}: this version does not know the hash of the published {known['file']}; "
                f"the submission's is {told}"
            )


def _pictures(opened: Opened, options: argparse.Namespace, faults: Faults) -> None:
    """What only pictures show; says what was not checked for want of them."""
    if options.results:
        check_reconstructions(opened, Path(options.results), faults)
    else:
        _tell("not checked: the reconstructions (give --results FOLDER)")
    if options.ground_truth:
        check_ground_truth(opened, Path(options.ground_truth), faults)
    else:
        _tell("not checked: the ground truth (give --ground_truth FOLDER)")
    if not options.model_weight:
        _tell("not checked: the scores (give --results, --ground_truth and --model_weight to score a sample again)")
        return
    check_weights(opened, Path(options.model_weight), faults)
    # Not a seed that the submitter can know: he would need to be honest about its sample only
    seed = secrets.randbelow(1 << 31) if options.seed is None else options.seed
    sample = Sample(Path(options.model_weight), options.sample or 16, seed, options.device)
    scored, largest = rescore(opened, Path(options.results), Path(options.ground_truth), sample, faults)
    _tell(
        f"scored again: {scored} of {len(opened.rows)} pictures, chosen with --seed {seed}; "
        f"largest difference {largest:.1e}, allowed {SAME:.0e}"
    )
    left_out = min(sample.count, len(opened.rows)) - scored
    if left_out:
        faults.add(
            "sample", f"{left_out} of the sample cannot be scored again: their pictures are not those of the submission"
        )


def _parser() -> argparse.ArgumentParser:
    options = parser(
        "Check a submission: files, checksums, arithmetic, plausibility, and with pictures at hand these.", "verify"
    )
    options.add_argument("file", metavar="FILE.zip", help="what script-evaluate.py --submit wrote")
    options.add_argument(
        "--results", metavar="FOLDER", default="", help="the reconstructions, a folder with full/, image/, ... in it"
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
    return options
