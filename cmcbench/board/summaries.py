"""summary.json as values: what the scorer writes, checked part by part, since a summary may come from anybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from ..files.manifest import SEAL
from ..files.result_manifest import is_seed
from ..files.untrusted import LARGEST, LARGEST_SCORE, LONGEST_NAME, MOST_METRICS, Unusable, shown
from ..protocol import MODES, OVERALL_METRICS, PLAIN

METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.+@-]{0,59}")
# Names that every object of JavaScript has: a metric of that name would be found on the page where there is none
TAKEN = {
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
}
RATES = ("ratio", "caption", "deflate", "pixel", "image", "packed")
COSTS = ("encode_seconds", "decode_seconds", "peak_memory")
MOST_IMAGES = 10**9

Value = TypeVar("Value")
Ends = dict[str, tuple[float, float]]  # metric, or formula -> (low, high) of its interval


@dataclass(frozen=True)
class Metric:
    """kind: "FR" or "NR". identity: weights or version; scores of another one cannot be compared. of_set: of a set of
    images, so that no image has a score."""

    name: str
    kind: str
    lower_is_better: bool
    identity: str
    of_set: bool = False


@dataclass(frozen=True)
class Mean:
    """Over n images, with its 95 % interval where it has one."""

    mean: float
    n: int
    ends: tuple[float, float] | None = None


Means = dict[str, Mean]  # metric -> mean


@dataclass(frozen=True)
class ModeSummary:
    """bpp: mean bits per pixel. rate_kind: of rates.KINDS, "" where no rate is known. rate, cost: of RATES and
    COSTS those that are known. groups: "types" or "sources" -> content type ("NSI") or source ("NSI_pgc") -> means."""

    metrics: Means
    bpp: float | None
    rate_kind: str
    rate: dict[str, float]
    cost: dict[str, float]
    groups: dict[str, dict[str, Means]]

    def all_means(self) -> Iterator[Means]:
        """Of all images, and of each kind of them."""
        yield self.metrics
        for kinds in self.groups.values():
            yield from kinds.values()


@dataclass(frozen=True)
class DataSet:
    """A prepared test set, where the ground truth is one. name: "kodak short512 crop512". digest: of its pixels, which
    tells two apart that are named alike (another filter, another copy)."""

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name} {self.digest[:8]}"


@dataclass(frozen=True)
class Summary:
    """decoder, encoder: names of the model and of the captions' file, "" where unknown. baseline: which of "decoder"
    and "captions" are no generative model. images, digest: of the ground truth; data: the test set that it is, None
    where not stated. overall: "t2i" and "i2t" -> Overall. seed, system: of `system_of`, or None and ""."""

    target: str
    decoder: str
    encoder: str
    baseline: tuple[str, ...]
    images: int
    digest: str
    metrics: dict[str, Metric]
    modes: dict[str, ModeSummary]
    over_modes: dict[str, float]
    over_modes_ends: Ends
    overall: dict[str, float | None]
    overall_ends: Ends
    i2t_table: bool
    data: DataSet | None = None
    seed: int | None = None
    system: str = ""


class _Part:
    """A value in a summary, and the path to it, so that every refusal says where."""

    def __init__(self, value: Any, where: str = "") -> None:
        self.value, self.where = value, where

    def refuse(self, expected: str) -> Unusable:
        found = "nothing" if self.value is None else shown(self.value)
        return Unusable(f"holds {found} at {self.where or 'its top'}, expected {expected}")

    def __getitem__(self, name: str) -> _Part:
        return _Part(self._object().get(name), f"{self.where}.{name}".strip("."))

    def _object(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.refuse("an object")
        return self.value

    def parts(self) -> Iterator[tuple[str, _Part]]:
        for name in self._object():
            yield name, _Part(self.value[name], f"{self.where}.{shown(name)[1:-1]}")

    def number(self, largest: float = LARGEST_SCORE) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)) or not abs(self.value) <= largest:
            raise self.refuse("a number")
        return self.value

    def count(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not 0 <= self.value <= MOST_IMAGES:
            raise self.refuse("a number of images")
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str) or len(self.value) > LONGEST_NAME:
            raise self.refuse(f"a text of at most {LONGEST_NAME} characters")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.refuse("true or false")
        return self.value

    def pair(self) -> tuple[float, float] | None:
        """An interval, None where either end is null."""
        if not isinstance(self.value, list) or len(self.value) != 2:
            raise self.refuse("an interval of two numbers")
        if None in self.value:
            return None
        low, high = (_Part(value, self.where).number() for value in self.value)
        if low > high:
            raise self.refuse("an interval that ends where it begins or later")
        return low, high

    def maybe(self, read: Callable[[_Part], Value], missing: Value | None = None) -> Value | None:
        """What `read` makes of the value, `missing` where there is none or it is null."""
        return missing if self.value is None else read(self)


def parse(document: dict[str, Any]) -> Summary:
    """A summary from its JSON. Modes that this version does not know are left out. Raises Unusable."""
    top = _Part(document)
    made_by = top["made_by"]
    captions = made_by["captions"].maybe(lambda part: part, _Part({}, "made_by.captions"))
    file = captions["file"].maybe(_Part.text, "")
    flags = {"decoder": made_by["baseline"], "captions": captions["baseline"]}
    modes = {mode: _mode(top["modes"][mode]) for mode in (*MODES, PLAIN) if top["modes"][mode].value is not None}
    sets = {
        name
        for mode in modes
        for name, each in top["modes"][mode]["metrics"].parts()
        if each["set"].maybe(_Part.flag, False)
    }
    metrics = _metrics(top["metrics"], sets)
    unknown = {name for mode in modes.values() for means in mode.all_means() for name in means} - metrics.keys()
    overall = {formula: top["overall"][formula].maybe(_Part.number) for formula in ("t2i", "i2t")}
    if unknown:
        raise Unusable(f"has scores of {shown(sorted(unknown)[0])}, which its metrics do not describe")
    if any(value is not None for value in overall.values()) and not set(OVERALL_METRICS) <= metrics.keys():
        raise Unusable(f"has an Overall without {' and '.join(OVERALL_METRICS)}")
    return Summary(
        target=top["target"].text(),
        decoder=made_by["t2i"].maybe(_Part.text, ""),
        encoder=PurePosixPath(file).name.removesuffix(".csv"),
        baseline=tuple(part for part, flag in flags.items() if flag.maybe(_Part.flag, False)),
        images=top["ground_truth"]["images"].count(),
        digest=top["ground_truth"]["digest"].text(),
        metrics=metrics,
        modes=modes,
        over_modes={
            name: each.number()
            for name, each in top["over_modes"].parts()
            if each.value is not None and name in metrics
        },
        over_modes_ends=_ends(top["over_modes_interval"]),
        overall=overall,
        overall_ends=_ends(top["overall_interval"]),
        i2t_table=bool(top["i2t_table"].maybe(_Part.flag, False)),
        data=top["data"].maybe(_data),
        seed=top["seed"].maybe(_seed),
        system=top["system"].maybe(_system, ""),
    )


def _seed(part: _Part) -> int:
    if not is_seed(part.value):
        raise part.refuse("a whole number of at most 18 digits")
    return part.value


def _system(part: _Part) -> str:
    if not SEAL.fullmatch(part.text()):
        raise part.refuse("a digest of 16 hexadecimal digits")
    return part.value


def _data(part: _Part) -> DataSet:
    name, digest = part["name"].text(), part["digest"].text()
    if not (name and name.isprintable() and SEAL.fullmatch(digest)):
        raise part.refuse("the name and the digest of a prepared test set")
    return DataSet(name, digest)


def _metrics(part: _Part, sets: set[str]) -> dict[str, Metric]:
    found = {}
    for name, about in part.parts():
        if not METRIC.fullmatch(name) or name in TAKEN:
            raise Unusable(f"names a metric {shown(name)}, which is not the name of a metric")
        lower = about["lower_is_better"].flag()
        if lower and name in OVERALL_METRICS:
            raise Unusable(f"says of {name} that lower is better, and higher is")
        found[name] = Metric(name, about["kind"].text(), lower, about["identity"].text(), name in sets)
    if len(found) > MOST_METRICS:
        raise Unusable(f"has {len(found)} metrics, at most {MOST_METRICS} are read")
    return found


def _mode(part: _Part) -> ModeSummary:
    rate, cost = (part[key].maybe(lambda each: each, _Part({}, key)) for key in ("rate", "cost"))
    groups = {}
    for view in ("types", "sources"):
        listed = part[view].maybe(_Part.parts, iter(()))
        groups[view] = {kind: _means(means) for kind, means in listed}
    return ModeSummary(
        metrics=_means(part["metrics"]),
        bpp=part["bpp"].maybe(lambda each: each["mean"].number()),
        rate_kind=rate["kind"].maybe(_Part.text, ""),
        rate=_known(rate, RATES),
        cost=_known(cost, COSTS),
        groups=groups,
    )


def _known(part: _Part, names: tuple[str, ...]) -> dict[str, float]:
    return {name: part[name].number(LARGEST) for name in names if part[name].value is not None}


def _means(part: _Part) -> Means:
    found = {}
    for name, each in part.parts():
        ends = [each[end].value for end in ("low", "high")]
        interval = None if None in ends else _Part(ends, f"{each.where}.low and high").pair()
        found[name] = Mean(each["mean"].number(), each["n"].count(), interval)
    return found


def _ends(part: _Part) -> Ends:
    pairs = ((name, each.maybe(_Part.pair)) for name, each in part.maybe(_Part.parts, iter(())))
    return {name: pair for name, pair in pairs if pair is not None}


@dataclass(frozen=True)
class ScoredImage:
    """A row of scores.csv. ground_truth, reconstruction: digests of the two files. bits: of the message; bpp: bits per
    pixel; kind: of the rate. seconds: of encoding and decoding; peak_memory: bytes. None: not known.
    """

    name: str
    mode: str
    scores: dict[str, float]
    ground_truth: str
    reconstruction: str
    bits: int | None
    bpp: float | None
    kind: str
    encode_seconds: float | None
    decode_seconds: float | None
    peak_memory: int | None
