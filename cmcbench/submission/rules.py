"""What a submission is made of, what it must have, and where it deviates from the published settings.

The one who makes a submission and the one who receives it ask the same functions, about the same documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import models

from ..files.store import digest
from ..protocol import (
    ALMOST,
    IMAGE_PROMPT,
    MODES,
    NOMINAL_IMAGE_BPP,
    OVERALL_METRICS,
    SEED,
    STEPS,
    WORDS,
    i2t_prompt,
)
from ..published import dataset

FORMAT = 1
MIB = 1 << 20
FILES = {  # entry -> its largest size in bytes; OPTIONAL ones may be absent, and submission.json then says why
    "submission.json": MIB // 4,
    "mail.txt": MIB // 16,
    "SHA256SUMS": MIB // 16,
    "environment.json": MIB // 16,
    "scores.csv": 12 * MIB,
    "summary.json": MIB,
    "manifest.json": 8 * MIB,
    "reconstructions.sha256": 4 * MIB,
    "rates.csv": 8 * MIB,
    "captions.csv": 8 * MIB,
    "captions.json": 8 * MIB,
}
OPTIONAL = ("rates.csv", "captions.csv", "captions.json")
FEWEST_MODES = 2
PLAIN_SETTINGS = {  # setting of decoding -> its published value
    "guidance": "own",
    "negative_prompt": "",
    "lora": "",
    "long_prompts": False,
    "vae_tiling": False,
}


def missing(summary: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a summary from being a valid submission, each with its remedy. The summary has passed its schema."""
    name, of = summary["target"], summary["ground_truth"]["images"]
    again = f"python script-evaluate.py --target {name} --submit"
    lacking = [metric for metric in OVERALL_METRICS if metric not in summary["metrics"]]
    if lacking:
        others = [metric for metric in summary["metrics"] if metric.split("@")[0] in lacking]
        found = f"; there are {', '.join(others)}, which are not comparable" if others else ""
        yield f"no scores of {' and '.join(lacking)} in fp32 and FR's published order{found}. Score with: {again}"
        return
    modes = [mode for mode in MODES if mode in summary["modes"]]
    if len(modes) < FEWEST_MODES:
        has = ", ".join(modes) or "none of them"
        yield (
            f"a submission needs at least {FEWEST_MODES} of the modes {', '.join(MODES)}, and there is {has}. "
            f"Make another with: python script-t2i.py --mode MODE --result_name {name}"
        )
    for mode, found in summary["modes"].items():
        scored = min(found["metrics"].get(metric, {"n": 0})["n"] for metric in OVERALL_METRICS)
        if scored < of:
            yield (
                f"mode {mode} has both scores of {scored} of {of} images. Make the others with: python script-t2i.py "
                f"--mode {mode} --result_name {name}, and score with: {again}; or move the folder of this mode away"
            )


def deviations(
    summary: Mapping[str, Any],
    manifest: Mapping[str, Any],
    captions: Mapping[str, Any] | None,
    names: list[str],
    weights: Mapping[str, Any],
) -> list[str]:
    """Where a result differs from the published settings, a phrase each: listed in the submission, no reason to refuse
    it.

    captions: the captions' manifest, None where there is none. names: file names of the ground truth. weights: metric
    ->
    {"file", "bytes", "sha256"}. All have passed their schemas, and what the manifests hold may still be anything.
    """
    modes = [mode for mode in MODES if mode in summary["modes"]]
    found = [*_ground_truth(names), *_weights(weights), *_models(manifest, modes)]
    for mode in modes:
        found += [
            f"mode {mode}: {problem}" for problem in (*_decoding(manifest, mode), *_rate(summary["modes"][mode], mode))
        ]
    if any(MODES[mode].captioned for mode in modes):
        found += [f"captions: {problem}" for problem in _captions(manifest.get("captions"), captions)]
    return found


def _ground_truth(names: list[str]) -> Iterator[str]:
    if not dataset.is_whole(names):
        yield f"ground truth of {len(names)} images, which is not the benchmark's of {dataset.IMAGES:,}"


def _weights(weights: Mapping[str, Any]) -> Iterator[str]:
    sizes = {each.file: each.megabytes for each in dataset.FILES}
    for metric, known in dataset.published_weights().items():
        megabytes = weights[metric]["bytes"] / 1e6
        if known["sha256"] and weights[metric]["sha256"] not in known["sha256"]:
            yield f"{known['file']}: its SHA-256 is not that of the published file"
        elif abs(megabytes - sizes[known["file"]]) > 1.5:
            yield f"{known['file']}: has {megabytes:.1f} MB, and the published file {sizes[known['file']]}"


