"""What is known of one scored target's images, rates and scores: the raw material of the curves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import BadInput
from ...files import rates, untrusted
from ...files.untrusted import Unusable
from ...runtime.messages import say
from ..scored import ScoredTarget, again
from ..summaries import DataSet, Metric

ImageKey = tuple[str, str]  # (file name, digest of the ground truth that it was scored against)


@dataclass(frozen=True)
class Sample:
    """One reconstruction: bits per pixel of the ground truth, of which of rates.KINDS, scores, and cost. None: not
    known. scale: 1, not downscaled.
    """

    bpp: float
    kind: str
    scores: dict[str, float]
    encode_seconds: float | None
    decode_seconds: float | None
    peak_memory: int | None
    scale: int


@dataclass
class TargetMode:
    """A target in one mode. sets: measures of the whole set -> (value, number of images). of: images of the ground
    truth.
    """

    target: str
    mode: str
    of: int
    samples: dict[ImageKey, Sample] = field(default_factory=dict)
    sets: dict[str, tuple[float, int]] = field(default_factory=dict)
    codec: bool = False


def of_one_set(targets: list[ScoredTarget]) -> tuple[list[ScoredTarget], DataSet | None]:
    """The targets that were scored on the test set that most of them state, and that set; those that state another
    (another crop, another filter) are named and left out. None where none states any, or some do not.
    """
    stated = [target.summary.data for target in targets if target.summary.data]
    if not stated:
        return targets, None
    digest, _ = Counter(each.digest for each in stated).most_common(1)[0]
    most = next(each for each in stated if each.digest == digest)
    kept = []
    for target in targets:
        data = target.summary.data
        if data is None or data.digest == digest:
            kept.append(target)
        else:
            where = f"was scored on {data}, most others on {most}"
            say(f"note: {target.folder.name} {where}; it is left out of the curves.")
    return kept, most if all(target.summary.data for target in kept) else None


def modes_of(target: ScoredTarget) -> tuple[list[TargetMode], dict[str, Metric]]:
    """The modes of a target whose rate is known, and its metrics. What cannot be used is named on stderr and left out:
    an invalid scores.csv, a mode of which no image's rate is known.
    """
    folder, summary = target.folder, target.summary
    if target.fault:
        say(f"note: {folder / 'scores.csv'} {target.fault}; the target is left out of the curves. {again(folder)}")
        return [], {}
    found = {
        mode: TargetMode(folder.name, mode, summary.images, sets=_sets(target, mode), codec=_is_codec(folder))
        for mode in summary.modes
    }
    scales = _scales(folder)
    for (stem, mode), row in target.rows.items():
        if row.bpp is not None:
            scale = scales.get((stem, mode, row.reconstruction), 1)
            cost = row.encode_seconds, row.decode_seconds, row.peak_memory
            sample = Sample(row.bpp, row.kind, dict(row.scores), *cost, scale)
            found[mode].samples[row.name, row.ground_truth] = sample
    for mode in (mode for mode, each in found.items() if not each.samples):
        say(f"note: {folder.name}: the rate of the images in {mode} is not known; they are on no curve.")
    return [each for each in found.values() if each.samples], summary.metrics


def _sets(target: ScoredTarget, mode: str) -> dict[str, tuple[float, int]]:
    metrics = target.summary.metrics
    means = target.summary.modes[mode].metrics
    return {name: (each.mean, each.n) for name, each in means.items() if metrics[name].of_set}


def _scales(folder: Path) -> dict[tuple[str, str, str], int]:
    """(stem, mode, digest of the reconstruction) -> what its sides were divided by before coding; of those that
    were.
    """
    try:
        spent = rates.read(folder / rates.FILE)
    except BadInput as error:
        say(f"note: {error} Which images were downscaled is not known.")
        return {}
    return {(*key, row.sha256): row.scale for key, row in spent.items() if row.scale and row.scale > 1}


def _is_codec(folder: Path) -> bool:
    try:
        return "codec" in untrusted.json_object(untrusted.read_bytes(folder / "manifest.json"))
    except Unusable:
        return False  # a folder of pictures needs none
