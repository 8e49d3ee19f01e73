"""One submission checked: what `verify` tells of it, and what `accept` asks before it installs it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import RunFailed
from ..published import dataset
from . import archive
from .checks.documents import Opened, open_all
from .checks.faults import Faults
from .checks.nearness import check_nearness
from .checks.pictures import SAME, Sample, check_ground_truth, check_reconstructions, check_weights, rescore
from .checks.plausibility import check
from .checks.redecode import Decoding, redecode
from .checks.sampling import what_it_proves
from .rules import FILES


@dataclass(frozen=True)
class Means:
    """What the receiver has at hand. pictures, truth, weights: folders, None where he has none. sample: how many rows
    are scored again. seed: of the choice, None for a new one. decoding: how pictures are made anew, None for not.
    """

    pictures: Path | None = None
    truth: Path | None = None
    weights: Path | None = None
    sample: int = 16
    seed: int | None = None
    device: str = "auto"
    decoding: Decoding | None = None
    flag: str = "--results"  # that names the pictures


@dataclass
class Inspection:
    """What was found. digest: SHA-256 of the file. said: lines about it, in order. checked: what was, a phrase each.
    opened: None where a file of it is too broken. failed: why a check did not come to its end.
    """

    path: Path
    data: bytes
    faults: Faults = field(default_factory=Faults)
    opened: Opened | None = None
    said: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    failed: RunFailed | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def accepted(self) -> bool:
        return not len(self.faults) and self.failed is None

    @property
    def verdict(self) -> str:
        if self.accepted:
            return "accepted"
        return f"refused: {len(self.faults)} fault(s)" if len(self.faults) else f"not checked to its end: {self.failed}"

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        submission = self.opened.submission if self.opened else {}
        keys = ("target", "images", "modes", "overall", "submitter", "deviations", "absent", "weights")
        return {
            "file": str(self.path),
            "sha256": self.digest,
            "accepted": self.accepted,
            "verdict": self.verdict,
            **{key: submission[key] for key in keys if key in submission},
            "checked": self.checked,
            "said": self.said,
            "faults": self.faults.lines(),
        }


def inspect(path: Path, means: Means) -> Inspection:
    """Check a submission, which is read once, with all that is at hand. Raises BadInput for a file that is none."""
    found = Inspection(path, archive.load(path))
    found.opened = open_all(archive.opened(path, found.data, FILES), found.faults)
    if found.opened is None:
        found.said.append(
            "note: what the files say was not compared with each other; they must first be readable and whole."
        )
        return found
    check(found.opened, found.faults)
    found.checked.append("the file")
    _describe(found, found.opened)
    try:
        _pictures(found, found.opened, means)
    except RunFailed as error:
        found.failed = error  # what was found before it is told all the same
    return found


def _describe(found: Inspection, opened: Opened) -> None:
    submission = opened.submission
    tables = {table: submission["overall"][table] for table in ("t2i", "i2t")}
    overall = ", ".join(f"{value:.4f} ({table})" for table, value in tables.items() if value is not None)
    modes = ", ".join(submission["modes"])
    found.said.append(f"{submission['target']}: {submission['images']} images in {modes}; Overall {overall or 'none'}")
    found.said += [f"{key}: {value}" for key, value in submission.get("submitter", {}).items()]
    found.said += [f"deviation: {deviation}" for deviation in submission["deviations"]]
    found.said += [f"absent: {name}: {why}" for name, why in sorted(submission["absent"].items())]
    for metric, known in dataset.published_weights().items():
        if not known["sha256"]:
            told = submission["weights"][metric]["sha256"]
            found.said.append(
                f"note: {metric}: this version does not know the hash of the published {known['file']}; "
                f"the submission's is {told}"
            )


def _pictures(found: Inspection, opened: Opened, means: Means) -> None:
    """What only pictures show; says what was not checked for want of them."""
    if means.pictures:
        check_reconstructions(opened, means.pictures, found.faults)
        found.checked.append("the reconstructions")
    else:
        found.said.append(f"not checked: the reconstructions (give {means.flag} FOLDER)")
    if means.truth:
        check_ground_truth(opened, means.truth, found.faults)
        found.checked.append("the ground truth")
    else:
        found.said.append("not checked: the ground truth (give --ground_truth FOLDER)")
    # Not a seed that the submitter can know: he would need to be honest about its sample only
    seed = secrets.randbelow(1 << 31) if means.seed is None else means.seed
    if means.pictures and means.truth:
        _nearness(found, opened, means.pictures, means.truth, means.sample, seed)
    if means.decoding and means.pictures and means.truth:
        _decoding(found, opened, means.pictures, means.truth, means.decoding, seed)
    if means.weights and means.pictures and means.truth:
        sample = Sample(means.weights, means.sample, seed, means.device)
        _scores(found, opened, means.pictures, means.truth, sample)
    else:
        found.said.append(
            f"not checked: the scores (give {means.flag}, --ground_truth and --model_weight to score a sample again)"
        )


def _nearness(found: Inspection, opened: Opened, pictures: Path, truth: Path, count: int, seed: int) -> None:
    compared = check_nearness(opened, pictures, truth, count, seed, found.faults)
    closest = "" if compared.closest is None else f"; the nearest is {compared.closest:.1f} dB from the bound"
    found.said.append(
        f"nearness: {compared.count} of {len(opened.rows)} pictures held against what their bits allow{closest}"
    )
    found.checked.append(f"nearness of {compared.count} pictures")


def _decoding(found: Inspection, opened: Opened, pictures: Path, truth: Path, how: Decoding, seed: int) -> None:
    redone = redecode(opened, pictures, truth, how, seed, found.faults)
    stack = "the same versions and hardware" if redone.same_stack else "other versions or hardware"
    worst = "" if redone.exact == redone.count else f", the farthest at {redone.worst:.1f} dB"
    found.said.append(
        f"decoded anew: {redone.count} of {len(opened.rows)} pictures, chosen with --seed {seed}, on {stack}:"
        f" {redone.exact} exact{worst}; at least {redone.bound:g} dB are expected"
    )
    found.said.append(f"what that proves: {what_it_proves(redone.count, len(opened.rows))}")
    found.checked.append(f"{redone.count} pictures decoded anew")


def _scores(found: Inspection, opened: Opened, pictures: Path, truth: Path, sample: Sample) -> None:
    check_weights(opened, sample.weights, found.faults)
    scored, largest = rescore(opened, pictures, truth, sample, found.faults)
    rows = len(opened.rows)
    found.said.append(
        f"scored again: {scored} of {rows} pictures, chosen with --seed {sample.seed}; "
        f"largest difference {largest:.1e}, allowed {SAME:.0e}"
    )
    found.said.append(f"what that proves: {what_it_proves(scored, rows)}")
    found.checked.append(f"{scored} of {rows} scores")
    left_out = min(sample.count, rows) - scored
    if left_out:
        found.faults.add(
            "sample", f"{left_out} of the sample cannot be scored again: their pictures are not those of the submission"
        )
