"""Rate-distortion curves from the files of scored targets: which points belong together, over which images they are
means.

Groups: `vvc@0.02` and `vvc@0.04` are one curve `vvc`; a target without `@` is a curve through its modes. A group with
several modes has one curve for each mode, one with several swept settings (strength, bpp) one for each setting. Seeds
are no points of a curve: `real@seed=43` is a group of its own.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import BadInput
from ...files.names import SEED_MARK
from ...files.rates import joint_kind
from ...published.metrics import canonical
from ...runtime.messages import printable, say
from ..families import Style, styles_of
from ..scored import ScoredTarget, folders, named, read_all
from ..summaries import DataSet, Metric
from .points import Curve, CurvePoint, with_ends
from .samples import ImageKey, TargetMode, modes_of, of_one_set

PUBLISHED_ORDER = (
    "topiq_fr",
    "clipsim",
    "lpips",
    "ssim",
    "topiq_nr",
    "clipiqa",
    "liqe",
    "fid",
)  # of the paper's figure
LEAST_SHARE = 0.5  # a point with fewer of the fullest point's images would take the others' images from all points
LEAST_SCORED = 0.9  # so would a metric that fewer of a point's images have
ROUNDED = 1e-6  # bpp in scores.csv has six decimals


def collect(results: Path, targets: list[str] | None = None, metrics: list[str] | None = None) -> list[Curve]:
    """The curves of the targets in `results`, in the order of their labels; [] where no target has rates and scores.

    targets: names, patterns such as 'real*', or groups (vvc for vvc@0.02, vvc@0.04); None: all. metrics: only these.
    What cannot be used is named on stderr and left out. Raises BadInput for a target or metric that is not there.
    """
    chosen = _folders(results, targets)
    return curves_of(read_all(chosen, "the curves"), styles_of(results), metrics)


def curves_of(
    targets: Iterable[ScoredTarget], styles: Mapping[str, Style], metrics: list[str] | None = None
) -> list[Curve]:
    """The same of these targets. styles: by name."""
    found: dict[str, dict[str, Metric]] = {}
    raws: list[TargetMode] = []
    targets, data = of_one_set(list(targets))
    for target in targets:
        modes, measures = modes_of(target)
        raws += modes
        found.update({target.folder.name: measures} if modes else {})
    measures = _comparable(found, metrics)
    raws = _full_enough([raw for raw in raws if _has_scores(raw, measures, found[raw.target])])
    return _curves(raws, measures, styles, data)


def _folders(results: Path, asked: list[str] | None) -> list[Path]:
    """The targets' folders, each once, sorted by name. Raises BadInput."""
    if not results.is_dir():
        raise BadInput(
            f"there is no folder {results}. Score targets with script-evaluate.py, or name their folder with --results."
        )
    return folders(results) if asked is None else named(results, asked, group=True)


def group_of(target: str) -> str:
    """What stands before the first `@` of a target's name, and the seed where it ends with one."""
    point, seed = _seed_apart(target)
    return (point.partition("@")[0] or point) + seed


def swept(target: str) -> str:
    """The settings after the `@` of a target's name without their values: "strength" for real@strength=0.3, "" for
    vvc@0.02.
    """
    return re.sub(r"[=:]?[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", "", _seed_apart(target)[0].partition("@")[2])


def _seed_apart(target: str) -> tuple[str, str]:
    """A target's name as what stands before its seed, and that with its mark ("" without one)."""
    point, mark, seed = target.rpartition(SEED_MARK)
    return (point, mark + seed) if point else (target, "")


def _comparable(found: dict[str, dict[str, Metric]], wanted: list[str] | None) -> dict[str, Metric]:
    """The metrics, each as most targets have it (the same weights); in the order of the paper's figure, then by
    name.
    """
    names = {name for measures in found.values() for name in measures}
    if wanted is not None:
        wanted = [canonical(name, names) for name in wanted]
        unknown = [name for name in wanted if name not in names]
        if unknown:
            there = ", ".join(map(printable, sorted(names))) or "none"
            raise BadInput(f"--metrics {', '.join(map(ascii, unknown))}: no target has it. There are: {there}.")
        names &= set(wanted)
    order = {name: place for place, name in enumerate(PUBLISHED_ORDER)}
    chosen = {}
    for name in sorted(names, key=lambda name: (order.get(name, len(order)), name)):
        having = {target: measures[name] for target, measures in found.items() if name in measures}
        chosen[name], _ = Counter(having.values()).most_common(1)[0]
        for target, measure in having.items():
            if measure != chosen[name]:
                say(
                    f"note: {name} of {target} was made with other weights or another version; it is left out of the"
                    " curves."
                )
    return chosen


def _has_scores(raw: TargetMode, measures: dict[str, Metric], own: dict[str, Metric]) -> bool:
    """Take away what cannot be compared, and metrics that too few of the images have; whether anything is left."""
    comparable = {name for name, measure in measures.items() if own.get(name) == measure}
    counts = Counter(name for sample in raw.samples.values() for name in sample.scores if name in comparable)
    fullest = max(counts.values(), default=0)
    kept = {name for name, count in counts.items() if count >= LEAST_SCORED * fullest}
    for name in sorted(set(counts) - kept):
        say(
            f"note: {raw.target}: {raw.mode}: only {counts[name]} of {len(raw.samples)} images have {name}; it is left"
            " out of the curves."
        )
    raw.samples = {image: sample for image, sample in raw.samples.items() if kept <= set(sample.scores)}
    for sample in raw.samples.values():
        for name in set(sample.scores) - kept:
            del sample.scores[name]
    raw.sets = {name: each for name, each in raw.sets.items() if name in comparable}
    return bool(raw.samples and (kept or raw.sets))