def settings(manifest: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """A mode's settings in a manifest, {} where there are none."""
    found = _dict(_dict(_dict(manifest.get("modes")).get(mode)).get("settings"))
    return found


def inputs(manifest: Mapping[str, Any], mode: str) -> dict[str, dict[str, Any]]:
    """stem -> the inputs of a mode's images in a manifest."""
    found = _dict(_dict(_dict(manifest.get("modes")).get(mode)).get("inputs"))
    return {stem: _dict(each) for stem, each in found.items()}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _models(manifest: Mapping[str, Any], modes: list[str]) -> Iterator[str]:
    if manifest.get("baseline"):
        yield "the decoder is a baseline, no generative model"
    if manifest.get("codec"):
        yield f"the pictures come from {_show(manifest['codec'])}, not from a decoder of the benchmark"
    for key in ("model", "checkpoint"):
        values = {_show(settings(manifest, mode).get(key)) for mode in modes}
        if len(values) > 1:
            yield f"the modes were made by more than one {key}: {', '.join(sorted(values))}"


def _decoding(manifest: Mapping[str, Any], mode: str) -> Iterator[str]:
    told = settings(manifest, mode)
    steps, prompt = _published(told)
    published: dict[str, Any] = {"steps": steps, "seed": SEED}
    if MODES[mode].strength is None or told.get("strength", 0) is not None:
        published["strength"] = MODES[mode].strength  # None in the manifest: a model that takes none
    for key, value in published.items():
        if key not in told:
            yield f"{key} is not told, published {_show(value)}"
        elif told[key] != value or isinstance(told[key], bool):
            yield f"{key} {_show(told[key])}, published {_show(value)}"
    for key, value in PLAIN_SETTINGS.items():
        if told.get(key, value) != value:
            yield f"{key} {_show(told[key])}, which the published runs did not use"
    fixed = digest(prompt.encode())
    others = [stem for stem, each in inputs(manifest, mode).items() if each.get("prompt") != fixed]
    if others and not MODES[mode].captioned and not manifest.get("codec"):
        yield f"{len(others)} images were not made with the fixed prompt"


def _published(told: Mapping[str, Any]) -> tuple[int, str]:
    """The published steps and prompt of image mode: the protocol's, or those of a decoder that has its own.

    Restoration models have, of their authors. Only a decoder of this program is asked, by its name in the settings.
    """
    name = told.get("model")
    if told.get("adapter") or name not in models.names("t2i"):  # a user's own file may bear a known name
        return STEPS, IMAGE_PROMPT
    model = models.create("t2i", name)
    return model.steps or STEPS, IMAGE_PROMPT if model.image_prompt is None else model.image_prompt


def _rate(found: Mapping[str, Any], mode: str) -> Iterator[str]:
    """Bits that are not known, and image references of another size; captions have the length that their model gives
    them.
    """
    known = found["bpp"]["n"] if found["bpp"] else 0
    if known < found["images"]:
        yield f"the bits of {found['images'] - known} images are not known"
    bpp = (found.get("rate") or {}).get("image") if MODES[mode].reference == "image" else None
    if bpp is not None and not NOMINAL_IMAGE_BPP / ALMOST <= bpp <= NOMINAL_IMAGE_BPP * ALMOST:
        yield f"references of {bpp:.4f} bpp, published about {NOMINAL_IMAGE_BPP:.3f}"


def _captions(made_of: Any, record: Mapping[str, Any] | None) -> Iterator[str]:
    """made_of: the captions in the result's manifest. record: the captions' own manifest."""
    seen = _dict(made_of).get("sha256")
    known = [each.sha256 for each in dataset.FILES if each.sha256]
    if isinstance(seen, str) and len(seen) >= 16 and any(each.startswith(seen) for each in known):
        return  # the published captions, which have no manifest
    if _dict(made_of).get("baseline"):
        yield "the encoder is a baseline, no language model"
    if record is None:
        yield "no manifest tells what made them"
        return
    told = _dict(record.get("settings"))
    if told.get("words") != WORDS:
        yield f"{_show(told.get('words'))} words (explen), published {WORDS}"
    if told.get("prompt") != i2t_prompt(WORDS):
        yield "another request than the published one"


def _show(value: Any) -> str:
    """A value from a manifest as one short printable phrase; everything that is no number in the quotes of ascii()."""
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else ascii(value)[:80]
