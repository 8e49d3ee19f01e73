"""A submission against the pictures themselves: their checksums, and a random sample scored again."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ...errors import BadInput, RunFailed
from ...files.images import list_images
from ...files.store import digest, read_bytes
from ...protocol import OVERALL_METRICS
from ...published import dataset
from ...runtime.messages import progress
from .documents import Opened
from .faults import Faults
from .steps import run_step
from .tables import SubmittedScores, number_or_none

SAME = 1e-4  # a score on another machine or device; on the same one it is equal within 1e-5
LARGEST_PICTURE = 1 << 30  # bytes of a file


@dataclass(frozen=True)
class Sample:
    """Which of the rows are scored again. count: how many. seed: of the choice. device: as in script-evaluate.py."""

    weights: Path
    count: int
    seed: int
    device: str


def check_reconstructions(opened: Opened, folder: Path, faults: Faults) -> None:
    """Compare the pictures in `folder` (Result/NAME) with reconstructions.sha256. Raises BadInput where there is
    none.
    """
    there = {mode: list_images(folder / mode, "--results") for mode in opened.submission["modes"]}
    if not any(there.values()):
        raise BadInput(
            f"--results {folder}: holds no pictures in {', '.join(there)}/. Name the folder that holds these, e.g."
            " Result/NAME."
        )
    found = {(mode, image): path for mode, images in there.items() for image, path in images.items()}
    for mode, images in there.items():
        for reason in images.problems.values():
            faults.add("pictures that are not listed", f"{mode}: {reason}")
    for key in sorted(found.keys() - opened.checksums.keys()):
        faults.add("pictures that are not listed", f"{found[key]}: is not in reconstructions.sha256")
    for (mode, stem), seen in _hashes(found, "reconstructions").items():
        if (mode, stem) in opened.checksums and opened.checksums[mode, stem][1] != seen:
            faults.add(
                "other pictures", f"{found[mode, stem]}: is not the picture that was scored; its SHA-256 is another"
            )
    for mode, stem in sorted(opened.checksums.keys() - found.keys()):
        faults.add("no pictures", f"{folder / mode / opened.checksums[mode, stem][0]}: is missing")


def check_ground_truth(opened: Opened, folder: Path, faults: Faults) -> None:
    """Compare the receiver's ground truth with the one that was scored against. Raises BadInput where there is none."""
    truth = list_images(folder, "--ground_truth")
    if not truth:
        raise BadInput(
            f"--ground_truth {folder}: holds no images.{truth.hint} Name the folder of the benchmark's ground truth."
        )
    scored = {row.stem: row for row in opened.rows}
    for stem in sorted(truth.keys() - scored.keys()):
        faults.add("images without scores", f"{truth[stem].name}: is in the ground truth and has no scores")
    for stem in sorted(scored.keys() - truth.keys()):
        faults.add("images of another ground truth", f"{scored[stem].name}: has scores and is not in {folder}")
    seen = _hashes({("", stem): path for stem, path in truth.items() if stem in scored}, "ground truth")
    for (_, stem), full in seen.items():
        if scored[stem].ground_truth != full[:16]:
            faults.add(
                "another ground truth", f"{truth[stem].name}: was scored against another file than {truth[stem]}"
            )


def _hashes(files: dict[tuple[str, str], Path], what: str) -> dict[tuple[str, str], str]:
    """key -> SHA-256 of each file, "" of one that cannot be read; several at once, since hashing waits for the disk."""
    found = {}
    with progress(len(files), 0, f"checksums of the {what}") as bar, ThreadPoolExecutor(4) as pool:
        for key, seen in zip(files, pool.map(sha256_of, files.values())):
            found[key] = seen
            bar.update()
    return found


def sha256_of(path: Path) -> str:
    """The SHA-256 of a regular file, "" where it is missing, a pipe or device, or cannot be read."""
    total = hashlib.sha256()
    try:
        if not path.is_file():  # a pipe or a device could go on for ever
            return ""
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    except OSError:
        return ""
    return total.hexdigest()


def check_weights(opened: Opened, folder: Path, faults: Faults) -> None:
    """Compare the receiver's TOPIQ weights with those that were scored with. Raises BadInput where they are missing."""
    for metric, known in dataset.published_weights().items():
        path = folder / known["file"]
        if not path.is_file():
            raise BadInput(f"--model_weight {folder}: {path} is missing, and scoring again needs it.")
        if sha256_of(path) != opened.submission["weights"][metric]["sha256"]:
            faults.add("weights", f"{metric}: was scored with other weights than {path}")


def rescore(opened: Opened, results: Path, truth: Path, sample: Sample, faults: Faults) -> tuple[int, float]:
    """Score a random sample of the rows again, by script-evaluate.py as every submitter does, and compare.

    Returns how many were scored and the largest difference. Pictures that are not those that were scored are left out:
    they have been reported. Raises RunFailed where the script fails as a whole.
    """
    chosen = _choose(opened.rows, sample)
    with tempfile.TemporaryDirectory(prefix="cmcbench-verify-") as place:
        work = Path(place)
        rows = [row for row in chosen if _copy(row, results, truth, work)]
        if not rows:
            return 0, 0.0
        said = _score(work, sample, len(rows))
        scores = _read(work / "Result" / "sample" / "scores.csv")
    largest = 0.0
    for row in rows:
        for metric in OVERALL_METRICS:
            again = scores.get((row.name, row.mode, metric))
            if again is None:
                faults.add("rescoring", f"{row.where}: cannot be scored again ({said})")
                break
            difference = abs(again - row.scores.get(metric, float("inf")))
            largest = max(largest, difference)
            if difference > SAME:
                faults.add("rescoring", f"{row.where}: {metric} is {row.scores.get(metric)}, scored again {again:.6f}")
    return len(rows), largest


def _choose(rows: list[SubmittedScores], sample: Sample) -> list[SubmittedScores]:
    rows = sorted(rows, key=lambda row: (row.name, row.mode))
    return random.Random(sample.seed).sample(rows, min(sample.count, len(rows)))


def _copy(row: SubmittedScores, results: Path, truth: Path, work: Path) -> bool:
    """Copy a row's two pictures, if they are those that were scored. Other files beside them stay out of the run."""
    places = [
        (truth, work / "GT", row.ground_truth),
        (results / row.mode, work / "Result" / "sample" / row.mode, row.reconstruction),
    ]
    for source, to, seen in places:
        path = list_images(source, "pictures").get(row.stem)
        try:
            data = read_bytes(path, LARGEST_PICTURE) if path else b""
        except OSError:
            return False
        if digest(data) != seen:
            return False
        to.mkdir(parents=True, exist_ok=True)
        (to / path.name).write_bytes(data)
    return True


def _score(work: Path, sample: Sample, pictures: int) -> str:
    """Run script-evaluate.py on the copies. Returns what it said last; where single pictures fail it goes on."""
    command = [
        "--target_path",
        str(work / "Result" / "sample"),
        "--gt_path",
        str(work / "GT"),
        "--model_weight",
        str(sample.weights.resolve()),
        "--device",
        sample.device,
        "--no_report",
    ]
    code, last = run_step("evaluate", command, work, pictures, "rescoring")
    if code not in (0, 1) or not (work / "Result" / "sample" / "scores.csv").is_file():
        raise RunFailed(f"rescoring failed: {last}")
    return last


def _read(path: Path) -> dict[tuple[str, str, str], float | None]:
    rows: Iterator[dict[str, str]] = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return {
        (row["name"], row["mode"], metric): number_or_none(row.get(metric) or "")
        for row in rows
        for metric in OVERALL_METRICS
    }
