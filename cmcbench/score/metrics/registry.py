"""The metrics by name: the benchmark's two TOPIQ networks, those of OWN, and any metric of pyiqa.

To add one that pyiqa lacks, write a subclass of Metric or SetMetric (base.py) and name it in OWN.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import BadInput
from ...published.metrics import ALIASES, canonical, of_pyiqa
from .base import Features, Metric, SetMetric
from .clipsim import DEFAULT_CLIP, Clipsim
from .content.clipscore import Clipscore
from .content.dino import Dino
from .content.ocr import OcrCer
from .dinov2 import WholePictures
from .fid import CleanInception, Fid, Frechet
from .ms_ssim import MsSsim
from .pyiqa import Pyiqa, pyiqa_version
from .sets.kid import Kid
from .sets.patches import InceptionPatches
from .topiq import WEIGHTS, WITHOUT_WEIGHTS, Topiq, where_weights_are

FR_ORDERS = ("published", "pyiqa")
PRECISIONS = ("fp32", "bf16", "fp16")
GROUPS = {
    "topiq": ("topiq_fr", "topiq_nr"),
    # The paper's figure: four of consistency, four of perception
    "paper": ("topiq_fr", "clipsim", "lpips", "ssim", "topiq_nr", "clipiqa", "liqe", "fid"),
    # What papers on learned compression print
    "field": ("psnr", "ms_ssim_rgb", "lpips", "dists", "musiq", "clipiqa", "fid256", "kid256"),
}
SIDES = (64, 128, 256)  # pixels of the patches that sets are measured of


@dataclass(frozen=True)
class Models:
    """What metrics are made with: checkpoints as the user names them, "" for a metric's own choice. captions: the
    digest of the file that --captions names, "" where each target's own are meant."""

    clip: str = DEFAULT_CLIP
    dino: str = ""
    captions: str = ""


def _of_patches(make: Callable[[str, Features, str], SetMetric], name: str, side: int, models: Models) -> SetMetric:
    features = InceptionPatches(side)
    return make(name, features, features.identity)


def _whole_dino(models: Models) -> SetMetric:
    features = WholePictures(models.dino)
    return Frechet("fid_dinov2", features, features.identity)


OWN: dict[str, Callable[[Models], Metric | SetMetric]] = {
    "clipsim": lambda models: Clipsim(models.clip),
    "ms_ssim_rgb": lambda models: MsSsim(),
    "ms_ssim_compressai": lambda models: MsSsim("ms_ssim_compressai", margins=False),
    "clipscore": lambda models: Clipscore(models.clip, models.captions),
    "clipscore_truth": lambda models: Clipscore(models.clip, models.captions, of_truth=True),
    "dino": lambda models: Dino(models.dino),
    "ocr_cer": lambda models: OcrCer(),
    "fid": lambda models: Fid(),
    "kid": lambda models: Kid("kid", CleanInception(), f"pyiqa {pyiqa_version()}, clean", Fid.smallest),
    "fid_dinov2": _whole_dino,
    **{f"fid{side}": partial(_of_patches, Frechet, f"fid{side}", side) for side in SIDES},
    **{f"kid{side}": partial(_of_patches, Kid, f"kid{side}", side) for side in SIDES},
}


def resolve(
    names: str,
    weights: Path,
    fr_order: str = "published",
    precision: str = "fp32",
    models: Models = Models(),
    absent: dict[str, str] | None = None,
) -> list[Metric | SetMetric]:
    """The metrics that `--metrics` names, separated by commas; those in GROUPS are several. Loads nothing.

    Measures of the same features share them.
    absent: where given, it gets name -> message of a metric whose weights are missing, and the others are the result.
    Raises BadInput for an unknown one, for missing weights without `absent`, and where none is left.
    """
    wanted = [part.strip().lower() for part in names.split(",") if part.strip()]
    wanted = [name for part in wanted for name in GROUPS.get(part, (part,))]
    if not wanted:
        raise BadInput("--metrics names no metric. The default is topiq; without weights: " + WITHOUT_WEIGHTS)
    wanted = list(dict.fromkeys(map(_named, wanted)))
    metrics: list[Metric | SetMetric] = []
    problems: dict[str, BadInput] = {}
    for name in wanted:
        try:
            metrics.append(_one(name, weights, fr_order, precision, models))
        except BadInput as error:
            problems[name] = error
    if problems and (absent is None or not metrics):
        raise next(iter(problems.values()))
    if absent is not None:
        absent.update({name: str(error) for name, error in problems.items()})
    shared: dict[str, Features] = {}
    for metric in metrics:
        if isinstance(metric, SetMetric):
            metric.features = shared.setdefault(metric.features.key, metric.features)
    return metrics


def _named(asked: str) -> str:
    """The metric that is meant. Raises BadInput for none, and for one that cannot be scored here."""
    name = canonical(asked, (*WEIGHTS, *OWN))
    if name in WEIGHTS or name in OWN:
        return name
    known = of_pyiqa()
    name = canonical(asked, known)
    if name not in known:
        near = difflib.get_close_matches(name, [*GROUPS, *ALIASES, *OWN, *known], n=3, cutoff=0.5)
        hint = f" Near: {', '.join(near)}." if near else ""
        own = ", ".join((*GROUPS, *OWN))
        raise BadInput(f"--metrics: there is no metric {name!r}.{hint} Known: {own}, and those of pyiqa.list_models().")
    if known[name].get("metric_mode") not in ("FR", "NR") or "fid" in name or name == "inception_score":
        raise BadInput(
            f"--metrics: {name} is no measure of single images and cannot be scored here; of whole sets there are fid"
            " and kid."
        )
    return name


def _one(name: str, weights: Path, fr_order: str, precision: str, models: Models) -> Metric | SetMetric:
    if name in WEIGHTS:
        file = weights / WEIGHTS[name]
        if not file.is_file():
            raise BadInput(f"there are no TOPIQ weights: {file} is missing. {where_weights_are(weights)}")
        return Topiq(name, file, fr_order, precision)
    return OWN[name](models) if name in OWN else Pyiqa(name, of_pyiqa()[name])
