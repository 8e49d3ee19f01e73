"""A few pictures decoded anew on the receiver's machine from a submission's captions, seed and settings."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models

from ...errors import ImageProblem, RunFailed
from ...files import manifest, untrusted
from ...files.images import list_images, read_rgb
from ...files.names import plain_name
from ...files.store import digest, read_json
from ...protocol import MODES
from ..rules import inputs, settings
from .documents import Opened
from .faults import Faults
from .nearness import psnr
from .pictures import sha256_of
from .steps import run_step
from .tables import SubmittedScores

# dB that a picture made anew must reach. On the same versions and hardware only a batch of another size moves pixels;
# on others the rounding of every step does, yet a picture of other steps, seed or weights is another picture
SAME_STACK, OTHER_STACK = 40.0, 20.0
DTYPES = ("fp32", "fp16", "bf16")
KINDS = {"seed": int, "steps": int, "strength": (int, float), "guidance": (int, float)}


@dataclass(frozen=True)
class Decoding:
    """count: pictures to make. references: Ref, None where there is none. model_dir: the receiver's checkpoint, "" for
    the adapter's own. Nothing is ever fetched or run because a submission names it.
    """

    count: int
    references: Path | None = None
    model_dir: str = ""
    device: str = "auto"


@dataclass(frozen=True)
class Redone:
    """count: of pictures made anew. exact: those without any difference. worst: the lowest PSNR in dB, infinite where
    all are exact. same_stack: whether versions and hardware are those that the submission names.
    """

    count: int
    exact: int
    worst: float
    same_stack: bool

    @property
    def bound(self) -> float:
        return SAME_STACK if self.same_stack else OTHER_STACK


def redecode(opened: Opened, pictures: Path, truth: Path, how: Decoding, seed: int, faults: Faults) -> Redone:
    """Make a random choice of the reconstructions anew by the decode step, and compare. Raises RunFailed where the
    submission cannot be decoded here.
    """
    name = _model(opened, how)
    chosen = _choose(opened, how, seed)
    same, exact, done, worst = _same_stack(opened), 0, 0, math.inf
    with tempfile.TemporaryDirectory(prefix="cmcbench-decode-") as place:
        for mode in MODES:
            rows = [row for row in chosen if row.mode == mode and _fits(row, opened, how, faults)]
            if not rows:
                continue
            again = _decode(opened, mode, rows, truth, name, how, Path(place))
            for row in rows:
                theirs = list_images(pictures / mode, "pictures").get(row.stem)
                if not theirs or sha256_of(theirs)[:16] != row.reconstruction:
                    continue  # it has been reported
                found = _difference(theirs, again / mode / f"{row.stem}.png", row, faults)
                if found is None:
                    continue
                done, exact, worst = done + 1, exact + (found == math.inf), min(worst, found)
                bound = SAME_STACK if same else OTHER_STACK
                if found < bound:
                    faults.add(
                        "decoding",
                        f"{row.where}: decoded anew it is another picture ({found:.1f} dB, at least {bound:g} dB are"
                        " expected): caption, settings or weights are not those that the manifest names",
                    )
    return Redone(done, exact, worst, same)


def _model(opened: Opened, how: Decoding) -> str:
    """The decoder's name, one that this program brings or that the receiver names a checkpoint for."""
    told = {str(settings(opened.manifest, mode).get("model")) for mode in opened.submission["modes"]}
    name = min(told)
    if len(told) > 1 or opened.manifest.get("codec"):
        raise RunFailed("--decode: the pictures do not come from one decoder; they cannot be made anew.")
    if name.endswith(".py") or not plain_name(name) or name == "command":
        raise RunFailed(f"--decode: {ascii(name)} is a program of the submitter's own, which is not run here.")
    if name.replace("_", "-").replace(".", "-") not in models.names("t2i") and not how.model_dir:
        raise RunFailed(f"--decode: {ascii(name)} is no decoder of this program; name its checkpoint with --model_dir.")
    theirs = opened.manifest.get("model_dir")
    if not how.model_dir and theirs and theirs != models.create("t2i", name).default_dir:
        raise RunFailed(
            f"--decode: the submission was decoded with the checkpoint {ascii(theirs)[:120]}, which is not the"
            " decoder's own. Look at it, and name it or a copy with --model_dir."
        )
    return name


def _choose(opened: Opened, how: Decoding, seed: int) -> list[SubmittedScores]:
    rows = sorted(opened.rows, key=lambda row: (row.name, row.mode))
    rows = [row for row in rows if opened.texts or not MODES[row.mode].captioned]
    rows = [row for row in rows if how.references or not MODES[row.mode].reference]
    if not rows:
        raise RunFailed(
            "--decode: nothing can be decoded: the submission has no captions, and no references are here (--ref_dir)."
        )
    return random.Random(seed).sample(rows, min(how.count, len(rows)))


