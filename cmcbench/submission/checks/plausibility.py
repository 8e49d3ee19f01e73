"""A submission's scores checked: the arithmetic, and whether the rows can be what they say they are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from ...bitstream.bits import caption_bits
from ...files.names import stem
from ...files.store import digest
from ...protocol import MODES, OVERALL_METRICS
from ..rules import inputs
from .arithmetic import arithmetic
from .documents import Opened
from .faults import Faults
from .tables import SPENT, SubmittedScores, number_or_none

PLAUSIBLE = (
    -1.0,
    6.0,
)  # of both TOPIQ scores, which were trained on opinion scores from 0 to 5; published means: 1.2 to 3.8
FEWEST = 3  # images from which on equal scores are suspicious
SAME_SCORE = 1e-6  # two scores of the same two files differ by less, whatever computed them in one run
SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})", re.ASCII)


def check(opened: Opened, faults: Faults) -> None:
    """Add what is wrong with a submission whose files have been opened."""
    for kind, messages in (
        ("arithmetic", arithmetic(opened.summary, opened.rows)),
        ("complete", _complete(opened)),
        ("checksums of rows", _checksums(opened)),
        ("pictures", _pictures(opened.rows)),
        ("scores", _scores(opened.rows)),
        ("equal scores", _equal_scores(opened)),
        ("bits", _bits(opened)),
        ("inputs", _inputs(opened)),
        ("rates of rows", _rates(opened)),
    ):
        for message in messages:
            faults.add(kind, message)


def _complete(opened: Opened) -> Iterator[str]:
    """Every mode has every image, and both scores of it."""
    stems = {row.stem: row.name for row in opened.rows}
    of = opened.summary["ground_truth"]["images"]
    if len(stems) != of:
        yield f"scores.csv: is about {len(stems)} images, and the ground truth has {of}"
    for mode in opened.submission["modes"]:
        lacking = sorted(stems.keys() - {row.stem for row in opened.rows if row.mode == mode})
        if lacking:
            yield (
                f"scores.csv: mode {mode} lacks {len(lacking)} images that another mode has (first:"
                f" {stems[lacking[0]]})"
            )
    for row in opened.rows:
        for metric in OVERALL_METRICS:
            if metric not in row.scores:
                yield f"{row.where}: has no {metric}"
    for metric, kind in zip(OVERALL_METRICS, ("FR", "NR")):
        told = opened.summary["metrics"][metric]
        if told["kind"] != kind or told["lower_is_better"]:
            yield f"summary.json: {metric} is told to be {told['kind']}, lower is better: {told['lower_is_better']}"


def _checksums(opened: Opened) -> Iterator[str]:
    keys = {(row.mode, row.stem): row for row in opened.rows}
    for mode, image in sorted(opened.checksums.keys() - keys.keys()):
        yield f"reconstructions.sha256: {mode}/{opened.checksums[mode, image][0]} has no row in scores.csv"
    for key, row in keys.items():
        if key not in opened.checksums:
            yield f"{row.where}: reconstructions.sha256 does not name it"
        elif opened.checksums[key][1][:16] != row.reconstruction:
            yield f"{row.where}: another picture was scored than the one in reconstructions.sha256"


def _pictures(rows: list[SubmittedScores]) -> Iterator[str]:
    """Digests of files that cannot be: one image with two originals, an original or one picture handed in for
    others.
    """
    truth: dict[str, str] = {}
    originals: dict[str, str] = {}
    for row in rows:
        if truth.setdefault(row.stem, row.ground_truth) != row.ground_truth:
            yield f"{row.where}: has another ground truth than in another mode"
        originals.setdefault(row.ground_truth, row.name)
    made: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.reconstruction in originals:
            yield f"{row.where}: the reconstruction is the ground truth {originals[row.reconstruction]} itself"
        first = made.setdefault((row.mode, row.reconstruction), row.name)
        if first != row.name:
            yield f"{row.where}: the reconstruction is the same file as that of {first}"


def _scores(rows: list[SubmittedScores]) -> Iterator[str]:
    low, high = PLAUSIBLE
    for row in rows:
        for metric in OVERALL_METRICS:
            if not low <= row.scores.get(metric, low) <= high:
                yield f"{row.where}: {metric} is {row.scores[metric]:g}, and from {low:g} to {high:g} is plausible"


def _equal_scores(opened: Opened) -> Iterator[str]:
    """Scores that repeat where they cannot, or differ where they cannot."""
    for mode in opened.submission["modes"]:
        here = [row for row in opened.rows if row.mode == mode]
        values = {metric: [row.scores.get(metric) for row in here] for metric in OVERALL_METRICS}
        for metric, scores in values.items():
            different = len(set(scores))
            if len(scores) >= FEWEST and different <= len(scores) / 2:
                yield f"scores.csv: mode {mode} has {different} different values of {metric} for {len(scores)} images"
        if here and values[OVERALL_METRICS[0]] == values[OVERALL_METRICS[1]]:
            yield f"scores.csv: mode {mode} has the same numbers for {OVERALL_METRICS[0]} and {OVERALL_METRICS[1]}"
    pairs: dict[tuple[str, str], list[SubmittedScores]] = defaultdict(list)
    for row in opened.rows:
        pairs[row.ground_truth, row.reconstruction].append(row)
    for rows in pairs.values():
        for row in rows[1:]:
            for metric in OVERALL_METRICS:
                if abs(row.scores.get(metric, 0) - rows[0].scores.get(metric, 0)) > SAME_SCORE:
                    yield f"{row.where}: {metric} differs from that of the same two files in mode {rows[0].mode}"


def _bits(opened: Opened) -> Iterator[str]:
    """Bits are the sum of what the mode sends, and bpp is bits over the ground truth's pixels."""
    sizes = {mode: inputs(opened.manifest, mode) for mode in MODES}
    for row in opened.rows:
        bits, mode = row.spent.get("bits"), MODES[row.mode]
        if (bits is None) != (row.bpp is None) or (row.spent and not row.kind):
            yield f"{row.where}: of kind, bits and bpp some are given and some are not"
            continue
        if bits is None:
            continue
        sent = (["caption_bits"] if mode.captioned else []) + ([f"{mode.reference}_bits"] if mode.reference else [])
        parts = [row.spent.get(part) for part in ("caption_bits", "pixel_bits", "image_bits")]
        if all(part in row.spent for part in sent) and sum(part or 0 for part in parts) != bits:
            yield f"{row.where}: {bits} bits are not the sum of caption, pixels and image ({parts})"
        size = SIZE.fullmatch(str(sizes[row.mode].get(row.stem, {}).get("size")))
        exact = bits / (int(size[1]) * int(size[2])) if size else row.bpp
        if abs(exact - row.bpp) > 1e-6:  # bpp has six decimals
            yield f"{row.where}: bpp is {row.bpp:g}, and {bits} bits for {size[0]} pixels are {exact:.6f}"


