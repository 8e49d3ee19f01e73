"""What one target's scores.csv, summary.json and rates.csv tell of its images: the raw material of the curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...files import rates, untrusted
from ...files.rates import NOMINAL
from ...files.untrusted import Unusable
from ...protocol import MODES, PLAIN
from ...runtime.messages import say

LARGEST_FILE = 1 << 26  # bytes; the published benchmark's table of four modes has below 2 MB
LARGEST_SCORE = 1e12
LARGEST_RATE = 1e3  # bits per pixel; an uncompressed picture has 24
LONGEST_NAME = 60  # characters of a metric's name

ImageKey = tuple[str, str]  # (file name, digest of the ground truth that it was scored against)


@dataclass(frozen=True)
class Measure:
    """A metric as a summary describes it. consistency: full reference. of_set: of the whole set, without images'
    scores.
    """

    name: str
    consistency: bool
    lower_is_better: bool
    identity: str
    of_set: bool = False


@dataclass(frozen=True)
class Sample:
    """One reconstruction: bits per pixel of the ground truth, scores, and cost. None: not known. scale: 1, not
    downscaled.
    """

    bpp: float
    nominal: bool
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


def read_target(folder: Path) -> tuple[list[TargetMode], dict[str, Measure]]:
    """The modes of a target whose rate is known, and its metrics.

    What cannot be used is named on stderr and left out: a damaged file, scores of a run that has not ended, a mode of
    which no image's rate is known.
    """
    try:
        summary = untrusted.json_object(_bytes(folder / "summary.json"))
        if summary.get("unfinished"):
            raise Unusable("tells of a run that has not ended; run script-evaluate.py again")
        measures = _measures(summary)
        raws = _sets(summary, measures)
    except Unusable as error:
        say(f"note: {folder / 'summary.json'} {error}; the target is left out.")
        return [], {}
    try:
        columns, rows = untrusted.table(_bytes(folder / "scores.csv"))
        missing = [
            name for name in ("name", "mode", "bpp", "kind", "ground_truth", "reconstruction") if name not in columns
        ]
        if missing:
            raise Unusable(f"has no column {', '.join(missing)}")
        scales = _scales(folder)
        for line, cells in enumerate(rows, 2):
            _enter(cells, line, raws, [name for name in measures if name in columns], scales)
    except Unusable as error:
        say(f"note: {folder / 'scores.csv'} {error}; the target is left out.")
        return [], {}
    codec = _is_codec(folder)
    known = [raw for raw in raws.values() if raw.samples]
    for raw in known:
        raw.target, raw.codec = folder.name, codec
    for mode in [mode for mode, raw in raws.items() if not raw.samples]:
        say(f"note: {folder.name}: nothing tells the rate of the images in {mode}; they are on no curve.")
    return known, measures


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise Unusable(f"has more than {LARGEST_FILE >> 20} MiB")
        return file.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None


def _measures(summary: dict[str, Any]) -> dict[str, Measure]:
    modes = [_object({"mode": mode}, "mode").get("metrics", {}) for mode in _object(summary, "modes").values()]
    of_sets = {
        name
        for metrics in modes
        for name, each in metrics.items()
        if isinstance(each, dict) and each.get("set") is True
    }
    found = {}
    for name, each in _object(summary, "metrics").items():
        if not isinstance(each, dict) or not isinstance(each.get("lower_is_better"), bool) or len(name) > LONGEST_NAME:
            raise Unusable(f"does not describe the metric {untrusted.shown(name)}")
        kind, identity = each.get("kind"), str(each.get("identity"))
        found[name] = Measure(name, kind == "FR", each["lower_is_better"], identity, name in of_sets)
    return found


def _sets(summary: dict[str, Any], measures: dict[str, Measure]) -> dict[str, TargetMode]:
    """mode -> what the summary alone knows of it: the number of images of the ground truth, and measures of the set."""
    of = _object(summary, "ground_truth").get("images")
    if not isinstance(of, int) or of < 0:
        raise Unusable("does not tell the number of images of the ground truth")
    raws = {}
    for mode, found in _object(summary, "modes").items():
        if mode not in (*MODES, PLAIN):
            raise Unusable(f"tells of a mode {untrusted.shown(mode)}")
        raws[mode] = TargetMode("", mode, of)
        for name, each in _object({mode: found}, mode).get("metrics", {}).items():
            if name in measures and measures[name].of_set and isinstance(each, dict):
                mean, n = each.get("mean"), each.get("n")
                if not isinstance(mean, (int, float)) or abs(mean) > LARGEST_SCORE or not isinstance(n, int):
                    raise Unusable(f"holds no number for {name} in {mode}")
                raws[mode].sets[name] = (float(mean), n)
    return raws


def _object(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    if not isinstance(value, dict) or not isinstance(value.get("metrics", {}), dict):
        raise Unusable(f"holds no object {untrusted.shown(key)}")
    return value


def _enter(
    cells: dict[str, str],
    line: int,
    raws: dict[str, TargetMode],
    metrics: list[str],
    scales: dict[tuple[str, str, str], int],
) -> None:
    """Put a row of scores.csv among the samples of its mode. Rows without a rate are no samples."""
    raw = raws.get(cells["mode"])
    if raw is None:
        raise Unusable(f"line {line} tells of the mode {untrusted.shown(cells['mode'])}, and summary.json does not")
    image = cells["name"], cells["ground_truth"]
    if image in raw.samples:
        raise Unusable(f"line {line} tells of {untrusted.shown(image[0])} a second time")
    if not cells["bpp"]:
        return
    try:
        bpp = untrusted.number(cells["bpp"])
        scores = {name: untrusted.number(cells[name]) for name in metrics if cells[name]}
        seconds = [
            untrusted.number(cells[name]) if cells.get(name) else None for name in ("encode_seconds", "decode_seconds")
        ]
        memory = untrusted.whole(cells["peak_memory"]) if cells.get("peak_memory") else None
    except Unusable as error:
        raise Unusable(f"line {line}: {error}") from None
    if not 0 <= bpp <= LARGEST_RATE or any(abs(score) > LARGEST_SCORE for score in scores.values()):
        raise Unusable(f"line {line}: holds a rate or score that none can have")
    scale = scales.get((cells["name"].rpartition(".")[0], cells["mode"], cells["reconstruction"]), 1)
    raw.samples[image] = Sample(bpp, cells["kind"] == NOMINAL, scores, *seconds, memory, scale)


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
        return "codec" in untrusted.json_object(_bytes(folder / "manifest.json"))
    except Unusable:
        return False  # a folder of pictures needs none
