"""The metrics by name: the benchmark's two TOPIQ networks, CLIPSIM, FID, and any metric of pyiqa.

To add one that pyiqa lacks, write a subclass of Metric or SetMetric (metric.py) and name it in OWN.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from ...errors import BadInput
from .base import Metric, SetMetric
from .clipsim import DEFAULT_CLIP, Clipsim
from .fid import Fid
from .pyiqa import Pyiqa, configs
from .topiq import WEIGHTS, WITHOUT_WEIGHTS, Topiq, where_weights_are

FR_ORDERS = ("published", "pyiqa")
PRECISIONS = ("fp32", "bf16", "fp16")
GROUPS = {
    "topiq": ("topiq_fr", "topiq_nr"),
    # The paper's figure: four of consistency, four of perception
    "paper": ("topiq_fr", "clipsim", "lpips", "ssim", "topiq_nr", "clipiqa", "liqe", "fid"),
}

OWN: dict[str, Callable[[str], Metric | SetMetric]] = {  # name -> made from --clip_model, which most have no use for
    Clipsim.name: Clipsim,
    Fid.name: lambda clip: Fid(),
}


def resolve(
    names: str,
    weights: Path,
    fr_order: str = "published",
    precision: str = "fp32",
    clip: str = DEFAULT_CLIP,
    absent: dict[str, str] | None = None,
) -> list[Metric | SetMetric]:
    """The metrics that `--metrics` names, separated by commas; `topiq` and `paper` are groups. Loads nothing.

    absent: where given, it gets name -> message of a metric whose weights are missing, and the others are the result.
    Raises BadInput for an unknown one, for missing weights without `absent`, and where none is left.
    """
    wanted = [part.strip().lower() for part in names.split(",") if part.strip()]
    wanted = list(dict.fromkeys(name for part in wanted for name in GROUPS.get(part, (part,))))
    if not wanted:
        raise BadInput("--metrics names no metric. The default is topiq; without weights: " + WITHOUT_WEIGHTS)
    for name in wanted:
        _check_name(name)
    metrics: list[Metric | SetMetric] = []
    problems: dict[str, BadInput] = {}
    for name in wanted:
        try:
            metrics.append(_one(name, weights, fr_order, precision, clip))
        except BadInput as error:
            problems[name] = error
    if problems and (absent is None or not metrics):
        raise next(iter(problems.values()))
    if absent is not None:
        absent.update({name: str(error) for name, error in problems.items()})
    return metrics


def _check_name(name: str) -> None:
    if name in WEIGHTS or name in OWN:
        return
    known = configs()
    if name not in known:
        near = difflib.get_close_matches(name, [*GROUPS, *OWN, *known], n=3, cutoff=0.5)
        hint = f" Near: {', '.join(near)}." if near else ""
        own = ", ".join((*GROUPS, *OWN))
        raise BadInput(f"--metrics: there is no metric {name!r}.{hint} Known: {own}, and those of pyiqa.list_models().")
    if known[name].get("metric_mode") not in ("FR", "NR") or "fid" in name or name == "inception_score":
        raise BadInput(
            f"--metrics: {name} is no measure of single images and cannot be scored here; of whole sets there is fid."
        )


def _one(name: str, weights: Path, fr_order: str, precision: str, clip: str) -> Metric | SetMetric:
    if name in WEIGHTS:
        file = weights / WEIGHTS[name]
        if not file.is_file():
            raise BadInput(f"there are no TOPIQ weights: {file} is missing. {where_weights_are(weights)}")
        return Topiq(name, file, fr_order, precision)
    return OWN[name](clip) if name in OWN else Pyiqa(name, configs()[name])