def _inputs(opened: Opened) -> Iterator[str]:
    """The manifest tells what each reconstruction was decoded from, and the captions are those that were decoded and
    counted.
    """
    texts = {stem(name): text for name, text in opened.texts.items()}
    made_of = opened.manifest.get("captions") or {}
    if texts and digest(opened.contents["captions.csv"]) != made_of.get("sha256"):
        yield "captions.csv: is not the file that manifest.json names by its hash"
    made = {mode: inputs(opened.manifest, mode) for mode in MODES}
    decoded = not opened.manifest.get("codec")  # what a codec made has no prompts
    for row in opened.rows:
        told = made[row.mode].get(row.stem, {})
        if decoded and not ("prompt" in told and SIZE.fullmatch(str(told.get("size")))):
            yield f"{row.where}: manifest.json does not tell from which prompt and at which size it was decoded"
        if not texts or not MODES[row.mode].captioned:
            continue
        text = texts.get(row.stem)
        if text is None:
            yield f"{row.where}: captions.csv has no caption of it"
            continue
        if row.spent.get("caption_bits", caption_bits(text)) != caption_bits(text):
            yield f"{row.where}: caption_bits are {row.spent['caption_bits']}, and its caption has {caption_bits(text)}"
        if told.get("prompt", digest(text.encode())) != digest(text.encode()):
            yield f"{row.where}: was decoded from another caption than that in captions.csv"


def _rates(opened: Opened) -> Iterator[str]:
    """The rows' costs are those of rates.csv, of the same picture."""
    for row in opened.rows:
        told = opened.rates.get((row.stem, row.mode))
        told = told if told and told["sha256"] == row.reconstruction else {}
        if told.get("kind", "") != row.kind:
            theirs = ascii(told.get("kind") or "not told")
            yield f"{row.where}: the rate's kind is {row.kind or 'not told'}, in rates.csv {theirs}"
            continue
        for column in SPENT:
            cell = told.get(column, "")
            value = number_or_none(cell)
            if value != row.spent.get(column) or (cell and value is None):
                yield f"{row.where}: {column} is {row.spent.get(column)}, in rates.csv {ascii(cell)[:40]}"