def _full_enough(raws: list[TargetMode]) -> list[TargetMode]:
    fullest = max((len(raw.samples) for raw in raws), default=0)
    kept = []
    for raw in raws:
        if len(raw.samples) >= LEAST_SHARE * fullest:
            kept.append(raw)
        else:
            say(f"note: {raw.target}: {raw.mode} is left out: it has {len(raw.samples)} images, others have {fullest}.")
    return kept


def _common(raws: list[TargetMode]) -> list[ImageKey]:
    """The images that all points have. A point that shares none with most of the others is named and left out."""
    votes = Counter(image for raw in raws for image in raw.samples)
    while raws:
        shared = set.intersection(*(set(raw.samples) for raw in raws))
        if shared:
            return sorted(shared)
        # Another ground truth under the same names, or other images: the point whose images the fewest others have
        odd = min(
            raws, key=lambda raw: (sum(votes[image] for image in raw.samples) / len(raw.samples), raw.target, raw.mode)
        )
        reason = "no image, scored against the same ground truth, is common to it and the others"
        say(f"note: {odd.target}: {odd.mode} is left out: {reason}.")
        raws.remove(odd)
        votes.subtract(odd.samples.keys())
    return []


def _curves(
    raws: list[TargetMode], measures: dict[str, Metric], styles: Mapping[str, Style], data: DataSet | None
) -> list[Curve]:
    images = _common(raws)
    names = tuple(name for name, _ in images)
    _same_size(raws, measures)
    grouped: dict[tuple[str, str, str], list[TargetMode]] = {}
    for raw in raws:
        several = "@" in _seed_apart(raw.target)[0]
        key = group_of(raw.target), swept(raw.target) if several else "", raw.mode if several else ""
        grouped.setdefault(key, []).append(raw)
    shown = {name: measure for name, measure in measures.items() if any(name in _names(raw) for raw in raws)}
    made = dict(zip(map(id, raws), with_ends([_point(raw, images, styles) for raw in raws])))
    curves = []
    for key, members in grouped.items():
        points = sorted((made[id(raw)] for raw in members), key=lambda point: (point.bpp, point.target, point.mode))
        codec = all(raw.codec for raw in members)
        curves.append(Curve(key[0], _label(key, list(grouped)), tuple(points), shown, codec, names, data))
    return sorted(curves, key=lambda curve: curve.label)


def _names(raw: TargetMode) -> set[str]:
    return {*raw.sets, *(name for sample in raw.samples.values() for name in sample.scores)}


def _label(key: tuple[str, str, str], keys: Iterable[tuple[str, str, str]]) -> str:
    """The group's name, with the setting and the mode where the group has several curves."""
    group, setting, mode = key
    peers = [other for other in keys if other[0] == group]
    label = f"{group} {mode}" if mode and len({other[2] for other in peers}) > 1 else group
    return f"{label} ({setting})" if setting and len({other[1] for other in peers if other[2]}) > 1 else label


def _same_size(raws: list[TargetMode], measures: dict[str, Metric]) -> None:
    """Metrics of whole sets depend on the number of images: keep those of the largest number."""
    for name in (name for name, measure in measures.items() if measure.of_set):
        largest = max((raw.sets[name][1] for raw in raws if name in raw.sets), default=0)
        for raw in raws:
            if name in raw.sets and raw.sets[name][1] != largest:
                say(
                    f"note: {raw.target}: {raw.mode}: {name} is of {raw.sets[name][1]} images, others' of {largest}; it"
                    " is left out."
                )
                del raw.sets[name]


def _point(raw: TargetMode, images: list[ImageKey], styles: Mapping[str, Style]) -> CurvePoint:
    import numpy as np

    samples = [raw.samples[image] for image in images]
    rates = np.array([sample.bpp for sample in samples])
    scores = {name: np.array([sample.scores[name] for sample in samples]) for name in samples[0].scores}
    values = {name: math.fsum(each) / len(each) for name, each in scores.items()}
    values.update({name: value for name, (value, _) in raw.sets.items()})
    memory = [sample.peak_memory for sample in samples if sample.peak_memory is not None]
    budget = _budget(raw)
    return CurvePoint(
        raw.target,
        raw.mode,
        math.fsum(rates) / len(rates),
        values,
        len(images),
        raw.of,
        joint_kind(sample.kind for sample in samples),
        _mean(sample.encode_seconds for sample in samples),
        _mean(sample.decode_seconds for sample in samples),
        max(memory, default=None),
        sum(sample.scale > 1 for sample in samples),
        int(np.count_nonzero(rates > budget + ROUNDED)),
        rates,
        scores,
        styles[raw.target],
    )


def _budget(raw: TargetMode) -> float:
    """The bits per pixel that a codec's target is named after (vvc@0.02), else infinite."""
    text = raw.target.partition("@")[2]
    return float(text) if raw.codec and re.fullmatch(r"\d+(\.\d+)?", text) else math.inf


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return math.fsum(present) / len(present) if present else None