def _fits(row: SubmittedScores, opened: Opened, how: Decoding, faults: Faults) -> bool:
    """Whether the receiver's reference is the one that the manifest names."""
    kind = MODES[row.mode].reference
    if not kind or not how.references:
        return True
    file = list_images(how.references / kind, "--ref_dir").get(row.stem)
    told = inputs(opened.manifest, row.mode).get(row.stem, {}).get("guide")
    if file is not None and told == digest(file.read_bytes()):
        return True
    faults.add("references", f"{row.where}: was decoded from another reference than that in {how.references / kind}")
    return False


def _decode(
    opened: Opened, mode: str, rows: list[SubmittedScores], truth: Path, name: str, how: Decoding, work: Path
) -> Path:
    """Run the decode step for these rows. Returns the folder of the result. Raises RunFailed."""
    ground = work / "GT" / mode  # of these images alone: the step makes what the ground truth names
    ground.mkdir(parents=True)
    for row in rows:
        source = list_images(truth, "--ground_truth").get(row.stem)
        if source is None:
            raise RunFailed(f"--decode: {row.name} is not in the ground truth here.")
        shutil.copyfile(source, ground / source.name)
    (work / "captions.csv").write_bytes(opened.contents.get("captions.csv", b""))
    # --flag=VALUE throughout: a value of a stranger's can never be taken for a flag
    flags = {
        "mode": mode,
        "model_name": name,
        "input_path": work / "captions.csv",
        "ground_truth": ground,
        "ref_dir": how.references.resolve() if how.references else work / "Ref",
        "output_path": work / "Result",
        "result_name": "again",
        "device": how.device,
        **_settings(settings(opened.manifest, mode)),
    }
    if how.model_dir:
        flags["model_dir"] = str(Path(how.model_dir).resolve()) if Path(how.model_dir).exists() else how.model_dir
    told = settings(opened.manifest, mode)
    switches = [f"--{key}" for key in ("long_prompts", "vae_tiling") if told.get(key) is True]
    arguments = [*(f"--{key}={value}" for key, value in flags.items()), *switches, "--overwrite"]
    _, last = run_step("decode", arguments, work, len(rows), "decoding")
    if not list((work / "Result" / "again" / mode).glob("*.png")):
        raise RunFailed(f"--decode: the decode step made nothing: {last}")
    made = settings(read_json(work / "Result" / "again" / "manifest.json") or {}, mode)
    if differing := manifest.differences(
        {key: told.get(key) for key in ("revision", "base")}, {key: made.get(key) for key in ("revision", "base")}
    ):
        raise RunFailed(f"--decode: the checkpoint here is another: {differing}. Name the right one with --model_dir.")
    return work / "Result" / "again"


def _settings(told: dict[str, Any]) -> dict[str, Any]:
    """The settings of a mode as flags, each of its type. Raises RunFailed for what cannot be repeated."""
    if told.get("lora"):
        raise RunFailed("--decode: it was decoded with LoRA weights, which are not in a submission.")
    flags: dict[str, Any] = {}
    for key, kind in KINDS.items():
        value = told.get(key)
        if value in (None, "own"):
            continue
        if isinstance(value, bool) or not isinstance(value, kind):
            raise RunFailed(f"--decode: the manifest's {key} is {untrusted.shown(value)}, which is no number.")
        flags[key] = value
    if told.get("dtype") in DTYPES:
        flags["dtype"] = told["dtype"]
    if isinstance(told.get("negative_prompt"), str) and told["negative_prompt"]:
        flags["negative_prompt"] = told["negative_prompt"]
    return flags


def _difference(theirs: Path, ours: Path, row: SubmittedScores, faults: Faults) -> float | None:
    """PSNR of all channels in dB, infinite for equal pixels; None, and a fault, where one cannot be read."""
    import numpy as np

    try:
        one, other = read_rgb(theirs)[0], read_rgb(ours)[0]
    except ImageProblem as error:
        faults.add("decoding", f"{row.where}: cannot be compared ({error})")
        return None
    if one.size != other.size:
        return 0.0
    return psnr(float(np.mean((np.asarray(one, dtype=np.float32) - np.asarray(other, dtype=np.float32)) ** 2)))


def _same_stack(opened: Opened) -> bool:
    """Whether versions and hardware here are those of the submission, as far as it names them."""
    theirs, ours = opened.manifest.get("environment") or {}, manifest.environment()
    versions = all(theirs.get(package) == ours.get(package) for package in ("cmcbench", *manifest.PACKAGES[:4]))
    return versions and opened.environment.get("gpus") == gpus()


def gpus() -> list[str]:
    """Names of the GPUs that torch sees here."""
    try:
        import torch
    except ImportError:
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
